"""From what the sources say to an inventory: group graph, membership, and which variable wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from remediate.errors import UsageProblem
from remediate.inventory.model import Group, Host, Inventory
from remediate.inventory.names import check_group_name

MAX_DEPTH = 100
"""Groups inside groups inside groups; real inventories have three or four levels."""

PRIORITY = "ansible_group_priority"


class Said(NamedTuple):
    """A value, and the file and line that says it."""

    value: Any
    where: str


Variables = dict[str, Said]


class VariableFiles(Protocol):
    """The `group_vars/` and `host_vars/` folders beside a source."""

    def of_group(self, name: str) -> Mapping[str, Said]:
        """What the files say for a group."""
        ...

    def of_host(self, name: str) -> Mapping[str, Said]:
        """What the files say for a host."""
        ...


@dataclass(slots=True)
class _Group:
    where: str
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    parents: dict[str, None] = field(default_factory=dict)
    variables: Variables = field(default_factory=dict)
    priority: int = 1


@dataclass(slots=True)
class _Host:
    where: str
    file: Path
    variables: Variables = field(default_factory=dict)


class Builder:
    """Collects what the sources say, in their order, as Ansible's inventory plugins do."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {"all": _Group(""), "ungrouped": _Group("")}
        self._hosts: dict[str, _Host] = {}
        self.add_child("all", "ungrouped", "")

    def has_group(self, name: str) -> bool:
        """Whether the group was named so far."""
        return name in self._groups

    def group_names(self) -> Iterable[str]:
        """Groups named so far."""
        return self._groups.keys()

    def add_group(self, name: str, where: str) -> None:
        """Name a group; naming it again is fine."""
        if name not in self._groups:
            self._groups[check_group_name(name, where)] = _Group(where)

    def add_child(self, parent: str, child: str, where: str) -> None:
        """Put a group into another one; both are known. Raises UsageProblem where that makes a cycle."""
        if way := self._way_down(child, parent):
            raise UsageProblem(
                f"the groups make a cycle: {' > '.join([parent, *way])}",
                where=where,
                hint="take one of them out",
            )
        self._groups[parent].children[child] = None
        self._groups[child].parents[parent] = None

    def _way_down(self, start: str, end: str) -> list[str]:
        """The groups on a way from `start` down to `end`, both included; empty where there is none."""
        below: dict[str, str] = {}
        queue = [end]
        while queue and start not in queue:
            name = queue.pop()
            fresh = [parent for parent in self._groups[name].parents if parent not in below]
            below |= dict.fromkeys(fresh, name)
            queue += fresh
        if not queue:
            return []
        way = [start]
        while way[-1] != end:
            way.append(below[way[-1]])
        return way

    def add_host(self, name: str, group: str | None, port: int | None, file: Path, where: str) -> None:
        """Name a host; the first naming decides its file, its place and the port of `host:port`."""
        if name not in self._hosts:
            self._hosts[name] = _Host(where, file)
            if port:
                self.set_host_variable(name, "ansible_port", Said(port, where))
        if group:
            self._groups[group].hosts[name] = None

    def set_host_variable(self, host: str, name: str, said: Said) -> None:
        """Set a host's variable. Where a group has the host's name, Ansible sets the group's; so do we."""
        if host in self._groups:
            self.set_group_variable(host, name, said)
        else:
            self._hosts[host].variables[name] = said

    def set_group_variable(self, group: str, name: str, said: Said) -> None:
        """Set a group's variable; `ansible_group_priority` is a property of the group instead."""
        if name == PRIORITY:
            self._groups[group].priority = _priority(said)
        else:
            self._groups[group].variables[name] = said

    def finish(self, source: str, files: VariableFiles) -> Inventory:
        """The inventory; raises UsageProblem where no host was named, or groups are nested beyond reason."""
        if not self._hosts:
            raise UsageProblem(
                "the inventory names no host", where=source, hint="name one under hosts:, or in a [group]"
            )
        self._adopt_orphans()
        groups = self._finished_groups(source)
        inventory = Inventory(source, {}, MappingProxyType(groups))
        members = {name: inventory.members(name) for name in groups}
        hosts = _Variables(groups, self._groups, members, files).hosts(self._hosts)
        return Inventory(source, MappingProxyType(hosts), inventory.groups)

    def _adopt_orphans(self) -> None:
        """Groups without a parent belong to `all`, hosts without a group to `ungrouped`."""
        for name, group in self._groups.items():
            if name != "all" and not group.parents:
                self.add_child("all", name, group.where)
        grouped = {
            host
            for name, group in self._groups.items()
            if name not in ("all", "ungrouped")
            for host in group.hosts
        }
        ungrouped = self._groups["ungrouped"].hosts
        for host in self._hosts:
            if host in grouped:
                ungrouped.pop(host, None)
            else:
                ungrouped[host] = None

    def _finished_groups(self, source: str) -> dict[str, Group]:
        depths = self._depths(source)
        return {
            name: Group(
                name,
                tuple(group.hosts),
                tuple(group.children),
                MappingProxyType({key: said.value for key, said in group.variables.items()}),
                group.priority,
                depths[name],
            )
            for name, group in self._groups.items()
        }

    def _depths(self, source: str) -> dict[str, int]:
        """The longest way from `all` to each group, level by level."""
        depths: dict[str, int] = {}
        level = {"all": None}
        for depth in range(MAX_DEPTH):
            depths |= dict.fromkeys(level, depth)
            level = {child: None for name in level for child in self._groups[name].children}
        if level:
            raise UsageProblem(
                f"more than {MAX_DEPTH} groups inside each other, down to {next(iter(level))!r}", where=source
            )
        return depths


def _priority(said: Said) -> int:
    try:
        return int(said.value)
    except (TypeError, ValueError, OverflowError):
        raise UsageProblem(
            f"{PRIORITY} is {said.value!r:.80}, expected a whole number", where=said.where
        ) from None


class _Variables:
    """Which value wins, in Ansible's order (its `VARIABLE_PRECEDENCE`).

    From weak to strong: what the sources say for `all`, for the other groups; what the files say for `all`,
    for the other groups; what the sources say for the host; its files. Groups go by depth, priority, name.
    """

    def __init__(
        self,
        groups: Mapping[str, Group],
        raw: Mapping[str, _Group],
        members: dict[str, list[str]],
        files: VariableFiles,
    ) -> None:
        self._groups, self._raw, self._members, self._files = groups, raw, members, files
        self._shared: dict[tuple[str, ...], Variables] = {}

    def hosts(self, raw: Mapping[str, _Host]) -> dict[str, Host]:
        memberships: dict[str, list[str]] = {name: [] for name in raw}
        by_strength = sorted(
            self._groups.values(), key=lambda group: (group.depth, group.priority, group.name)
        )
        for group in by_strength:
            for host in self._members[group.name]:
                memberships[host].append(group.name)
        return {name: self._host(name, raw[name], tuple(groups)) for name, groups in memberships.items()}

    def _host(self, name: str, raw: _Host, groups: tuple[str, ...]) -> Host:
        said = {**self._of_groups(groups), **raw.variables, **self._files.of_host(name)}
        names = tuple(sorted(group for group in groups if group != "all"))
        values = {key: one.value for key, one in said.items()}
        values |= {
            "inventory_hostname": name,
            "inventory_hostname_short": _short(name),
            "inventory_file": str(raw.file),
            "inventory_dir": str(raw.file.parent),
            "group_names": list(names),
            "groups": self._members,
        }
        origins = {key: one.where for key, one in said.items()}
        return Host(name, MappingProxyType(values), names, raw.where, MappingProxyType(origins))

    def _of_groups(self, groups: tuple[str, ...]) -> Variables:
        """What the groups, `all` being the first, say together; hosts of the same groups share it."""
        if groups not in self._shared:
            said: Variables = {}
            for group in groups:
                said |= self._raw[group].variables
            for group in groups:
                said |= self._files.of_group(group)
            self._shared[groups] = said
        return self._shared[groups]


def _short(name: str) -> str:
    """The name up to its first dot, unless it is an address."""
    if ":" in name or name.replace(".", "").isdecimal():
        return name
    return name.partition(".")[0]
