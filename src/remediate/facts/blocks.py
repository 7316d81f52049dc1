"""How probes with several parts print: `@NAME WORDS…` opens a block, its lines follow behind a colon each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """A line `@NAME WORDS…` of a probe, and the lines behind it that start with a colon, without the colon."""

    name: str
    words: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


def blocks(out: str) -> Iterator[Block]:
    """The blocks of a probe's output; other lines are noise of the node and are ignored."""
    name, words, lines = "", (), []  # type: tuple[str, tuple[str, ...], list[str]]
    for line in out.split("\n"):
        if line.startswith(":"):
            lines.append(line[1:])
        elif line.startswith("@"):
            if name:
                yield Block(name, words, tuple(lines))
            name, *rest = line[1:].split(" ")
            words, lines = tuple(rest), []
    if name:
        yield Block(name, words, tuple(lines))


def servers(out: str) -> Iterator[tuple[int, str, tuple[Block, ...]]]:
    """PID, instance and blocks of each server of a probe that prints `@server PID INSTANCE` before its blocks."""
    head: tuple[str, ...] = ()
    found: list[Block] = []
    for block in (*blocks(out), Block("server", (), ())):
        if block.name != "server":
            found.append(block)
            continue
        if len(head) > 1 and head[0].isdecimal():
            yield int(head[0]), " ".join(head[1:]), tuple(found)
        head, found = block.words, []
