"""Files for the tests of inventories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

Put = Callable[..., Path]
calm = settings(deadline=None)
"""For property tests: a machine that is busy with other things is no defect."""


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a file below an own folder: `put("hosts.yml", text)`, `put("run.sh", text, mode=0o755)`."""

    def write(name: str, content: str | bytes, mode: int = 0o644) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    return write
