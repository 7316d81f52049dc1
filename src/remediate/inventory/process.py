"""Running a program on this machine with a deadline and a cap on what it may print."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import IO

_CHUNK = 65_536


class TooMuchOutputError(Exception):
    """The program printed more than was allowed, and was killed."""


def run_capped(
    argv: Sequence[str | os.PathLike[str]], *, deadline: float, cap: int
) -> tuple[int, bytes, bytes]:
    """Run a program without input, in a session of its own.

    Args:
        argv: the program and its arguments; no shell is involved.
        deadline: the monotonic time at which it and everything that it started is killed.
        cap: bytes accepted on its standard output, and on its standard error.

    Returns:
        Exit code, standard output, standard error.

    Raises:
        OSError: it cannot be started.
        TimeoutError: the deadline has passed.
        TooMuchOutputError: the cap was reached.
    """
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout and process.stderr  # noqa: S101 - both are pipes
            out, err = _drain((process.stdout, process.stderr), deadline, cap)
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise TimeoutError from None
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return code, out, err


def _drain(pipes: Sequence[IO[bytes]], deadline: float, cap: int) -> list[bytes]:
    """Read all pipes to their ends, whichever of them has something."""
    found = {pipe.fileno(): bytearray() for pipe in pipes}
    with selectors.DefaultSelector() as selector:
        for number in found:
            selector.register(number, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                found[key.fd] += chunk
                if not chunk:
                    selector.unregister(key.fd)
                if len(found[key.fd]) > cap:
                    raise TooMuchOutputError
    return [bytes(data) for data in found.values()]
