"""Run a whole process, as a user would, and see what it took."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

LONGEST = 900.0
"""Seconds after which a run is ended; ansible took 90 s for 30 hosts on two busy cores [measured]."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended.

    Attributes:
        rc: exit code, negative for a signal.
        seconds: wall time from its start to its end.
        peak_mb: largest resident set of it or of one of its children, in 10⁶ bytes.
    """

    rc: int
    seconds: float
    peak_mb: float
    out: str = ""
    err: str = ""

    @property
    def said(self) -> str:
        """The end of what it printed, for messages."""
        return (self.err.strip() or self.out.strip())[-2000:]


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Finished:
    """Run a command to its end; nothing that it started in its session is left when it is interrupted."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        late = Timer(LONGEST, os.killpg, (process.pid, signal.SIGKILL))
        late.daemon = True
        late.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            late.cancel()
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "backslashreplace"))
    return Finished(process.returncode, seconds, usage.ru_maxrss * 1024 / 1e6, *texts)
