"""Scripts that ask something of a running etcd on its own node; private keys never leave it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from remediate.node.shell import sh


def library() -> str:
    """The prelude's way to etcd, and the actions on top of it."""
    prelude = files("remediate.facts").joinpath("prelude")
    pieces = [prelude.joinpath(name).read_text("utf-8") for name in ("etcd.sh", "etcdctl.sh")]
    return "\n".join([*pieces, files("remediate.etcd").joinpath("actions.sh").read_text("utf-8")])


def wait_library() -> str:
    """Only the actions: waiting for a command line needs nothing else."""
    return files("remediate.etcd").joinpath("actions.sh").read_text("utf-8")


def move_leader(instance: str, member_id: int) -> str:
    """Hand the leadership of this node's leader to a member; the ID is exact in both notations (LAB-NOTES)."""
    return library() + sh(
        "act_on {} || exit 1\nact_hex={} act_dec={}\nact_try act_move_leader\n",
        instance,
        f"{member_id:x}",
        member_id,
    )


def defragment(instance: str, seconds: int) -> str:
    """Defragment one server; after a time-out wait until it works again, and never ask a second time (SAFETY)."""
    return sh(
        "act_on {} || exit 1\nact_seconds={}\n"
        "act_try act_defragment || echo 'the client gave up; waiting for the server to finish' >&2\n"
        "act_until_back {} || {{ echo 'the server did not come back' >&2; exit 1; }}\n",
        instance,
        seconds,
        seconds * 2,
    )


def disarm(instance: str, members: Sequence[int]) -> str:
    """Disarm NOSPACE of these members and prove that a write works."""
    return sh(
        "act_on {} || exit 1\nact_members={}\nact_try act_disarm && act_try act_prove_write\n",
        instance,
        " ".join(map(str, members)),
    )


def wait_for_args(
    old: tuple[int, int], seconds: int, wanted: tuple[str, ...], unwanted: tuple[str, ...]
) -> str:
    """Wait for a new process with these words on its command line.

    Args:
        old: PID and start ticks of the process to be replaced; (0, 0) where there is none.
        seconds: how long.
        wanted: words that must be there; words of one argument pair are joined by a newline.
        unwanted: flag names that must not be there.
    """
    return _wait("cmdline", "", old, seconds, wanted, tuple(f"--{name}" for name in unwanted))


def wait_for_variables(
    unit: str, old: tuple[int, int], seconds: int, wanted: tuple[str, ...], unwanted: tuple[str, ...]
) -> str:
    """Wait for a new process of a systemd unit with these variables in its environment; see `wait_for_args`.

    Args:
        unit: `etcd.service`.
        old, seconds: as there.
        wanted: `NAME=value`, which must be there.
        unwanted: names of variables that must not be there.
    """
    return _wait("environ", unit, old, seconds, wanted, unwanted)


def _wait(
    file: str, unit: str, old: tuple[int, int], seconds: int, wanted: Sequence[str], unwanted: Sequence[str]
) -> str:
    words = [*wanted, "--", *unwanted]
    fields = " {}" * (5 + len(words))
    return sh(f"act_wait{fields}\n", file, unit, *old, seconds, *words)
