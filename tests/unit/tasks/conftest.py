"""Fixtures of the tests of built-in tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from remediate.task import units
from remediate.task.base import Task
from remediate.task.loader import discover
from tests.unit.tasks.shellnode import ShellNode


@pytest.fixture
def node() -> Iterator[ShellNode]:
    """A node that leaves no mark on this machine."""
    made = ShellNode()
    yield made
    made.close()


@pytest.fixture
def make() -> Callable[..., Task]:
    """A built-in task from its name and arguments."""
    catalog = discover(None)

    def made(name: str, **arguments: Any) -> Task:
        return msgspec.convert(arguments, catalog.load(name), dec_hook=units.decode)

    return made
