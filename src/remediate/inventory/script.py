"""Executable inventories: programs that print JSON for `--list` and, without `_meta`, for `--host NAME`."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remediate.errors import UsageProblem
from remediate.inventory.build import Builder, Said
from remediate.inventory.json_text import load_json
from remediate.inventory.model import Encrypted, Unsafe, mark_unsafe
from remediate.inventory.names import check_host_name
from remediate.inventory.process import TooMuchOutputError, run_capped

TIMEOUT = 60.0
"""Seconds for all runs of one program together; generous beside the few seconds of a cloud's API."""

MAX_OUTPUT = 32 * 1024 * 1024
"""Bytes of output accepted from one run, as for a file."""

_SECTIONS = ("hosts", "vars", "children")


def read_script(builder: Builder, path: Path, name: str, *, timeout: float = TIMEOUT) -> None:
    """Run an executable inventory and add what it prints.

    Args:
        builder: where it goes.
        path: the program's absolute path.
        name: how messages call it.
        timeout: seconds for all runs together.

    Raises:
        UsageProblem: others could have changed it, it fails, takes too long, or prints something else.
    """
    check_owner(path, name)
    deadline = time.monotonic() + timeout
    output = _run(path, name, deadline, "--list")
    take_output(builder, output, path, name, lambda host: _run(path, name, deadline, "--host", host))


def take_output(
    builder: Builder, output: dict[str, Any], path: Path, name: str, ask: Callable[[str], dict[str, Any]]
) -> None:
    """Add what the program said.

    Args:
        builder: where it goes.
        output: its answer to `--list`.
        path: the program's absolute path.
        name: how messages call it.
        ask: gives its answer to `--host`, which is wanted where the first has no `_meta`.

    Raises:
        UsageProblem: the answer does not say groups, hosts and variables.
    """
    reader = _Reader(builder, path, f"{name} --list")
    reader.groups(output)
    host_variables = _meta(output, name)
    for host in reader.hosts:
        reader.host(host, ask(host) if host_variables is None else host_variables.get(host, {}))


def check_owner(path: Path, name: str) -> None:
    """Refuse a program that somebody else than its caller or root can change.

    Args:
        path: the program.
        name: how messages call it.

    Raises:
        UsageProblem: who could change it, and what to do.
    """
    for place in (path.resolve(), path.resolve().parent):
        status = place.stat()
        sticky = (
            stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        )  # others cannot replace files there
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
            raise UsageProblem(
                f"is not run: others can write to {place}", where=name, hint=f"chmod go-w {place}"
            )
        if status.st_uid not in (0, os.geteuid()):
            raise UsageProblem(
                f"is not run: {place} belongs to another user", where=name, hint="use a copy of your own"
            )


def _run(path: Path, name: str, deadline: float, *arguments: str) -> dict[str, Any]:
    """The JSON object that one run prints; an empty answer says nothing."""
    called = f"{name} {' '.join(arguments)}"
    try:
        code, out, err = run_capped([path, *arguments], deadline=deadline, cap=MAX_OUTPUT)
    except OSError as error:  # TimeoutError is one
        slow = isinstance(error, TimeoutError)
        what = "took too long and was stopped" if slow else f"cannot be run: {error.strerror}"
        raise UsageProblem(what, where=called) from None
    except TooMuchOutputError:
        raise UsageProblem(
            f"printed more than {MAX_OUTPUT >> 20} MiB and was stopped", where=called
        ) from None
    if code != 0:
        last = err.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise UsageProblem(f"ended with exit code {code}, saying {last[:200]!r}", where=called)
    return _parse(out, called)


def _parse(out: bytes, called: str) -> dict[str, Any]:
    try:
        found = load_json(out.decode(), called) if out.strip() else {}
    except ValueError as error:  # UnicodeDecodeError is one
        raise UsageProblem(f"printed no JSON: {error}", where=called) from None
    if not isinstance(found, dict):
        raise UsageProblem("printed no JSON object", where=called, hint='expected {"GROUP": {"hosts": []}}')
    return found


def _meta(output: dict[str, Any], name: str) -> dict[str, Any] | None:
    """`_meta.hostvars`, or None where the program must be asked host by host."""
    if "_meta" not in output:
        return None
    meta = output["_meta"]
    variables = meta.get("hostvars") if isinstance(meta, dict) else None
    if not isinstance(variables, dict):
        raise UsageProblem(
            "printed a _meta without hostvars", where=name, hint='expected {"_meta": {"hostvars": {}}}'
        )
    return variables


class _Reader:
    """Takes in the output.

    Attributes:
        hosts: every host named so far.
    """

    def __init__(self, builder: Builder, path: Path, where: str) -> None:
        self._builder, self._path, self._where = builder, path, where
        self.hosts: dict[str, None] = {}

    def groups(self, output: dict[str, Any]) -> None:
        for name, content in output.items():
            if name != "_meta":
                self._group(name, content)

    def _group(self, name: str, content: Any) -> None:
        """A mapping of hosts, vars and children; or a list of hosts, or one host's variables."""
        self._builder.add_group(name, self._where)
        if not isinstance(content, dict):
            content = {"hosts": content}
        elif not any(section in content for section in _SECTIONS):
            content = {"hosts": [name], "vars": mark_unsafe(content)}  # Ansible does not template these
        for host in self._names(name, "hosts", content):
            check_host_name(host, self._where)
            self.hosts[host] = None
            self._builder.add_host(host, name, None, self._path, self._where)
        for key, said in self._variables(content.get("vars", {}), f"vars of group {name!r}").items():
            self._builder.set_group_variable(name, key, said)
        for child in self._names(name, "children", content):
            self._builder.add_group(child, self._where)
            self._builder.add_child(name, child, self._where)

    def _names(self, group: str, section: str, content: dict[str, Any]) -> list[str]:
        names = content.get(section, [])
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            return names
        raise UsageProblem(f"{section} of group {group!r} is no list of names", where=self._where)

    def host(self, name: str, variables: Any) -> None:
        """Set a host's variables; raises UsageProblem where they are no mapping."""
        for key, said in self._variables(variables, f"what is said about host {name!r}").items():
            self._builder.set_host_variable(name, key, said)

    def _variables(self, variables: Any, what: str) -> dict[str, Said]:
        if not isinstance(variables, dict):
            raise UsageProblem(f"{what} is no mapping of variables", where=self._where)
        return {key: Said(_revive(value), self._where) for key, value in variables.items()}


def _revive(value: Any) -> Any:
    """Ansible's marks in JSON: `__ansible_unsafe` and `__ansible_vault`, each around a string."""
    if isinstance(value, list):
        return [_revive(item) for item in value]
    if not isinstance(value, dict):
        return value
    for mark, kind in (("__ansible_unsafe", Unsafe), ("__ansible_vault", Encrypted)):
        if isinstance(value.get(mark), str):
            return kind(value[mark])
    return {key: _revive(item) for key, item in value.items()}
