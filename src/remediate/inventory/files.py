"""Reading the files of an inventory: capped, regular files only, encrypted ones named as such."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from remediate.errors import UsageProblem

MAX_BYTES = 32 * 1024 * 1024
"""Largest file accepted; an inventory of 10 000 hosts with 20 variables each has about 10 MB."""

_VAULT = b"$ANSIBLE_VAULT;"


def read_bytes(path: Path) -> bytes:
    """The content of a regular file, without a byte order mark.

    Raises:
        UsageProblem: it cannot be read, is no regular file, is too large, or is encrypted with ansible-vault.
    """
    try:
        # without waiting for a writer where somebody put a named pipe
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageProblem("is no regular file", where=str(path))
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageProblem(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(data) > MAX_BYTES:
        raise UsageProblem(f"is larger than {MAX_BYTES >> 20} MiB", where=str(path))
    if data.startswith(_VAULT):
        raise UsageProblem(
            "is encrypted with ansible-vault, which cannot be read here",
            where=str(path),
            hint="keep a decrypted copy of what remediate needs; a sudo password is asked for with -K",
        )
    return data.removeprefix(b"\xef\xbb\xbf")


def list_folder(path: Path) -> list[str]:
    """The names in a folder, sorted; raises UsageProblem where it cannot be read."""
    try:
        return sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        raise UsageProblem(f"cannot be read: {error.strerror}", where=str(path)) from None
