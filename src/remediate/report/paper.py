"""Where lines are written to: a plain stream, or a terminal with colours and a status line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol, TextIO

from remediate.report.text import Line, plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

Clean = Callable[[str], str]
"""Cuts out secrets and escapes control characters; everything that is written passes through it."""

STYLES = {
    "critical": "bold red",
    "warning": "yellow",
    "info": "cyan",
    "added": "green",
    "removed": "red",
    "range": "cyan",
    "good": "green",
    "bad": "bold red",
    "heading": "bold",
    "dim": "dim",
}


class Paper(Protocol):
    """Something that lines are written to."""

    @property
    def width(self) -> int | None:
        """Columns, or None where lines are not wrapped."""
        ...

    @property
    def live(self) -> bool:
        """Whether it has a status line."""
        ...

    def write(self, lines: Iterable[Line]) -> None:
        """Write lines for good."""
        ...

    def status(self, text: str) -> None:
        """Show what is going on; empty text shows nothing."""
        ...


class PlainPaper:
    """A file or a pipe: no colours, no wrapping, no status line."""

    width = None
    live = False

    def __init__(self, stream: TextIO, clean: Clean) -> None:
        self._stream, self._clean = stream, clean

    def write(self, lines: Iterable[Line]) -> None:
        """Write lines for good."""
        self._stream.writelines(self._clean(plain(pieces)) + "\n" for pieces in lines)
        self._stream.flush()

    def status(self, text: str) -> None:
        """A file has no status line."""


class TerminalPaper:
    """A terminal: colours by role, and a status line that gives way to what is written.

    With `NO_COLOR` set it is sent text alone: no bold, and no status line, which moves the cursor.
    """

    def __init__(self, stream: TextIO, clean: Clean, width: int | None = None) -> None:
        from rich.console import Console

        self._console: Console = Console(file=stream, highlight=False, markup=False, emoji=False, width=width)
        self.live = not self._console.no_color
        self._clean = clean
        self._status: Status | None = None

    @property
    def width(self) -> int | None:
        """Columns of the terminal."""
        return self._console.width

    def write(self, lines: Iterable[Line]) -> None:
        """Write lines for good; the terminal itself breaks what is longer than it is wide."""
        from rich.text import Text

        self.status("")
        for pieces in lines:
            styles = STYLES if self.live else {}
            styled = ((self._clean(piece.text), styles.get(piece.role, "")) for piece in pieces)
            self._console.print(Text.assemble(*styled), soft_wrap=True)

    def status(self, text: str) -> None:
        """Show what is going on; empty text shows nothing."""
        from rich.text import Text

        if not text:
            if self._status:
                self._status.stop()
            self._status = None
        elif self._status:
            self._status.update(Text(self._clean(text)))
        else:
            self._status = self._console.status(Text(self._clean(text)))
            self._status.start()


def paper(stream: TextIO, clean: Clean) -> Paper:
    """The right paper for a stream."""
    return TerminalPaper(stream, clean) if stream.isatty() else PlainPaper(stream, clean)
