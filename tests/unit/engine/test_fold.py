"""One value per resource, one change per target, phases in order."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import pytest

from remediate.engine.fold import Wish, fold
from remediate.errors import UsageProblem
from remediate.facts.base import Fact, Seen
from remediate.task.base import Change, Operation


@dataclass(frozen=True)
class Text(Fact[str]):
    """What the file holds; never probed here."""


@dataclass(frozen=True)
class Letter(Operation):
    """Append a letter to the text; letters in capitals wait for the second phase."""

    file: str
    letter: str
    times: int = 1

    @property
    def resource(self) -> Hashable:
        return (self.file, self.letter)

    @property
    def value(self) -> Hashable:
        return self.times

    @property
    def target(self) -> Hashable:
        return self.file

    def describe(self) -> str:
        return f"{self.letter} × {self.times}"

    @classmethod
    def split(cls, operations: Sequence[Letter], seen: Seen) -> Sequence[Sequence[Letter]]:  # noqa: ARG003
        late = tuple(o for o in operations if o.letter.isupper())
        return (tuple(o for o in operations if o not in late), late) if late else (operations,)

    @classmethod
    def compile(cls, operations: Sequence[Letter], seen: Seen) -> Change:
        text = seen[Text()] + "".join(o.letter * o.times for o in operations)
        return Change(operations[0].target, text, "", "", "", predicts={Text(): text})


def seen() -> Seen:
    return Seen("n1", {Text(): "-"})


def test_operations_on_one_target_become_one_change_and_equal_wishes_one() -> None:
    phases = fold(
        "n1",
        [Wish("t1", Letter("f", "a")), Wish("t2", Letter("f", "b")), Wish("t3", Letter("f", "a"))],
        seen(),
    )
    (change,) = phases[0]
    assert change.summary == "-ab"
    assert change.tasks == ("t1", "t3", "t2")
    assert change.keys == {(("f", "a"), 1), (("f", "b"), 1)}


def test_two_targets_are_two_changes_of_one_phase() -> None:
    (phase,) = fold("n1", [Wish("t", Letter("f", "a")), Wish("t", Letter("g", "a"))], seen())
    assert [change.target for change in phase] == ["f", "g"]


def test_different_values_are_refused_and_both_tasks_named() -> None:
    with pytest.raises(
        UsageProblem, match=r"n1: two tasks want different values: «one» .*a × 1.*«two» .*a × 2"
    ) as raised:
        fold("n1", [Wish("one", Letter("f", "a")), Wish("two", Letter("f", "a", 2))], seen())
    assert raised.value.exit_code == 2


def test_a_later_phase_is_compiled_on_what_the_earlier_one_leaves() -> None:
    first, second = fold("n1", [Wish("t", Letter("f", "B")), Wish("t", Letter("f", "a"))], seen())
    assert (first[0].summary, second[0].summary) == ("-a", "-aB")
    assert second[0].keys == {(("f", "B"), 1)}


def test_work_that_waits_for_the_second_phase_leaves_the_first_one_empty() -> None:
    first, second = fold("n1", [Wish("t", Letter("f", "B"))], seen())
    assert first == ()
    assert len(second) == 1
