"""Set and remove flags in lists of words, whatever file they stand in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from remediate.errors import Refused
from remediate.etcd.flags import takes_next
from remediate.etcd.yamltext import Splice, WordList, rewrite, splice

Spot = tuple[int, int]
"""Which list, and which of its words."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A flag among the words.

    Attributes:
        word: the word with the name, `--name` or `--name=value`.
        at: its spot.
        value_at: the spot of the value, where that is a word of its own.
    """

    name: str
    value: str
    word: str
    at: Spot
    value_at: Spot | None

    def changed(self, value: str) -> tuple[Spot, str]:
        """The spot to be written, and what it becomes."""
        if self.value_at:
            return self.value_at, value
        return self.at, f"{self.word.partition('=')[0]}={value}"


@dataclass(slots=True)
class _Edit:
    """What happens to one list."""

    change: dict[int, str] = field(default_factory=dict)
    drop: set[int] = field(default_factory=set)
    add: list[str] = field(default_factory=list)


def edit_words(
    text: str,
    lists: Sequence[WordList],
    wishes: Mapping[str, str],
    remove: Collection[str],
    *,
    program: bool = False,
    alone: bool = False,
    dashes: str = "--",
) -> str:
    """The text with flags set and removed in lists that make one command line together.

    Args:
        text: what the lists stand in.
        lists: in the order of the command line.
        wishes: values by flag name without dashes.
        remove: flag names without dashes.
        program: the first word is the program.
        alone: every word is a whole flag, as in `etcd-arg`.
        dashes: how a new flag begins.

    Raises:
        Refused: there is no list to write to, or something else stands in the way.
    """
    if not lists:
        raise Refused("it has no list of flags that could be edited")
    places = list(_places(lists, program, alone))
    edits = _edits(lists, places, wishes, remove)
    known = {place.name for place in places}
    home = places[-1].at[0] if places else len(lists) - 1
    edits[home].add = [f"{dashes}{name}={value}" for name, value in wishes.items() if name not in known]
    cuts: list[Splice] = []
    for words, one in zip(lists, edits, strict=True):
        cuts += rewrite(text, words, one.change, one.drop, one.add)
    return splice(text, cuts)


def _edits(
    lists: Sequence[WordList], places: Sequence[_Place], wishes: Mapping[str, str], remove: Collection[str]
) -> list[_Edit]:
    """Of a repeated flag the last wins (FIELD-NOTES), so the last place stays."""
    edits = [_Edit() for _ in lists]
    last = {place.name: place for place in places}
    for place in places:
        if place.name in remove or (place.name in wishes and last[place.name] is not place):
            for spot in (place.at, place.value_at):
                if spot:
                    edits[spot[0]].drop.add(spot[1])
        elif place.name in wishes and place.value != wishes[place.name]:
            (which, index), word = place.changed(wishes[place.name])
            edits[which].change[index] = word
    return edits


def _places(lists: Sequence[WordList], program: bool, alone: bool) -> Iterator[_Place]:
    """The flags, read as etcd reads them: nothing behind the first word that is no flag."""
    left = [
        ((which, index), item.value)
        for which, words in enumerate(lists)
        for index, item in enumerate(words.items)
    ][1 if program else 0 :]
    while left:
        at, word = left.pop(0)
        if not alone and not word.startswith("-"):
            return
        name, has_value, value = word.lstrip("-").partition("=")
        value_at = None
        if not has_value:
            value = "true"
            if not alone and takes_next(name, [following for _, following in left[:1]]):
                value_at, value = left.pop(0)
        yield _Place(name, value, word, at, value_at)
