"""The small protocols through which everything above reaches machines, time and chance."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

DEFAULT_CAP = 4 * 1024 * 1024
"""Bytes of output accepted from one exec; a host that sends more is cut off (SAFETY, security case 12)."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What one exec on a node left behind.

    Attributes:
        rc: exit code; -1 where the node closed the channel without one.
        out: standard output, at most the cap.
        err: standard error, at most the cap.
        seconds: wall time seen by the controller.
        truncated: the cap was reached and the channel closed.
    """

    rc: int
    out: bytes
    err: bytes
    seconds: float
    truncated: bool = False

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are no UTF-8 are shown escaped, never raised."""
        return self.out.decode("utf-8", "backslashreplace")


class Node(Protocol):
    """One machine, reached as root (by login or by sudo)."""

    @property
    def name(self) -> str:
        """The inventory's name of the host."""
        ...

    @property
    def execs(self) -> int:
        """How many channels were opened so far: the cost that benchmarks and tests count."""
        ...

    def run(
        self, script: str, *, timeout: float = 60, cap: int = DEFAULT_CAP, ok: Collection[int] | None = (0,)
    ) -> Completed:
        """Run a POSIX sh script, all of it or nothing, in one exec.

        Args:
            script: the text; it travels on standard input, so its size is not limited by the kernel.
            timeout: seconds until the channel is closed.
            cap: bytes of output accepted.
            ok: accepted exit codes; None accepts every one.

        Raises:
            Unreachable: no connection, wrong host key, or the channel broke (the outcome is then unknown).
            Refused: sudo's password is missing or wrong.
            ChangeFailed: the exit code is not accepted, or the time is over.
        """
        ...

    def follow(
        self, script: str, on_line: Callable[[str], None], *, timeout: float, keepalive: float = 2.0
    ) -> Completed:
        """Run a script, hand over each line of its output as it comes, and send it a newline every `keepalive` seconds.

        The newlines are the lease of an activity: when they stop, the node stops the load. Raises as `run` does.
        """
        ...

    def close(self) -> None:
        """Close the connection; harmless when it is closed already."""
        ...


class Clock(Protocol):
    """Time as the engine knows it; a simulation brings its own."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let so many seconds go by."""
        ...
