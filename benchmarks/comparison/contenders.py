"""Who is compared: how each is called for so many hosts, and how its answer is read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from comparison.answers import ansible_in_order, floor_in_order, pyinfra_in_order, remediate_in_order
from comparison.node import ADDRESS, PROJECT, USER, CannotCompare, Node, Setting
from comparison.timing import Finished, run


@dataclass(frozen=True, slots=True)
class Contender:
    """A program that makes sure of the ten settings.

    Attributes:
        version: of the program.
        command: its command line for a number of hosts.
        in_order: whether it says that it looked at so many hosts and that nothing is left to do; raises ValueError
            where its answer is neither yes nor no.
        environment: beside PATH and HOME.
        afterwards: what is to be done between two runs.
    """

    name: str
    version: str
    command: Callable[[int], Sequence[str]]
    in_order: Callable[[Finished, int], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    afterwards: Callable[[], None] = lambda: None

    def look(self, node: Node, hosts: int) -> tuple[Finished, bool]:
        """One run: what it took, and whether everything was found in order. Raises CannotCompare."""
        environment = {
            "HOME": str(node.home),
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            **self.environment,
        }
        try:
            done = run(self.command(hosts), environment, PROJECT)
        finally:
            self.afterwards()
        try:
            return done, self.in_order(done, hosts)
        except ValueError as problem:
            raise CannotCompare(
                f"{self.name} at {hosts} hosts: {problem}, exit code {done.rc}: {done.said}"
            ) from None

    def blind_to(self, node: Node, settings: Sequence[Setting]) -> list[str]:
        """Names of the settings that are out of order while it says that all is well; `all` where it never says so."""
        if not self.look(node, 1)[1]:
            return ["all"]
        missed = []
        for setting in settings:
            node.run(setting.spoil)
            try:
                if self.look(node, 1)[1]:
                    missed.append(setting.name)
            finally:
                node.run(setting.mend)
        return missed


def contenders(node: Node, forks: int) -> tuple[Contender, ...]:
    """All that can run here, the floor first.

    Args:
        forks: hosts at once, for the floor and for remediate.
    """
    found = [_floor(node, forks), _remediate(node, forks), _pyinfra(node), _ansible(node, "ansible", {})]
    mitogen = find_spec("ansible_mitogen")
    if mitogen and mitogen.submodule_search_locations:
        folder = Path(mitogen.submodule_search_locations[0])
        strategy = {
            "ANSIBLE_STRATEGY_PLUGINS": str(folder / "plugins" / "strategy"),
            "ANSIBLE_STRATEGY": "mitogen_linear",
            "PYTHONPATH": str(folder.parent),
        }
        found.insert(3, _ansible(node, "mitogen", strategy))
    return tuple(found)


def version(package: str) -> str:
    """Of an installed package. Raises CannotCompare."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise CannotCompare(f"{package} is not installed: script/setup installs it") from None


def program(name: str) -> str:
    """A program of this Python environment."""
    return str(Path(sys.executable).with_name(name))


def _floor(node: Node, forks: int) -> Contender:
    where = (str(forks), ADDRESS, str(node.port), USER, str(node.key), str(node.known_hosts))
    return Contender(
        "floor",
        f"fabric {version('fabric')}",
        lambda hosts: (sys.executable, "floor.py", str(hosts), *where),
        floor_in_order,
    )


def _remediate(node: Node, forks: int) -> Contender:
    def command(hosts: int) -> Sequence[str]:
        inventory = str(node.folder / f"hosts-{hosts}.yml")
        return (
            *(program("remediate"), "run", "remediate.yml", "-i", inventory, "--check"),
            *("--forks", str(forks)),
        )

    return Contender("remediate", version("remediate"), command, remediate_in_order)


def _pyinfra(node: Node) -> Contender:
    def command(hosts: int) -> Sequence[str]:
        return (
            program("pyinfra"),
            "--dry",
            "--json",
            str(node.folder / f"hosts_{hosts}.py"),
            "pyinfra_deploy.py",
        )

    return Contender("pyinfra", version("pyinfra"), command, pyinfra_in_order)


ANSIBLE_FORKS = 20
"""30 hosts on two cores took 88 s with 5 forks, 80 with 10, 73 with 20 and 80 with 40 [measured]."""


def _ansible(node: Node, name: str, strategy: Mapping[str, str]) -> Contender:
    def command(hosts: int) -> Sequence[str]:
        return (
            *(program("ansible-playbook"), "-i", str(node.folder / f"hosts-{hosts}.yml"), "ansible.yml"),
            *("--check", "--forks", str(ANSIBLE_FORKS)),
        )

    def hang_up() -> None:
        """Its connections outlive it for a minute; every run shall open its own."""
        for socket in (node.folder / "control").iterdir():
            ask = ("ssh", "-F", "none", "-o", f"ControlPath={socket}", "-O", "exit", ADDRESS)
            subprocess.run(ask, capture_output=True, timeout=30, check=False)

    settings = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_DEPRECATION_WARNINGS": "0"}
    told = f"ansible-core {version('ansible-core')}" + (f", mitogen {version('mitogen')}" if strategy else "")
    return Contender(name, told, command, ansible_in_order, {**settings, **strategy}, hang_up)
