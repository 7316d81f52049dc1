"""A project with a task of its own, and the tasks that ship with remediate."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from remediate.task.loader import TaskCatalog, discover

DATA = Path(__file__).parents[2] / "data" / "playbooks"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy that only its owner can write, whatever umask the sources were checked out with."""
    folder = tmp_path / "project"
    shutil.copytree(DATA / "project", folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


@pytest.fixture
def catalog(project: Path) -> TaskCatalog:
    """The project's tasks and the built-in ones."""
    return discover(project)
