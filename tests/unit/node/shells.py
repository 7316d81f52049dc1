"""The shells that a node's `sh` may be, run on this machine."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Collection
from pathlib import Path

from remediate.errors import ChangeFailed
from remediate.node.api import DEFAULT_CAP, Completed
from remediate.node.login import envelope

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}


def shell_path(name: str, folder: Path) -> str:
    """A PATH on which `sh` is this shell, as it is on such a node."""
    program = subprocess.run(["which", SHELLS[name][0]], capture_output=True, text=True, check=True)
    (folder / "sh").symlink_to(program.stdout.strip())
    return f"{folder}:/usr/bin:/bin"


class LocalNode:
    """A node that is this machine: the same scripts and the same protocol, without SSH."""

    name = "local"

    def __init__(self, shell: str, folder: Path, *before: str) -> None:
        """Remember the shell, and the command that starts it where it is not started as it is."""
        self._command, self._path = [*before, *SHELLS[shell], "-s"], shell_path(shell, folder)
        self.execs = 0

    def start(self, script: bytes) -> subprocess.Popen[bytes]:
        """Start a shell and give it a script; its input stays open."""
        self.execs += 1
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": self._path},
        )
        assert process.stdin
        process.stdin.write(script)
        process.stdin.flush()
        return process

    def run(
        self, script: str, *, timeout: float = 60, cap: int = DEFAULT_CAP, ok: Collection[int] | None = (0,)
    ) -> Completed:
        """As Node.run; the cap is SSH's business."""
        del cap
        with self.start(envelope(script)) as process:
            out, err = process.communicate(timeout=timeout)
        if ok is not None and process.returncode not in ok:
            raise ChangeFailed(f"exit code {process.returncode}")
        return Completed(process.returncode, out, err, 0.0)

    def follow(
        self, script: str, on_line: Callable[[str], None], *, timeout: float, keepalive: float = 2.0
    ) -> Completed:
        """As Node.follow; the time-out is SSH's business."""
        del timeout
        with self.start(envelope(script)) as process:
            stop = threading.Event()
            threading.Thread(target=_tick, args=(process, stop, keepalive), daemon=True).start()
            assert process.stdout and process.stderr
            out = process.stdout.read()
            stop.set()
            err = process.stderr.read()
        for line in out.decode().split("\n")[:-1]:
            on_line(line)
        return Completed(process.returncode, out, err, 0.0)

    def close(self) -> None:
        """Nothing is open."""


def _tick(process: subprocess.Popen[bytes], stop: threading.Event, every: float) -> None:
    assert process.stdin
    while not stop.wait(every):
        process.stdin.write(b"\n")
        process.stdin.flush()
