"""A writer that keeps a ledger of every put that etcd acknowledged, and reads it all back afterwards."""

from __future__ import annotations

import base64
import itertools
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Self
from urllib.parse import urlsplit

PATIENCE_S = 2.0
"""Longest time-out of one put. A slow cluster needs it; after the baseline it shrinks to what the cluster needs."""

PAGE = 2000
"""Keys of one answer when they are read back."""


class MemberError(Exception):
    """A member did not acknowledge: it is down, too slow, or refused."""


@dataclass(frozen=True, slots=True)
class Access:
    """How the cluster is reached: client URLs, and the paths of a client certificate for https."""

    endpoints: tuple[str, ...]
    cacert: str | None = None
    cert: str | None = None
    key: str | None = None

    def tls(self) -> ssl.SSLContext | None:
        """A context that checks the members' certificates; None where no CA is given."""
        if not self.cacert:
            return None
        context = ssl.create_default_context(cafile=self.cacert)
        if self.cert:
            context.load_cert_chain(self.cert, self.key)
        return context

    def members(self) -> list[Member]:
        """A connection to each member, opened when it is used first."""
        tls = self.tls()
        return [Member(endpoint, tls) for endpoint in self.endpoints]


class Member:
    """One persistent connection to a member's gateway; for one thread."""

    def __init__(self, url: str, tls: ssl.SSLContext | None) -> None:
        self.url, self._tls = url, tls
        self._connection: HTTPConnection | None = None

    def post(self, path: str, body: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """Ask the gateway; raises MemberError, and the next request opens a new connection."""
        try:
            connection = self._connected(timeout)
            connection.request("POST", f"/v3/{path}", json.dumps(body).encode())
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException) as error:
            self.close()
            raise MemberError(f"{self.url}: {error or type(error).__name__}") from None
        if answer.status != 200:
            raise MemberError(f"{self.url}: {answer.status} {text[:200]!r}")
        value: dict[str, Any] = json.loads(text)
        return value

    def _connected(self, timeout: float) -> HTTPConnection:
        if self._connection is None:
            place = urlsplit(self.url)
            host, port = place.hostname or "", place.port or 2379
            if place.scheme == "https":
                self._connection = HTTPSConnection(host, port, timeout=timeout, context=self._tls)
            else:
                self._connection = HTTPConnection(host, port, timeout=timeout)
        self._connection.timeout = timeout
        if self._connection.sock:
            self._connection.sock.settimeout(timeout)
        return self._connection

    def close(self) -> None:
        """Drop the connection."""
        if self._connection:
            self._connection.close()
        self._connection = None


@dataclass(frozen=True, slots=True)
class Write:
    """An acknowledged put: key, value, monotonic time of the acknowledgement, seconds that it took with all retries."""

    key: str
    value: str
    at: float
    took: float


class Writer:
    """Puts at a fixed rate from threads, and the ledger of what was acknowledged.

    Each thread has its own connection to every member. A put that fails goes to the next member at once, with the
    same key and value, so a retry of a put that did arrive changes nothing.

    Attributes:
        prefix: of all its keys.
        timeout: seconds for one put; may be changed while it writes.
        retries: puts that were not acknowledged at once, roughly (threads count without a lock).
    """

    def __init__(self, access: Access, *, rate: float = 200.0, threads: int = 12) -> None:
        self.prefix = f"write-gap/{secrets.token_hex(6)}/"
        self.timeout = PATIENCE_S
        self.retries = 0
        self._access, self._pause = access, 1 / rate
        self._ledger: list[Write] = []
        self._lock, self._over = threading.Lock(), threading.Event()
        self._numbers, self._due = itertools.count(), time.monotonic()
        self._threads = [threading.Thread(target=self._work, args=(n,), daemon=True) for n in range(threads)]

    def __enter__(self) -> Self:
        """Start writing."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop writing; puts under way get a few seconds to be acknowledged."""
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=5 * PATIENCE_S)

    @property
    def ledger(self) -> list[Write]:
        """What was acknowledged so far, in the order of the acknowledgements."""
        with self._lock:
            return sorted(self._ledger, key=lambda write: write.at)

    def _turn(self) -> tuple[int, float]:
        """The next put's number and when it is due; time that a stall took is not made up for by a burst."""
        with self._lock:
            self._due = max(self._due + self._pause, time.monotonic())
            return next(self._numbers), self._due

    def _work(self, first: int) -> None:
        members = self._access.members()
        home = first % len(members)
        while not self._over.is_set():
            number, due = self._turn()
            time.sleep(max(0.0, due - time.monotonic()))
            home = self._put(f"{self.prefix}{number:09d}", secrets.token_hex(8), members, home)
        for member in members:
            member.close()

    def _put(self, key: str, value: str, members: Sequence[Member], home: int) -> int:
        """Put until acknowledged; returns the member that did, which is asked first the next time."""
        began, body = time.monotonic(), {"key": _base64(key), "value": _base64(value)}
        for attempt in itertools.count():
            turn = (home + attempt) % len(members)
            try:
                members[turn].post("kv/put", body, self.timeout)
            except MemberError:
                self.retries += 1
                if self._over.is_set():
                    return turn
                if turn == (home - 1) % len(members):  # nobody answers: do not spin
                    time.sleep(0.01)
                continue
            now = time.monotonic()
            with self._lock:
                self._ledger.append(Write(key, value, now, now - began))
            return turn
        raise AssertionError("itertools.count() ends never")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Acknowledged keys that a member does not hold with their value, and members that could not be read."""

    lost: dict[str, list[str]]
    unread: dict[str, str]

    @property
    def clean(self) -> bool:
        """Every member holds everything."""
        return not self.lost and not self.unread


def verify(access: Access, prefix: str, ledger: Sequence[Write], *, patience: float = 60.0) -> Verdict:
    """Read every acknowledged write back from every member, linearizably.

    Args:
        access, prefix, ledger: the writer's.
        patience: seconds that a member gets to answer.
    """
    lost, unread = {}, {}
    for member in access.members():
        try:
            held = _patiently(lambda member=member: dict(_range(member, prefix)), patience)  # type: ignore[misc]
        except MemberError as error:
            unread[member.url] = str(error)
            continue
        finally:
            member.close()
        missing = [write.key for write in ledger if held.get(write.key) != write.value]
        if missing:
            lost[member.url] = missing
    return Verdict(lost, unread)


def erase(access: Access, prefix: str) -> None:
    """Delete what was written; raises MemberError where no member does it."""
    body = {"key": _base64(prefix), "range_end": _base64(_behind(prefix))}
    for member in access.members():
        try:
            member.post("kv/deleterange", body, 30)
            return
        except MemberError:
            continue
        finally:
            member.close()
    raise MemberError(f"no member deletes {prefix}")


def _patiently(ask: Callable[[], dict[str, str]], patience: float) -> dict[str, str]:
    until = time.monotonic() + patience
    while True:
        try:
            return ask()
        except MemberError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def _range(member: Member, prefix: str) -> Iterator[tuple[str, str]]:
    start, more = prefix, True
    while more:
        body = {"key": _base64(start), "range_end": _base64(_behind(prefix)), "limit": PAGE}
        answer = member.post("kv/range", body, 30)
        for row in answer.get("kvs", ()):
            start = base64.b64decode(row["key"]).decode()
            yield start, base64.b64decode(row.get("value", "")).decode()
        start, more = start + "\0", bool(answer.get("more"))


def _behind(prefix: str) -> str:
    """The first key behind all that start with the prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
