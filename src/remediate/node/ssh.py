"""Machines reached by SSH: the `Node` of a real run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from remediate.errors import ChangeFailed
from remediate.node.api import DEFAULT_CAP, Completed
from remediate.node.display import shown
from remediate.node.exchange import Exchange
from remediate.node.login import Marks, Sudo, enter, envelope

if TYPE_CHECKING:
    from remediate.node.link import Link


class SshNode:
    """One machine; used by one thread at a time. See `remediate.node.api.Node`."""

    def __init__(self, name: str, link: Link, sudo: Sudo | None = None) -> None:
        self._name, self._link, self._sudo = name, link, sudo
        self._execs = 0

    @property
    def name(self) -> str:
        """The inventory's name of the host."""
        return self._name

    @property
    def execs(self) -> int:
        """Channels opened so far."""
        return self._execs

    def open(self) -> None:
        """Connect now rather than at the first exec. Raises Unreachable."""
        self._link.open()

    def run(
        self, script: str, *, timeout: float = 60, cap: int = DEFAULT_CAP, ok: Collection[int] | None = (0,)
    ) -> Completed:
        """Run a script, all of it or nothing, in one exec; see `Node.run`."""
        with self._exchange(timeout, cap) as exchange:
            exchange.send(envelope(script))
            exchange.end_input()
            return self._accepted(exchange.complete(), ok)

    def follow(
        self, script: str, on_line: Callable[[str], None], *, timeout: float, keepalive: float = 2.0
    ) -> Completed:
        """Run a script and hand over its lines as they come; see `Node.follow`."""
        with self._exchange(timeout, DEFAULT_CAP) as exchange:
            exchange.send(envelope(script))
            lease = _Lease(exchange, on_line, keepalive)
            done = exchange.complete(lease.tick, every=keepalive)
            lease.last()
            return self._accepted(done, (0,))

    def close(self) -> None:
        """Close the connection; the next exec opens it again."""
        self._link.close()

    @contextmanager
    def _exchange(self, timeout: float, cap: int) -> Iterator[Exchange]:
        """A root shell that waits for a script."""
        channel = self._link.channel()
        try:
            self._execs += 1
            marks = Marks()
            exchange = Exchange(channel, self._name, timeout=timeout, cap=cap)
            exchange.start(marks.command(self._sudo))
            enter(exchange, marks, self._sudo, self._name)
            yield exchange
        finally:
            channel.close()

    def _accepted(self, done: Completed, ok: Collection[int] | None) -> Completed:
        if ok is None or done.rc in ok:
            return done
        if done.truncated:
            raise ChangeFailed(
                f"more than {len(done.out) + len(done.err)} bytes of output; cut off", where=self._name
            )
        raise ChangeFailed(f"exit code {done.rc}: {shown(done.err or done.out)}", where=self._name)


class _Lease:
    """What `follow` does between two reads: hand over lines, and tell the node that somebody listens."""

    def __init__(self, exchange: Exchange, on_line: Callable[[str], None], every: float) -> None:
        self._exchange, self._on_line, self._every = exchange, on_line, every
        self._handed, self._renewed = 0, monotonic()

    def tick(self) -> None:
        """Renew the lease where it is time, and hand over the lines that are complete."""
        if monotonic() - self._renewed >= self._every:
            self._exchange.send(b"\n")
            self._renewed = monotonic()
        end = self._exchange.out.rfind(b"\n") + 1
        if end > self._handed:
            self._hand_over(end)

    def last(self) -> None:
        """Hand over what is left, a line without an end included."""
        if len(self._exchange.out) > self._handed:
            self._hand_over(len(self._exchange.out))

    def _hand_over(self, end: int) -> None:
        text = self._exchange.out[self._handed : end].decode("utf-8", "backslashreplace")
        self._handed = end
        for line in text.removesuffix("\n").split("\n"):
            self._on_line(line)
