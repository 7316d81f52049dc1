"""Fold the operations of one host: one value per resource, one change per target, phases in order. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from remediate.errors import UsageProblem
from remediate.facts.base import Seen
from remediate.task.base import Change, Operation

Phase = tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """An operation and the name of the task that wants it."""

    task: str
    operation: Operation


def agreed(host: str, wishes: Iterable[Wish]) -> dict[Hashable, list[Wish]]:
    """Wishes by resource, in order.

    Raises:
        UsageProblem: two tasks want different values for one resource.
    """
    found: dict[Hashable, list[Wish]] = {}
    for wish in wishes:
        same = found.setdefault(wish.operation.resource, [])
        if same and same[0].operation.value != wish.operation.value:
            raise UsageProblem(
                f"two tasks want different values: «{same[0].task}» wants {same[0].operation.describe()}, "
                f"«{wish.task}» wants {wish.operation.describe()}",
                where=host,
                hint="keep one of them, or let their `when` exclude each other",
            )
        same.append(wish)
    return found


def fold(host: str, wishes: Sequence[Wish], seen: Seen) -> tuple[Phase, ...]:
    """Turn the wishes of one host into changes, by phase; a phase may be empty where only later ones have work.

    Raises:
        UsageProblem: two tasks want different values for one resource.
        Refused: a guard of an operation says no.
    """
    by_target: dict[Hashable, list[list[Wish]]] = {}
    for same in agreed(host, wishes).values():
        by_target.setdefault(same[0].operation.target, []).append(same)
    phases: list[list[Change]] = []
    for group in by_target.values():
        for number, change in _compile(group, seen):
            phases.extend([] for _ in range(number + 1 - len(phases)))
            phases[number].append(change)
    return tuple(tuple(phase) for phase in phases)


def _compile(group: Sequence[Sequence[Wish]], seen: Seen) -> Iterable[tuple[int, Change]]:
    """The changes of one target with their phases; each is compiled on what the one before leaves behind."""
    operations = [same[0].operation for same in group]
    tasks: Mapping[Hashable, list[str]] = {
        same[0].operation.resource: [wish.task for wish in same] for same in group
    }
    kind = type(operations[0])
    for number, part in enumerate(kind.split(operations, seen)):
        if not part:
            continue
        change = kind.compile(part, seen)
        names = dict.fromkeys(name for operation in part for name in tasks[operation.resource])
        yield number, replace(change, tasks=tuple(names), keys=frozenset(operation.key for operation in part))
        seen = seen.merged(Seen(seen.host, change.predicts))
