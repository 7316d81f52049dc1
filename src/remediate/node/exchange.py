"""One exec on one SSH channel, without a terminal: input, output, deadline and cap."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from enum import Enum
from threading import Timer

import paramiko

from remediate.errors import ChangeFailed, Unreachable
from remediate.node.api import Completed
from remediate.node.display import shown

CHUNK = 64 * 1024
"""Bytes taken from the channel at once."""

LINGER = 1.0
"""Seconds of silence after the exit code that end an exec whose output a process left behind holds open."""


class Got(Enum):
    """What a read brought."""

    OUTPUT = "output"
    NOTHING = "nothing"
    END = "end"


class Exchange:
    """The controller's side of one exec.

    Attributes:
        out: standard output so far.
        err: standard error so far.
    """

    def __init__(self, channel: paramiko.Channel, host: str, *, timeout: float, cap: int) -> None:
        self._channel, self._host, self._cap, self._timeout = channel, host, cap, timeout
        self._began = time.monotonic()
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)
        self.out, self.err = bytearray(), bytearray()

    @property
    def full(self) -> bool:
        """The cap is reached."""
        return len(self.out) + len(self.err) >= self._cap

    def start(self, command: str) -> None:
        """Ask sshd for a command.

        Raises:
            Unreachable: sshd did not start it.
        """
        # paramiko itself waits for sshd's answer without an end.
        watchdog = Timer(self._left(), self._channel.close)
        watchdog.daemon = True
        watchdog.start()
        try:
            self._channel.exec_command(command)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise Unreachable(f"sshd started no command: {shown(str(error))}", where=self._host) from None
        finally:
            watchdog.cancel()

    def send(self, data: bytes) -> None:
        """Give input to the node; a command that has ended already is no error here, its exit code says why.

        Raises:
            Unreachable: the connection broke.
            ChangeFailed: the node does not read, and the time is over.
        """
        self._channel.settimeout(self._left())
        try:
            self._channel.sendall(data)
        except TimeoutError:
            raise self._overdue() from None
        except OSError:
            self._require_connection()

    def end_input(self) -> None:
        """Tell the node that no more input comes."""
        try:
            self._channel.shutdown_write()
        except (OSError, EOFError):
            self._require_connection()

    def read(self, wait: float) -> Got:
        """Take output that is there, or that comes within `wait` seconds.

        Raises:
            Unreachable: the connection broke.
            ChangeFailed: the exec's time is over.
        """
        if not self._poll.poll(min(wait, self._left()) * 1000):
            return Got.NOTHING
        if self._channel.recv_ready():
            self.out += self._channel.recv(CHUNK)
        elif self._channel.recv_stderr_ready():
            self.err += self._channel.recv_stderr(CHUNK)
        else:  # the poll answers without data only at the end of both streams
            self._require_connection()
            return Got.END
        return Got.OUTPUT

    def complete(self, tick: Callable[[], None] | None = None, every: float = LINGER) -> Completed:
        """Read until the end, or until the cap is reached.

        Args:
            tick: called after each portion of output, and at least every `every` seconds.
            every: seconds.

        Raises:
            Unreachable: the connection broke; whether the command ended is unknown.
            ChangeFailed: the exec's time is over.
        """
        while not self.full:
            got = self.read(every)
            if got is Got.END or (got is Got.NOTHING and self._channel.exit_status_ready()):
                break
            if tick:
                tick()
        return self._completed(tick, every)

    def _completed(self, tick: Callable[[], None] | None, every: float) -> Completed:
        while not self.full and not self._channel.status_event.wait(min(every, self._left())):
            if tick:  # output is closed, but the command still runs
                tick()
        if not self.full:
            self._require_connection()
        return Completed(
            rc=-1 if self.full else self._channel.exit_status,
            out=bytes(self.out),
            err=bytes(self.err),
            seconds=time.monotonic() - self._began,
            truncated=self.full,
        )

    def _left(self) -> float:
        left = self._timeout - (time.monotonic() - self._began)
        if left <= 0:
            raise self._overdue()
        return left

    def _overdue(self) -> ChangeFailed:
        return ChangeFailed(
            f"no end after {self._timeout:g} s; the channel was closed, the command may still run there",
            where=self._host,
        )

    def _require_connection(self) -> None:
        """Where the connection is gone, only an exit code and the end of the output say that all of it came."""
        ended = self._channel.exit_status != -1 and self._channel.eof_received
        if not ended and not self._channel.get_transport().is_active():
            raise Unreachable(
                "the connection broke while a command ran; its outcome is unknown",
                where=self._host,
                hint="look again before anything is repeated",
            )
