"""The user's and the system's ssh_config(5), with the files that they include."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path

import paramiko

from remediate.errors import UsageProblem

DEPTH = 16
"""How deep files may include files, as in OpenSSH (readconf.c)."""


def read_ssh_config(files: Iterable[Path]) -> paramiko.SSHConfig:
    """Read the files that exist; the first that speaks of a setting wins.

    Raises:
        UsageProblem: one of them cannot be read or understood.
    """
    config = paramiko.SSHConfig()
    for file in (file.expanduser() for file in files):
        try:
            config.parse(StringIO("\n".join(_lines(file, file.parent, DEPTH))))
        except (OSError, ValueError, paramiko.SSHException) as error:
            raise UsageProblem(f"cannot be read: {error}", where=str(file)) from None
    return config


def _lines(file: Path, folder: Path, depth: int) -> Iterator[str]:
    """The file's lines, each Include replaced by what it names: paramiko itself passes over it.

    What follows an Include belongs to the block around it again, so the block's head is repeated.
    """
    if not file.is_file():
        return
    if not depth:
        raise ValueError("its files include one another")
    block = "Host *"
    for line in file.read_text(encoding="utf-8").splitlines():
        word, _, rest = line.strip().replace("=", " ", 1).partition(" ")
        if word.lower() in ("host", "match"):
            block = line
        if word.lower() != "include":
            yield line
            continue
        for pattern in rest.split():
            for included in _named(pattern.strip('"'), folder):
                yield from _lines(included, folder, depth - 1)
        yield block


def _named(pattern: str, folder: Path) -> list[Path]:
    """The files that a pattern means; a relative one starts where the first file lies."""
    path = folder / Path(pattern).expanduser()
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
