"""Fixtures of the tests that need real nodes.

`lab`: the run's shared lab, three healthy members (etcd 3.5); leave it as you found it.
`sick_lab`: the run's shared sick lab.
`new_lab(*options)`: a lab of the test's own, with the options of `remediate lab up`; taken down after the test.

All are `RunningLab`: name, inventory, nodes, client; status(), ssh(), put(), host(), fault(), etcdctl(), wait(),
wait_healthy().
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.lab.labs import RUN, RunningLab, forgotten
from tests.lab.labs import lab as run_lab


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the labs' files; first, what killed runs left behind is taken away, last, all of this run's labs."""
    for name in forgotten():
        run_lab("down", "--name", name)
    yield tmp_path_factory.mktemp("lab")
    for name in (RUN, f"{RUN}-sick"):
        run_lab("down", "--name", name)


@pytest.fixture(scope="session")
def shared_lab(lab_folder: Path) -> RunningLab:
    """The run's lab, whatever its state; tests ask for `lab`."""
    return RunningLab(RUN, lab_folder)


@pytest.fixture
def lab(shared_lab: RunningLab) -> RunningLab:
    """The run's lab, healthy."""
    shared_lab.wait_healthy(30)
    return shared_lab


@pytest.fixture(scope="session")
def sick_lab(lab_folder: Path) -> RunningLab:
    """The run's sick lab."""
    return RunningLab(f"{RUN}-sick", lab_folder, "--sick")


@pytest.fixture
def new_lab(lab_folder: Path) -> Iterator[Callable[..., RunningLab]]:
    """Builds labs of the test's own."""
    names = (f"{RUN}-own{number}" for number in count(1))
    built: list[RunningLab] = []

    def build(*options: str) -> RunningLab:
        built.append(RunningLab(next(names), lab_folder, *options))
        return built[-1]

    yield build
    for one in built:
        one.close()
