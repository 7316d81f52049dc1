"""What the commands do: put the pieces of a run together. Heavy imports wait until they are needed."""

from __future__ import annotations

import os
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
    from remediate.inventory import Host, Inventory
    from remediate.node.api import Node
    from remediate.playbook import Playbook
    from remediate.task.loader import TaskCatalog


def show_inventory(name: str, how: str) -> str:
    """What `ansible-inventory --list` or `--graph` prints for the same source. Raises UsageProblem."""
    from remediate.inventory import graph, to_list_json

    found = _inventory(name)
    return graph(found) if how == "graph" else to_list_json(found)


def describe_tasks(name: str | None) -> str:
    """The tasks' documentation, generated from their code. Raises UsageProblem."""
    from remediate.task.documentation import documentation, overview

    catalog = _catalog()
    return overview(catalog) if name is None else documentation(name, catalog.load(name))


def run(playbook: str, inventory: str, given: Mapping[str, Any]) -> int:
    """Run a playbook and return the exit code.

    Raises:
        UsageProblem, Refused: before any host is contacted.
    """
    from remediate.engine.result import exit_code
    from remediate.engine.run import Run

    hosts = _inventory(inventory)
    work = Run(_run_id(), _playbook(playbook), hosts, _options(given), _tools(given))
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


def _tools(given: Mapping[str, Any]) -> Tools:
    from remediate.engine.run import Tools
    from remediate.node.clock import SystemClock
    from remediate.report import observers

    observer = observers(given["output"], diff=given.get("diff", False), verbosity=given["verbose"])
    asks = sys.stdin.isatty() and sys.stderr.isatty()
    return Tools(_connect(given), SystemClock(), observer, _ask if asks else None)


def _ask() -> bool:
    import click

    return click.confirm("Apply this plan?", default=False, err=True)


def _connect(given: Mapping[str, Any]) -> Any:
    from remediate.inventory.connection import connection_settings
    from remediate.node.connection import ConnectOptions, Connector

    password = _become_password() if given["ask_become_pass"] else None
    connector = Connector(
        ConnectOptions(user=given["user"], private_key=given["private_key"], become_password=password)
    )

    def connect(host: Host) -> Node:
        return connector.connect(host.name, connection_settings(host))

    return connect


def _become_password() -> Any:
    from getpass import getpass

    from remediate.inventory import Secret

    if not sys.stdin.isatty() and not os.environ.get("REMEDIATE_BECOME_PASSWORD_FROM_STDIN"):
        raise UsageProblem("--ask-become-pass needs a terminal to ask on")
    return Secret(getpass("sudo password: "))
