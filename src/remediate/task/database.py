"""Operations on an etcd database: defragment it, and disarm the NOSPACE alarm."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from remediate.etcd import actions
from remediate.facts.base import Seen
from remediate.node.shell import sh
from remediate.task.base import Change, Disrupts, Irreversible, Operation

LIBRARY = "etcd.sh"
"""Name of the staged file with the ways to etcd; it is not written for `sh -eu`."""


def _script(body: str) -> str:
    return f'set +eu\n. "$STAGE/{LIBRARY}"\n{body}'


@dataclass(frozen=True, slots=True)
class Defragment(Operation):
    """Give a member's free space back to its file system.

    Attributes:
        seconds: what the client waits for at most.
        figures: size and fragmentation, for people.
    """

    instance: str
    seconds: int
    hand_over: bool
    figures: str

    @property
    def resource(self) -> Hashable:
        """The database of one instance."""
        return ("database", self.instance)

    @property
    def value(self) -> Hashable:
        """There is only one way to defragment; figures move and are not what is approved."""
        return ("defragmented", self.hand_over)

    @property
    def target(self) -> Hashable:
        """Once per instance."""
        return self.resource

    def describe(self) -> str:
        """`defragment etcd (812 MiB, 61 % free)`."""
        return f"defragment {self.instance} ({self.figures})"

    @classmethod
    def compile(cls, operations: Sequence[Defragment], seen: Seen) -> Change:  # noqa: ARG003
        """The member stands still while it works, so it counts as disrupted."""
        (operation,) = operations
        check = _script(sh("act_on {} || r_moved 'etcd does not run any more'\n", operation.instance))
        return Change(
            target=operation.target,
            summary=operation.describe(),
            check=check,
            apply=_script(actions.defragment(operation.instance, operation.seconds)),
            undo=Irreversible("a defragmentation cannot be undone; no data is touched by it"),
            files={LIBRARY: actions.library().encode()},
            disrupts=Disrupts.BLOCK,
            instance=operation.instance,
            hand_over=operation.hand_over,
            estimate=operation.seconds * 3.0 + 30,
        )


@dataclass(frozen=True, slots=True)
class Disarm(Operation):
    """Disarm NOSPACE once every member is below its quota, and prove that a write works.

    Attributes:
        members: IDs of all members that raised it: as long as one of them has, nobody can write.
    """

    instance: str
    members: tuple[int, ...]

    @property
    def resource(self) -> Hashable:
        """The alarm of a whole cluster."""
        return ("alarm", self.instance, "NOSPACE")

    @property
    def value(self) -> Hashable:
        """Gone; on whichever members it is by then."""
        return "disarmed"

    @property
    def target(self) -> Hashable:
        """Once per cluster."""
        return self.resource

    def describe(self) -> str:
        """`disarm NOSPACE of 8211f1d0f64f3269 and prove a write`."""
        return f"disarm NOSPACE of {', '.join(f'{member:x}' for member in self.members)} and prove a write"

    @classmethod
    def split(cls, operations: Sequence[Disarm], seen: Seen) -> Sequence[Sequence[Disarm]]:  # noqa: ARG003
        """Only after every member was defragmented: a barrier lies between (etcd#9992)."""
        return ((), operations)

    @classmethod
    def compile(cls, operations: Sequence[Disarm], seen: Seen) -> Change:  # noqa: ARG003
        """Nothing is disrupted."""
        (operation,) = operations
        return Change(
            target=operation.target,
            summary=operation.describe(),
            check="",
            apply=_script(actions.disarm(operation.instance, operation.members)),
            undo=Irreversible("an alarm is raised by etcd itself, when the quota is reached again"),
            files={LIBRARY: actions.library().encode()},
            estimate=60,
        )
