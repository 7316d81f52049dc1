"""The real clock; a simulation brings its own (see `remediate.node.api.Clock`)."""

from __future__ import annotations

import time


class SystemClock:
    """Time as the operating system knows it."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let so many seconds go by."""
        time.sleep(max(seconds, 0.0))
