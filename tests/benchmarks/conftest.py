"""The benchmarks are programs beside the package; their modules are found where the programs find them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from comparison.node import Node, started


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The machine with the ten settings, and inventories of 1 and 3 names for it."""
    with started(tmp_path_factory.mktemp("node")) as running:
        for hosts in (1, 3):
            running.inventories(hosts)
        yield running
