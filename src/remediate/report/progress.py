"""What goes on right now: a status line on a terminal, dated lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from remediate.report.paper import Paper
from remediate.report.text import Line, Span, line

REPEAT_S: Final = 10.0
"""Seconds after which the same measurement is worth another line in a file."""


class Progress:
    """Tells long work on one paper; not locked by itself.

    Attributes:
        muted: the status line is left alone, because a person may be asked something.
    """

    def __init__(self, paper: Paper, now: Callable[[], float] = time.time) -> None:
        self._paper, self._now = paper, now
        self._told: dict[str, float] = {}
        self.muted = False

    def log(self, text: str, role: str = "") -> None:
        """A line that stays."""
        self._paper.write([self._dated(text, role)])

    def going(self, topic: str, text: str) -> None:
        """Something goes on: in the status line, or without one a line at first and then every ten seconds."""
        if self.muted and self._paper.width is not None:
            return
        if self._paper.live:
            self._paper.status(text)
            return
        now = self._now()
        if now - self._told.get(topic, float("-inf")) >= REPEAT_S:
            self._told[topic] = now
            self.log(text)

    def still(self) -> None:
        """Nothing goes on."""
        self._paper.status("")

    def _dated(self, text: str, role: str) -> Line:
        clock = time.strftime("%H:%M:%S", time.localtime(self._now()))
        return line(Span(f"{clock} ", "dim"), Span(text, role))
