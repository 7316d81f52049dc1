"""What became of the hosts of one domain while a play changed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from remediate.engine.plan import pending
from remediate.engine.result import ChangeResult, GateResult, Problem, State
from remediate.errors import RemediateError
from remediate.task.base import Change, Irreversible


@dataclass(slots=True)
class Ledger:
    """Changes, gates and problems; written by the one thread that works on the domain.

    Attributes:
        changes: by host, in the order in which they were made; what was never tried is not in it.
        problems: why a host did not get what it was asked for; the first one counts.
    """

    changes: dict[str, list[ChangeResult]] = field(default_factory=dict)
    gates: list[GateResult] = field(default_factory=list)
    problems: dict[str, Problem] = field(default_factory=dict)

    @property
    def touched(self) -> bool:
        """Whether anything was written on any host."""
        return any(self.changes.values())

    def blame(self, host: str, problem: RemediateError) -> None:
        """Remember why a host was not changed."""
        self.problems.setdefault(host, Problem.of(problem))

    def record(self, host: str, changes: Sequence[Change], word: str) -> tuple[ChangeResult, ...]:
        """Write down how changes ended, by the journal's last word, which replaces an earlier one."""
        results = tuple(pending(change, _state(change, word)) for change in changes)
        again = {result.summary for result in results}
        before = [result for result in self.changes.get(host, []) if result.summary not in again]
        self.changes[host] = [*before, *results]
        return results


def _state(change: Change, word: str) -> State:
    if word == "committed":
        return State.APPLIED
    if word == "undone":
        return State.FAILED if isinstance(change.undo, Irreversible) else State.UNDONE
    return State.HELD
