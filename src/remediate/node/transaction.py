"""Changes on a node, as one journalled unit: staged, applied, then confirmed or taken back."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from importlib.resources import files

from remediate.errors import ChangeFailed, Unreachable
from remediate.node.api import Clock, Node
from remediate.node.shell import sh
from remediate.node.waiting import wait_until

ROOT = "/var/lib/remediate"
"""Where transactions live on a node: root only, on a disk, so that a reboot finds them (SAFETY, confirmed change)."""

REACHABLE_AGAIN = 120.0
"""Seconds to wait for a node whose connection broke in mid-change before its outcome is given up as unknown."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change as the node sees it: three scripts and the files that they use.

    Attributes:
        check: exits non-zero when the node is not as the plan saw it.
        apply: makes the change.
        undo: takes it back; None where that cannot be.
        files: staged content by name.
    """

    check: str
    apply: str
    undo: str | None
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Transaction:
    """All steps of one host in one phase.

    Attributes:
        run: the run's ID, a plain word.
        label: phase and host, a plain word.
        steps: in order.
        limit: seconds after which the node's own unit is stopped.
    """

    run: str
    label: str
    steps: tuple[Step, ...]
    limit: float

    @property
    def folder(self) -> str:
        """Its folder on the node."""
        return f"{ROOT}/{self.run}/{self.label}"

    @property
    def unit(self) -> str:
        """Its systemd unit."""
        return f"remediate-{self.run}-{self.label}"


@dataclass(frozen=True, slots=True)
class State:
    """What the node's journal says.

    Attributes:
        word: `await` (applied, waiting to be confirmed), `moved` (not as planned, nothing written), `undone`, `held`,
            `committed`, or a step's word where the unit ended too early.
        output: what the scripts said, for people.
    """

    word: str
    output: str


def _library() -> dict[str, bytes]:
    here = files("remediate.node")
    return {name: here.joinpath(name).read_bytes() for name in ("lib.sh", "transaction.sh")}


def _content(path: str, content: bytes) -> str:
    encoded = base64.encodebytes(content).decode("ascii")
    return sh("base64 -d >{} <<'EOF'\n", path) + encoded + "EOF\n"


def _step_files(number: int, step: Step) -> dict[str, bytes]:
    staged = {f"{number}/{name}": content for name, content in step.files.items()}
    staged |= {f"{number}/check.sh": step.check.encode(), f"{number}/apply.sh": step.apply.encode()}
    if step.undo is not None:
        staged[f"{number}/undo.sh"] = step.undo.encode()
    return staged


def stage_script(transaction: Transaction) -> str:
    """The sh text that lays a transaction's folder out on a node and syncs it; it changes nothing else."""
    staged = _library() | {"total": f"{len(transaction.steps)}\n".encode()}
    for number, step in enumerate(transaction.steps, 1):
        staged |= _step_files(number, step)
    folders = sorted({name.rpartition("/")[0] for name in staged} - {""})
    lines = [
        "set -eu; umask 077",
        sh("mkdir -p {}; chmod 700 {}", ROOT, ROOT),
        sh("if [ -e {} ]; then echo 'this transaction exists already' >&2; exit 1; fi", transaction.folder),
        sh("mkdir -p {}; cd {}", transaction.folder, transaction.folder),
        "mkdir old " + " ".join(folders),
        *(_content(name, content) for name, content in sorted(staged.items())),
        ": >journal; : >output; echo staged >state; sync -f .",
    ]
    return "\n".join(lines) + "\n"


def _start_script(transaction: Transaction, action: str) -> str:
    return sh(
        "systemd-run --quiet --collect --unit={} --property=RuntimeMaxSec={} /bin/sh {} {} {}\n",
        f"{transaction.unit}-{action}",
        int(transaction.limit),
        f"{transaction.folder}/transaction.sh",
        transaction.folder,
        action,
    )


def _wait_script(transaction: Transaction, action: str) -> str:
    """Wait for the last word in the state file: `systemd-run --wait` needs a D-Bus that a small node may lack."""
    done = "undone|held" if action == "undo" else "await|moved|undone|held|committed"
    return (
        sh("cd {}\nu={}.service\n", transaction.folder, f"{transaction.unit}-{action}")
        + "n=0; while :; do read -r word rest <state || word=\n"
        + f"case $word in {done}) break ;; esac\n"
        + "n=$((n + 1)); if [ $((n % 20)) = 0 ] && ! systemctl --quiet is-active $u; then break; fi\n"
        + "sleep 0.05; done\ncat state; cat output\n"
    )


def _read(text: str) -> State:
    first, _, rest = text.partition("\n")
    return State(first.split(" ")[0], rest.strip())


def _outcome(node: Node, transaction: Transaction, action: str, clock: Clock) -> State:
    """Read the state after a broken connection; the node's truth decides, nothing is sent twice."""

    def answer() -> State | None:
        try:
            return _read(node.run(_wait_script(transaction, action), timeout=transaction.limit + 30).text)
        except Unreachable:
            return None

    state = wait_until(clock, answer, timeout=REACHABLE_AGAIN, every=1.0)
    if state is None:
        raise ChangeFailed(
            "the connection broke during the change and the node has not come back; its outcome is unknown",
            where=node.name,
            hint=f"the node goes on by itself; read {transaction.folder}/state there",
        )
    return state


def _act(node: Node, transaction: Transaction, action: str, script: str, clock: Clock) -> State:
    try:
        return _read(node.run(script, timeout=transaction.limit + 30).text)
    except Unreachable:
        return _outcome(node, transaction, action, clock)
    except ChangeFailed:
        if not _begun(node, transaction):
            raise  # staging failed: nothing was changed
        return _outcome(node, transaction, action, clock)


def _begun(node: Node, transaction: Transaction) -> bool:
    """Whether the node has begun to change: then its journal decides, not the exec that started it."""
    done = node.run(sh("cat {}/state 2>/dev/null\n", transaction.folder), ok=None)
    return done.text.split(" ")[0].strip() not in ("", "staged")


def apply(node: Node, transaction: Transaction, clock: Clock) -> State:
    """Stage, start and await a transaction in one exec.

    Raises:
        ChangeFailed: staging failed (nothing was changed), or the node did not come back.
    """
    script = (
        stage_script(transaction) + _start_script(transaction, "apply") + _wait_script(transaction, "apply")
    )
    return _act(node, transaction, "apply", script, clock)


def undo(node: Node, transaction: Transaction, clock: Clock) -> State:
    """Take a transaction back on its node, in one exec. Raises as `apply` does."""
    script = _start_script(transaction, "undo") + _wait_script(transaction, "undo")
    return _act(node, transaction, "undo", script, clock)


def commit_script(transaction: Transaction) -> str:
    """The sh text that confirms a transaction; it fails unless the transaction awaits that."""
    return sh("sh {} {} commit\n", f"{transaction.folder}/transaction.sh", transaction.folder)


def commit(node: Node, transaction: Transaction) -> None:
    """Confirm an awaiting transaction. Raises ChangeFailed where nothing awaits a confirmation."""
    node.run(commit_script(transaction))
