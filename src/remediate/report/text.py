"""Lines of text with roles: made once, then written plainly to a file or in colour to a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line; `role` says what it is (`critical`, `added`, `dim`), never how it looks."""

    text: str
    role: str = ""


Line = tuple[Span, ...]
Cell = Span | str

EMPTY: Line = ()


def line(*cells: Cell) -> Line:
    """A line of pieces."""
    return tuple(cell if isinstance(cell, Span) else Span(cell) for cell in cells)


def plain(pieces: Line) -> str:
    """A line without its roles."""
    return "".join(piece.text for piece in pieces).rstrip()


def paragraph(first: Line, text: str, width: int | None, role: str = "") -> Iterator[Line]:
    """Text behind a heading, wrapped below itself; not wrapped where the width is None.

    Args:
        first: what stands before the text's first line; the further lines are indented by as much.
        width: columns of the terminal.
    """
    indent = sum(len(piece.text) for piece in first)
    room = max(12, width - indent) if width else 10**6
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    yield (*first, Span(lines[0], role))
    yield from (line(" " * indent, Span(more, role)) for more in lines[1:])


def table(rows: Sequence[Sequence[Cell]], width: int | None, indent: int = 2) -> Iterator[Line]:
    """Rows with their columns aligned to the left, two spaces apart; the last column is wrapped to the width."""
    cells = [line(*row) for row in rows]
    widths = [max(len(cell.text) for cell in column) + 2 for column in zip(*cells, strict=True)]
    for *row, last in cells:
        padded = (Span(cell.text.ljust(room), cell.role) for cell, room in zip(row, widths, strict=False))
        yield from paragraph((Span(" " * indent), *padded), last.text, width, last.role)


def joined(names: Iterable[str]) -> str:
    """`n1, n2, n3`."""
    return ", ".join(names)


def named(hosts: Sequence[str]) -> str:
    """Hosts by name while they are few, else how many."""
    return joined(hosts) if len(hosts) <= 5 else counted_of(len(hosts), "host")


def seconds(value: float) -> str:
    """A duration for people: `0.4 s`, `60 s`, `3 min 5 s`."""
    if value < 10:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 2:
        return f"{round(value)} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def counted_of(number: int, what: str) -> str:
    """`1 host`, `3 hosts`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
