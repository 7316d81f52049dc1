"""Every source in tests/data/inventory means to us, byte for byte, what it means to ansible-inventory."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from remediate.inventory import graph, load, to_list_json

DATA = Path(__file__).parents[2] / "data" / "inventory"
CASES = sorted(path.name for path in DATA.iterdir())
GRAPHS = ("folder", "ini-basic", "script-meta", "yaml-precedence")


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a case's source: the one entry beside group_vars and host_vars."""
    case = shutil.copytree(DATA / request.param, tmp_path / "case")
    (found,) = (path for path in case.iterdir() if path.name not in ("group_vars", "host_vars"))
    case.chmod(0o755)  # programs in folders that others can write to are not run
    if found.suffix == ".sh":
        found.chmod(0o755)
    return found


def ansible_inventory(source: Path, view: str) -> str:
    """What ansible-core's own program prints, untouched by any configuration of this machine."""
    (source.parent / "empty.cfg").touch()
    program = Path(sys.executable).with_name("ansible-inventory")
    env = {
        "ANSIBLE_CONFIG": str(source.parent / "empty.cfg"),
        "HOME": str(source.parent),
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [program, "-i", source, view], env=env, cwd="/", capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_there_are_enough_sources() -> None:
    assert len(CASES) >= 12


@pytest.mark.parametrize("source", CASES, indirect=True)
def test_list_is_the_same(source: Path) -> None:
    assert to_list_json(load(source)) + "\n" == ansible_inventory(source, "--list")


@pytest.mark.parametrize("source", GRAPHS, indirect=True)
def test_graph_is_the_same(source: Path) -> None:
    assert graph(load(source)) + "\n" == ansible_inventory(source, "--graph")
