"""The program as a user starts it, and what it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ran:
    """One run of the program."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output as the one JSON document that it must be."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def remediate(*arguments: str | Path, timeout: float = 240, stdin: str | None = None) -> Ran:
    """Run `remediate` without a terminal; a traceback is never a good answer."""
    done = subprocess.run(
        [sys.executable, "-m", "remediate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        input=stdin,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def playbook(folder: Path, text: str) -> Path:
    """A playbook file of these words."""
    path = folder / "play.yml"
    path.write_text(text)
    return path


def flags(folder: Path, wishes: str, *, more: str = "") -> Path:
    """A playbook that wishes flags on every member."""
    return playbook(folder, f"- hosts: etcd\n{more}  tasks:\n    - etcd_flags: {wishes}\n")
