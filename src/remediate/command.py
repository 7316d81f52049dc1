"""What the commands do: put the pieces of a run together. Heavy imports wait until they are needed."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remediate.errors import RemediateError, UsageProblem

if TYPE_CHECKING:
    from remediate.engine.result import Mode
    from remediate.engine.setup import Options
    from remediate.engine.tools import Tools
    from remediate.inventory import Host, Inventory, Secret
    from remediate.inventory.connection import ConnectionSettings
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
    work = Run(_run_id(), book, hosts, _options(given), _tools(given, book, hosts))
    for stop in (signal.SIGTERM, signal.SIGHUP):  # systemd's stop and a closed terminal are as safe as Ctrl-C
        signal.signal(stop, signal.default_int_handler)
    return exit_code(work.execute())


def refusal(
    playbook: str, inventory: str | None, given: Mapping[str, Any], problem: RemediateError
) -> dict[str, Any]:
    """The JSON document of a run that never began: every key that scripts rely on, nothing in it."""
    return {
        "run": None,
        "playbook": playbook,
        "inventory": inventory,
        "mode": _mode(given).value,
        "outcome": "refused" if problem.exit_code == 4 else "failed",
        "error": str(problem),
        "exit_code": problem.exit_code,
        "seconds": 0.0,
        "hosts": {},
        "measurements": {"fsync": {}, "commit": {}, "put": None, "network": [], "etcd": {}},
        "findings": [],
        "gates": [],
        "before": None,
        "after": None,
    }


def _mode(given: Mapping[str, Any]) -> Mode:
    from remediate.engine.result import Mode

    return Mode.DIAGNOSE if given.get("diagnose") else Mode.CHECK if given.get("check") else Mode.APPLY


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
    from remediate.engine.setup import Options
    from remediate.playbook import extra_vars

    return Options(
        mode=_mode(given),
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


def _tools(given: Mapping[str, Any], playbook: Playbook, inventory: Inventory) -> Tools:
    from remediate.engine.events import Note
    from remediate.engine.tools import Tools
    from remediate.node.clock import SystemClock
    from remediate.node.connector import ConnectOptions, Connector
    from remediate.playbook import extra_vars
    from remediate.report import observers

    extra = extra_vars(given["extra_vars"])
    password = _become_password() if given["ask_become_pass"] else None
    secrets = _secrets([extra, *(host.variables for host in inventory.hosts.values())])
    observer = observers(
        given["output"],
        diff=given.get("diff", False),
        verbosity=given["verbose"],
        secrets=[*secrets, *([password] if password else [])],
    )
    asks = sys.stdin.isatty() and sys.stderr.isatty()
    connector = Connector(ConnectOptions(given["user"], given["private_key"], password))
    settings = _settings(
        playbook, inventory, extra
    )  # all of them now: a bad word must show before any contact
    connector.check(settings.values())
    for warning in dict.fromkeys(warning for one in settings.values() for warning in one.warnings):
        observer.on(Note(warning, warning=True))

    def connect(host: Host) -> Node:
        return connector.connect(settings[host.name])

    return Tools(connect, SystemClock(), observer, _ask if asks else None, connector.close)


def _settings(
    playbook: Playbook, inventory: Inventory, extra: Mapping[str, Any]
) -> dict[str, ConnectionSettings]:
    """How each host of the plays is reached. Raises UsageProblem for words that cannot be."""
    from remediate.inventory.connection import ConnectionSettings

    # As in Ansible, the variable outranks the play's word.
    word: dict[str, Any] = {"ansible_become": True} if any(play.become for play in playbook.plays) else {}
    hosts = {host.name: host for play in playbook.plays for host in inventory.select(play.hosts)}
    return {
        name: ConnectionSettings.from_host(host, {**word, **host.variables, **extra})
        for name, host in hosts.items()
    }


def _ask() -> bool:
    import click

    try:
        return click.confirm("Apply this plan?", default=False, err=True)
    except click.Abort:  # Ctrl-C at the question is a Ctrl-C of the run
        raise KeyboardInterrupt from None


def _secrets(sources: Iterable[Mapping[str, Any]]) -> set[Secret]:
    """Passwords that inventories and options hold, to be cut out of everything that is written (SAFETY, case 6)."""
    from remediate.inventory import Secret

    return {
        Secret(value)
        for variables in sources
        for name, value in variables.items()
        if name.startswith("ansible_") and "pass" in name and isinstance(value, str) and value
    }


def _become_password() -> Secret:
    from getpass import getpass

    from remediate.inventory import Secret

    if not sys.stdin.isatty():
        raise UsageProblem("--ask-become-pass needs a terminal to ask on")
    return Secret(getpass("sudo password: "))
