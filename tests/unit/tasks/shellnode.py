"""A node for tests of tasks: real shells, real files, the real kernel, without a network and without a mark on it.

It is this machine seen from a mount and a network namespace of its own: `/etc`, `/var/lib` and `/run` are writable
layers that vanish with it, and kernel parameters below `net` are the namespace's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Collection, Sequence

from remediate.errors import ChangeFailed
from remediate.facts.base import Seen
from remediate.facts.look import look
from remediate.node.api import DEFAULT_CAP, Completed
from remediate.node.transaction import Step, Transaction, stage_script
from remediate.task.base import Change, Irreversible, Noop, Operation, Task

_LAYERS = """
set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /run
mount -t sysfs sysfs /sys
echo ready
read -r end
"""


class ShellNode:
    """`Node` over local shells in namespaces of their own; needs root."""

    def __init__(self) -> None:
        command = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", _LAYERS]
        self._keeper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._keeper.stdout and self._keeper.stdout.readline() == "ready\n"
        self.inside = ["nsenter", f"--target={self._keeper.pid}", "--mount", "--net", "sh"]
        self.name, self.execs, self._runs = "n1", 0, 0

    def run(
        self, script: str, *, timeout: float = 60, cap: int = DEFAULT_CAP, ok: Collection[int] | None = (0,)
    ) -> Completed:
        """As `Node.run`; the script comes on standard input."""
        done = subprocess.run(
            [*self.inside, "-s"], input=script.encode(), capture_output=True, timeout=timeout, check=False
        )
        self.execs += 1
        if ok is not None and done.returncode not in ok:
            raise ChangeFailed(done.stderr.decode(errors="replace").strip(), where=self.name)
        return Completed(done.returncode, done.stdout[:cap], done.stderr, 0.0)

    def follow(
        self,
        script: str,
        on_line: Callable[[str], None],
        *,
        timeout: float,  # noqa: ARG002
        keepalive: float = 2.0,  # noqa: ARG002
    ) -> Completed:
        """As `Node.follow`; what the tests ask is answered before a first keep-alive would be due."""
        self.execs += 1
        with subprocess.Popen(
            [*self.inside, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            errors="backslashreplace",
        ) as process:
            assert process.stdout
            for line in process.stdout:
                on_line(line.removesuffix("\n"))
        return Completed(process.returncode, b"", b"", 0.0)

    def close(self) -> None:
        """End the namespaces and all that is in them."""
        self._keeper.communicate("end\n", timeout=10)

    def sh(self, script: str) -> str:
        """Standard output of a script that must succeed."""
        return self.run(script).text

    def plan(self, task: Task) -> tuple[Seen, list[Operation], list[Noop]]:
        """Look, and plan one task."""
        seen = look(self, task.facts())
        items = list(task.plan(seen))
        return (
            seen,
            [item for item in items if isinstance(item, Operation)],
            [item for item in items if isinstance(item, Noop)],
        )

    def change(self, task: Task) -> Change:
        """The one change that a task wants."""
        seen, operations, _ = self.plan(task)
        return type(operations[0]).compile(operations, seen)

    def applied(self, *changes: Change) -> Transaction:
        """Apply changes with the transaction script that real nodes run; `state` tells how it ended."""
        self._runs += 1
        steps = tuple(
            Step(
                one.check,
                one.apply,
                None if isinstance(one.undo, Irreversible) else one.undo,
                dict(one.files),
            )
            for one in changes
        )
        transaction = Transaction(f"run{self._runs}", "n1", steps, 60)
        self.run(stage_script(transaction))
        self.act(transaction, "apply")
        return transaction

    def act(self, transaction: Transaction, action: str) -> None:
        """Run the transaction script; without systemd here it runs as it is."""
        self.run(f"sh {transaction.folder}/transaction.sh {transaction.folder} {action}")

    def state(self, transaction: Transaction) -> str:
        """The journal's last word and what the scripts said."""
        return self.sh(f"cat {transaction.folder}/state {transaction.folder}/output")


def undone(node: ShellNode, transaction: Transaction) -> str:
    """Take a transaction back; its last word."""
    node.act(transaction, "undo")
    return node.state(transaction)


def whys(noops: Sequence[Noop]) -> list[str]:
    """The reasons of no-ops."""
    return [noop.why for noop in noops]
