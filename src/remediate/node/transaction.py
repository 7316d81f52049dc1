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

TRIES = 3
"""How often a unit that never began is started."""

_NOT_BEGUN = {"apply": ("", "staged"), "undo": ("", "staged", "await", "applying", "applied", "committed")}
"""Words of the journal that prove that a unit never began."""

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
    fill = [
        "umask 077",
        sh("mkdir -p {}; chmod 700 {}", ROOT, ROOT),
        sh("mkdir -p {}; cd {}", transaction.folder, transaction.folder),
        "mkdir old " + " ".join(folders),
        *(_content(name, content) for name, content in sorted(staged.items())),
        ": >journal; : >output; echo staged >state; sync -f .",
    ]
    return "\n".join(
        [
            sh(
                "if [ -e {} ]; then echo 'this transaction exists already' >&2; exit 1; fi",
                transaction.folder,
            ),
            "sh -eu <<'STAGED' || " + sh("{{ rm -rf {}; exit 1; }}", transaction.folder),
            *fill,
            "STAGED\n",
        ]
    )


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


def _act(node: Node, transaction: Transaction, action: str, clock: Clock) -> State:
    """Start the unit and wait for its last word.

    After a broken connection the node's journal is read, nothing is sent blindly; only where the journal proves that
    the unit never began is it started again.
    """
    script = _start_script(transaction, action) + _wait_script(transaction, action)
    state = State("", "")
    for _ in range(TRIES):
        try:
            state = _read(node.run(script, timeout=transaction.limit + 30).text)
        except (Unreachable, ChangeFailed) as problem:
            state = _outcome(node, transaction, action, clock)
            state = State(state.word, state.output or problem.message)
        if state.word not in _NOT_BEGUN[action]:
            return state
    return state


def _outcome(node: Node, transaction: Transaction, action: str, clock: Clock) -> State:
    """What the node's journal says as soon as the node can be reached again."""

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


def stage(node: Node, transaction: Transaction) -> None:
    """Lay a transaction out on its node, all of it or nothing. Raises ChangeFailed; then nothing was changed."""
    node.run(stage_script(transaction))


def start(node: Node, transaction: Transaction, clock: Clock) -> State:
    """Start a staged transaction and await its last word. Raises ChangeFailed: the node did not come back."""
    return _act(node, transaction, "apply", clock)


def undo(node: Node, transaction: Transaction, clock: Clock) -> State:
    """Take a transaction back on its node. Raises as `start` does."""
    return _act(node, transaction, "undo", clock)


def commit(node: Node, transaction: Transaction, clock: Clock) -> None:
    """Confirm an awaiting transaction; said twice it means the same.

    Raises:
        ChangeFailed: nothing awaits a confirmation, or the node does not come back.
    """
    script = sh("sh {} {} commit\n", f"{transaction.folder}/transaction.sh", transaction.folder)

    def confirmed() -> bool:
        try:
            node.run(script)
        except Unreachable:
            return False
        return True

    if not wait_until(clock, confirmed, timeout=REACHABLE_AGAIN, every=1.0):
        raise ChangeFailed(
            "the node did not come back to be told that the change is confirmed", where=node.name
        )
