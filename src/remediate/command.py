"""What the commands do: put the pieces of a run together. Heavy imports wait until they are needed."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remediate.errors import UsageProblem

if TYPE_CHECKING:
    from remediate.engine.run import Tools
    from remediate.engine.setup import Options
    from remediate.inventory import Host, Inventory, Secret
    from remediate.node.api import Node
    from remediate.node.connector import Connector
    from remediate.playbook import Playbook
    from remediate.task.loader import TaskCatalog


def show_inventory(name: str, how: str) -> str:
    """What `ansible-inventory --list` or `--graph` prints for the same source. Raises UsageProblem."""
    from remediate.inventory import graph, to_list_json

    found = _inventory(name)
    return graph(found) if how == "graph" else to_list_json(found)


def describe_tasks(name: str | None) -> str:
    """The tasks' documentation, generated from their code. Raises UsageProblem."""
    from remediate.task.documentation import documentation

    catalog = _catalog()
    if name is not None:
        return str(documentation(name, catalog.load(name)))
    pages = [documentation(known, catalog.load(known)) for known in catalog.names]
    width = max(len(page.name) for page in pages)
    return "\n".join(f"{page.name:{width}}  {page.summary}" for page in pages)


def run(playbook: str, inventory: str, given: Mapping[str, Any]) -> int:
    """Run a playbook and return the exit code.

    Raises:
        UsageProblem, Refused: before any host is contacted.
    """
    from remediate.engine.result import exit_code
    from remediate.engine.run import Run

    hosts = _inventory(inventory)
    book = _playbook(playbook)
    work = Run(_run_id(), book, hosts, _options(given), _tools(given, book))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stop from systemd is as safe as Ctrl-C
    return exit_code(work.execute())


def _project() -> Path:
    return Path.cwd()


def _catalog() -> TaskCatalog:
    from remediate.task.loader import discover

    return discover(_project())


def _inventory(name: str) -> Inventory:
    from remediate.inventory import find, load

    return load(find(name, _project()))


def _playbook(name: str) -> Playbook:
    from remediate.diagnosis import FINDING_IDS
    from remediate.playbook import find, load

    return load(find(name, _project()), _catalog(), project=_project(), finding_ids=FINDING_IDS)


def _run_id() -> str:
    """Time of the start and a random tail: sorts by time, and two runs of one second differ."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{random.SystemRandom().randrange(16**4):04x}"


def _options(given: Mapping[str, Any]) -> Options:
    from remediate.engine.result import Mode
    from remediate.engine.setup import Options
    from remediate.playbook import extra_vars

    mode = Mode.DIAGNOSE if given.get("diagnose") else Mode.CHECK if given.get("check") else Mode.APPLY
    return Options(
        mode=mode,
        limit=given["limit"],
        tags=_words(given.get("tags", "")),
        skip_tags=_words(given.get("skip_tags", "")),
        extra_vars=extra_vars(given["extra_vars"]),
        yes=given.get("yes", False),
        forks=given["forks"],
        fio=given["fio"],
        iperf3=given["iperf3"],
        probe_writes=given["probe_writes"],
        allow_outage=given.get("allow_outage", False),
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def _tools(given: Mapping[str, Any], playbook: Playbook) -> Tools:
    from remediate.engine.run import Tools
    from remediate.inventory.connection import ConnectionSettings
    from remediate.node.clock import SystemClock
    from remediate.playbook import extra_vars
    from remediate.report import observers

    observer = observers(given["output"], diff=given.get("diff", False), verbosity=given["verbose"])
    asks = sys.stdin.isatty() and sys.stderr.isatty()
    connector, extra = _connector(given), extra_vars(given["extra_vars"])
    becomes = any(play.become for play in playbook.plays)

    def connect(host: Host) -> Node:
        # As in Ansible, the variable outranks the play's word.
        word = {"ansible_become": True} if becomes and "ansible_become" not in host.variables else {}
        return connector.connect(ConnectionSettings.from_host(host, word | extra))

    return Tools(connect, SystemClock(), observer, _ask if asks else None)


def _ask() -> bool:
    import click

    return click.confirm("Apply this plan?", default=False, err=True)


def _connector(given: Mapping[str, Any]) -> Connector:
    from remediate.node.connector import ConnectOptions, Connector

    password = _become_password() if given["ask_become_pass"] else None
    return Connector(ConnectOptions(given["user"], given["private_key"], password))


def _become_password() -> Secret:
    from getpass import getpass

    from remediate.inventory import Secret

    if not sys.stdin.isatty():
        raise UsageProblem("--ask-become-pass needs a terminal to ask on")
    return Secret(getpass("sudo password: "))
