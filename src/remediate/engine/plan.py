"""What a play wants of a host: its tasks planned on facts, folded into changes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from remediate.engine.fold import Phase, Wish, fold
from remediate.engine.result import ChangeResult, NoopResult, State
from remediate.errors import Refused
from remediate.facts.base import Fact, FactError, Seen
from remediate.playbook import TaskCall
from remediate.task.base import Change, Disrupts, Noop, Task


@dataclass(frozen=True, slots=True)
class Intent:
    """What is still to be done on one host.

    Attributes:
        phases: changes by phase; none where the host is as wished.
        noops: tasks without anything to do, and why.
    """

    host: str
    phases: tuple[Phase, ...]
    noops: tuple[NoopResult, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes, in order."""
        return tuple(change for phase in self.phases for change in phase)

    @property
    def keys(self) -> frozenset[tuple[Hashable, Hashable]]:
        """What a person approves by approving this."""
        return frozenset(key for change in self.changes for key in change.keys)

    @property
    def disrupts(self) -> bool:
        """Whether a member stands still meanwhile."""
        return any(change.disrupts is not Disrupts.NOTHING for change in self.changes)


def tasks_of(calls: Sequence[TaskCall], variables: Mapping[str, Any]) -> list[tuple[TaskCall, list[Task]]]:
    """Every call with its typed tasks, loops expanded; none where variables alone make `when` false.

    Raises UsageProblem for undefined variables and wrong types.
    """
    return [(one, one.resolve(variables)) for call in calls for one in call.expand(variables)]


def facts_of(calls: Sequence[TaskCall], variables: Mapping[str, Any]) -> tuple[Fact[Any], ...]:
    """What the tasks must know, each fact once, in order."""
    wanted = [fact for _, tasks in tasks_of(calls, variables) for task in tasks for fact in task.facts()]
    return tuple(dict.fromkeys(wanted))


def guard(calls: Sequence[TaskCall], variables: Mapping[str, Any]) -> None:
    """Let every task without a condition refuse by the inventory's words alone, before any contact. Raises Refused."""
    for call, tasks in tasks_of(calls, variables):
        if not call.conditional:
            for task in tasks:
                task.guard(variables)


def plan_host(
    calls: Sequence[TaskCall], variables: Mapping[str, Any], seen: Seen, findings: Collection[str]
) -> Intent:
    """Plan all tasks of a play on one host.

    Raises:
        Refused: a guard says no, or a needed fact is unknown.
        UsageProblem: two tasks want different values for one resource, or a variable is undefined.
    """
    wishes: list[Wish] = []
    noops: list[NoopResult] = []
    for call, tasks in tasks_of(calls, variables):
        if not tasks or not call.wanted(variables, findings, seen):
            noops.append(NoopResult(call.name, "its `when` is not true"))
            continue
        for item in _items(call, tasks, variables, seen):
            if isinstance(item, Noop):
                noops.append(NoopResult(call.name, item.why))
            else:
                wishes.append(Wish(call.name, item))
    return Intent(seen.host, fold(seen.host, wishes, seen), tuple(noops))


def _items(call: TaskCall, tasks: Sequence[Task], variables: Mapping[str, Any], seen: Seen) -> Iterator[Any]:
    for task in tasks:
        task.guard(variables)
        try:
            yield from task.plan(seen)
        except FactError as problem:
            raise Refused(f"«{call.name}» cannot be planned: {problem}", where=seen.host) from None


def pending(change: Change, state: State = State.PENDING) -> ChangeResult:
    """How results and reports show a change."""
    return ChangeResult(", ".join(change.tasks), change.summary, state, change.diff, change.disrupts)
