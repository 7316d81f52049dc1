"""Ansible's INI inventories: hosts with `key=value`, `[group]`, `[group:vars]`, `[group:children]`."""

from __future__ import annotations

import ast
import re
import shlex
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remediate.errors import UsageProblem
from remediate.inventory.build import Builder, Said
from remediate.inventory.model import Unsafe
from remediate.inventory.names import expand_hosts, nearest

_SECTION = re.compile(r"\[(?P<group>[^:\]\s]+)(?::(?P<kind>\w+))?\]\s*(?:#.*)?")
_GROUP = re.compile(r"(?P<group>[^:\]\s]+)\s*(?:#.*)?")
_KINDS = ("hosts", "vars", "children")


def read_ini(builder: Builder, data: bytes, path: Path, name: str) -> None:
    """Add what an INI inventory says.

    Args:
        builder: where it goes.
        data: the file's content.
        path: the file's absolute path.
        name: how messages call the file.

    Raises:
        UsageProblem: with file and line.
    """
    reader = _Reader(builder, path)
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").splitlines(), 1):
        reader.line(line.strip(), f"{name}:{number}")
    reader.check_undeclared()


@dataclass(slots=True)
class _Reader:
    """One pass over the lines; a section's header decides what the lines below it mean.

    Attributes:
        waiting: children that are named before their own section, with their parents and places.
        only_vars: groups of which only a `:vars` section was seen, with its place.
    """

    builder: Builder
    path: Path
    group: str = "ungrouped"
    kind: str = "hosts"
    waiting: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    only_vars: dict[str, str] = field(default_factory=dict)

    def line(self, line: str, where: str) -> None:
        """Take in one stripped line."""
        if not line or line[0] in ";#":
            return
        if not line.isascii() and any("\udc80" <= letter <= "\udcff" for letter in line):
            raise UsageProblem(
                "the line is no UTF-8 text", where=where
            )  # in comments Ansible does not mind either
        if section := _SECTION.fullmatch(line):
            self._section(section["group"], section["kind"] or "hosts", where)
        elif line.startswith("[") and line.endswith("]"):
            raise UsageProblem(
                f"{line!r:.80} is no section",
                where=where,
                hint="write [group] or [group:vars], without spaces",
            )
        else:
            {"hosts": self._hosts, "vars": self._variable, "children": self._child}[self.kind](line, where)

    def _section(self, group: str, kind: str, where: str) -> None:
        if kind not in _KINDS:
            raise UsageProblem(
                f"section [{group}:{kind}] is of an unknown kind, expected hosts, vars or children",
                where=where,
                hint=nearest(kind, _KINDS),
            )
        if kind == "vars" and not self.builder.has_group(group):
            self.only_vars[group] = where
        self.group, self.kind = group, kind
        self.builder.add_group(group, where)
        if kind != "vars":
            self.only_vars.pop(group, None)
            for parent, place in self.waiting.pop(group, ()):
                self.builder.add_child(parent, group, place)

    def _hosts(self, line: str, where: str) -> None:
        try:
            first, *rest = shlex.split(line, comments=True)
        except ValueError as error:
            raise UsageProblem(
                f"the host's line cannot be split: {error}", where=where, hint="check its quotes"
            ) from None
        if first == "---":
            raise UsageProblem("looks like YAML in an INI inventory", where=where, hint="name the file .yml")
        names, port = expand_hosts(first, where)
        variables = dict(self._assignment(word, where) for word in rest)
        for name in names:
            self.builder.add_host(name, self.group, port, self.path, where)
            for variable, said in variables.items():
                self.builder.set_host_variable(name, variable, said)

    def _assignment(self, word: str, where: str) -> tuple[str, Said]:
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise UsageProblem(f"{word!r:.80} stands where NAME=VALUE was expected", where=where)
        return name, Said(parse_value(text, where), where)

    def _variable(self, line: str, where: str) -> None:
        name, equals, text = (part.strip() for part in line.partition("="))
        if not (name and equals):
            raise UsageProblem(f"{line!r:.80} stands where NAME = VALUE was expected", where=where)
        self.builder.set_group_variable(self.group, name, Said(parse_value(text, where), where))

    def _child(self, line: str, where: str) -> None:
        match = _GROUP.fullmatch(line)
        if not match:
            raise UsageProblem(f"{line!r:.80} stands where the name of a group was expected", where=where)
        child = match["group"]
        if self.builder.has_group(child):
            self.builder.add_child(self.group, child, where)
        else:
            self.waiting.setdefault(child, []).append((self.group, where))

    def check_undeclared(self) -> None:
        """Raise UsageProblem where a group is used but has no section of its own."""
        for child, ((parent, where), *_) in self.waiting.items():
            self._undeclared(
                child, where, f"[{parent}:children] names the group {child!r}, which is not there"
            )
        for group, where in self.only_vars.items():
            self._undeclared(group, where, f"[{group}:vars] is for a group that is not there")

    def _undeclared(self, group: str, where: str, message: str) -> None:
        known = [name for name in self.builder.group_names() if name not in self.only_vars]
        raise UsageProblem(message, where=where, hint=nearest(group, known) or f"add a section [{group}]")


def parse_value(text: str, where: str) -> Any:
    """What a value means: a Python literal where it is one (`8`, `True`, `['a']`, `"8"`), otherwise its text.

    Raises:
        UsageProblem: a literal that cannot be, such as a list as a dictionary's key.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return _plain(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return text
    except (TypeError, RecursionError, MemoryError) as error:
        raise UsageProblem(f"the value cannot be understood: {error}", where=where, hint="quote it") from None


def _plain(value: Any) -> Any:
    """Lists instead of tuples and sets, text instead of bytes, complex numbers and `...`."""
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {_plain_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return Unsafe(value.decode("utf-8", "backslashreplace"))  # Ansible does not template these
    return "..." if value is ... else str(value) if isinstance(value, complex) else value


def _plain_key(key: Any) -> Any:
    return key if isinstance(key, str | int | float | None) else str(_plain(key))
