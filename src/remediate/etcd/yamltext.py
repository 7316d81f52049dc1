"""Edit lists of words inside YAML text, leaving every other byte as it is.

Positions come from PyYAML's marks; the text itself is cut and joined, never written anew, so that comments, order, line
ends and quoting of what is not edited stay.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from remediate.errors import Refused

Splice = tuple[int, int, str]
"""Replace text[start:end] by a text."""


@dataclass(frozen=True, slots=True)
class Item:
    """A scalar in a list.

    Attributes:
        start, end: its place in the text, quotes included.
        style: `'`, `"`, or empty for a plain scalar.
        dash: the place of its `-`; -1 in a flow list.
    """

    value: str
    start: int
    end: int
    style: str
    dash: int


@dataclass(frozen=True, slots=True)
class WordList:
    """A list of scalars in the text: a block list with dashes, or a flow list in brackets."""

    items: tuple[Item, ...]
    flow: bool


def compose(text: str) -> yaml.MappingNode:
    """The document's nodes with their places.

    Raises:
        Refused: it is no YAML mapping, has several documents, or uses anchors, whose text stands elsewhere.
    """
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if anchor := getattr(event, "anchor", None):
                raise Refused(f"it uses a YAML anchor or alias, {anchor}", hint="write it out")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise Refused(f"it is no readable YAML: {_first_line(error)}") from None
    except RecursionError:
        raise Refused("it is no readable YAML: nested too deeply") from None
    if not isinstance(node, yaml.MappingNode):
        raise Refused("it is no YAML mapping")
    return node


def _first_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)


def _at(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}" if node.start_mark else "somewhere"


def child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value of a key, None where it is not there; raises Refused where it stands there twice."""
    if not isinstance(node, yaml.MappingNode):
        return None
    found = [value for name, value in node.value if isinstance(name, yaml.ScalarNode) and name.value == key]
    if len(found) > 1:
        raise Refused(f"the key {key} stands twice, again at {_at(found[1])}")
    return found[0] if found else None


def word_list(text: str, node: yaml.Node) -> WordList:
    """A list's scalars and places; raises Refused where it holds anything else."""
    if not isinstance(node, yaml.SequenceNode):
        raise Refused(f"{_at(node)}: expected a list")
    dashes = [] if node.flow_style else _dashes(text)
    return WordList(tuple(_item(child_node, dashes) for child_node in node.value), bool(node.flow_style))


def _dashes(text: str) -> list[int]:
    tokens = yaml.scan(text, Loader=yaml.SafeLoader)
    return [token.start_mark.index for token in tokens if isinstance(token, yaml.BlockEntryToken)]


def _item(node: yaml.Node, dashes: Sequence[int]) -> Item:
    if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
        raise Refused(f"{_at(node)}: expected a word on one line")
    start = node.start_mark.index
    before = bisect.bisect_right(dashes, start) - 1
    return Item(node.value, start, node.end_mark.index, node.style or "", dashes[before] if dashes else -1)


def scalar(value: str, style: str, *, flow: bool) -> str:
    """A word as YAML text in the wished style, quoted otherwise where that style would not read back the same."""
    if style == "" and _reads_back(value, value, flow):
        return value
    single = "'" + value.replace("'", "''") + "'"
    if style != '"' and _reads_back(single, value, flow):
        return single
    return yaml.dump(
        value, default_style='"', width=10**9, allow_unicode=True, Dumper=yaml.SafeDumper
    ).strip()


def _reads_back(written: str, value: str, flow: bool) -> bool:
    """Tried out in the place where it will stand, a comment behind it included."""
    if len(written.splitlines()) != 1:
        return False
    try:
        return bool(
            yaml.safe_load(f"[x, {written}, y]" if flow else f"- {written} # y\n- y")[1 if flow else 0]
            == value
        )
    except yaml.YAMLError:
        return False


def rewrite(
    text: str, words: WordList, change: Mapping[int, str], drop: Iterable[int], add: Sequence[str]
) -> Iterator[Splice]:
    """The cuts that turn one list into another.

    Args:
        change: new value by index.
        drop: indexes that go.
        add: words behind the last.

    Raises:
        Refused: a comment stands between commas where a word would have to go.
    """
    gone = sorted(set(drop))
    for index, value in change.items():
        item = words.items[index]
        yield item.start, item.end, scalar(value, item.style, flow=words.flow)
    if words.flow:
        yield from _drop_flow(text, words, gone)
        yield from _add_flow(words, gone, add)
    else:
        yield from (_drop_line(text, words.items[index]) for index in gone)
        if add:
            yield _add_lines(text, words.items[-1], add)


def _drop_flow(text: str, words: WordList, gone: Sequence[int]) -> Iterator[Splice]:
    last = len(words.items) - 1
    for first, final in _runs(gone):
        if first > 0:
            start, end = words.items[first - 1].end, words.items[final].end
        elif final < last:
            start, end = words.items[0].start, words.items[final + 1].start
        else:
            start, end = words.items[0].start, words.items[last].end
        bare = "".join(text[a.end : b.start] for a, b in zip(words.items, words.items[1:], strict=False))
        if "#" in bare:
            raise Refused(
                "a comment stands inside a flow list that must be edited", hint="write one word per line"
            )
        yield start, end, ""


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Neighbours together: 1, 2, 5 are (1, 2) and (5, 5)."""
    start = end = -2
    for number in numbers:
        if number != end + 1:
            if end >= 0:
                yield start, end
            start = number
        end = number
    if end >= 0:
        yield start, end


def _add_flow(words: WordList, gone: Sequence[int], add: Sequence[str]) -> Iterator[Splice]:
    if not add:
        return
    last = words.items[-1]
    texts = [scalar(value, last.style, flow=True) for value in add]
    lead = ", " if len(gone) < len(words.items) else ""
    yield last.end, last.end, lead + ", ".join(texts)


def _line(text: str, item: Item) -> tuple[int, int]:
    """Where the lines of a block list's item begin and end, line end included."""
    newline = text.find("\n", item.end)
    return text.rfind("\n", 0, item.dash) + 1, len(text) if newline < 0 else newline + 1


def _drop_line(text: str, item: Item) -> Splice:
    start, end = _line(text, item)
    if end == len(text) and not text.endswith("\n"):
        start -= 2 if text[:start].endswith("\r\n") else 1  # the file goes on to end without a line end
    return start, end, ""


def _add_lines(text: str, last: Item, add: Sequence[str]) -> Splice:
    start, end = _line(text, last)
    gap = text[last.dash + 1 : last.start]
    lead = text[start : last.dash] + "-" + (gap if gap.strip(" ") == "" and gap else " ")
    eol = "\r\n" if "\r\n" in text[max(0, start - 2) : end] else "\n"
    lines = [lead + scalar(value, last.style, flow=False) for value in add]
    if text[:end].endswith("\n"):
        return end, end, "".join(line + eol for line in lines)
    return end, end, "".join(eol + line for line in lines)


def splice(text: str, cuts: Iterable[Splice]) -> str:
    """The text with its cuts, which must not overlap."""
    parts, at = [], 0
    for start, end, new in sorted(cuts, key=lambda cut: (cut[0], cut[1])):
        parts += [text[at:start], new]
        at = max(at, end)
    return "".join([*parts, text[at:]])
