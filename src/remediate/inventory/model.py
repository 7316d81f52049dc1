"""What an inventory is once it is read: hosts with their variables, groups, and how to choose among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from remediate.inventory.patterns import select


class Unsafe(str):
    """A string tagged `!unsafe`: data that must never be templated."""

    __slots__ = ()


def mark_unsafe(value: Any) -> Any:
    """The same value with every string in it, keys apart, as `Unsafe`."""
    if isinstance(value, str):
        return Unsafe(value)
    if isinstance(value, list):
        return [mark_unsafe(item) for item in value]
    if isinstance(value, dict):
        return {key: mark_unsafe(item) for key, item in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A value tagged `!vault`: it can be carried and printed as it is, but not used.

    Attributes:
        ciphertext: what the inventory says.
    """

    ciphertext: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Host:
    """One host of an inventory.

    Attributes:
        name: the inventory's name for it.
        variables: what applies to the host after Ansible's precedence, with `inventory_hostname` and its
            like; values may be shared with other hosts and must not be changed.
        groups: every group that it is in, without `all`, in alphabetical order.
        where: file and line that named it first.
        origins: for each variable the file and line that its value comes from.
    """

    name: str
    variables: Mapping[str, Any] = field(repr=False, compare=False)
    groups: tuple[str, ...] = ()
    where: str = ""
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Group:
    """One group of an inventory, `all` and `ungrouped` included.

    Attributes:
        name: its name.
        hosts: hosts named in it directly, in the order of the inventory.
        children: groups inside it, in the order of the inventory.
        variables: what the inventory's own files say for the group (without `group_vars/`).
        priority: `ansible_group_priority`; among groups of one depth the higher wins.
        depth: longest way down from `all`, which has 0; variables of deeper groups win.
    """

    name: str
    hosts: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    priority: int = 1
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Inventory:
    """Hosts and groups of one source.

    Attributes:
        source: the file or folder that it was read from.
        hosts: by name, in the order of the inventory.
        groups: by name, in the order of the inventory.
    """

    source: str
    hosts: Mapping[str, Host] = field(repr=False)
    groups: Mapping[str, Group] = field(repr=False)

    def members(self, group: str) -> list[str]:
        """Hosts of a group and of those below it, level by level, each once; KeyError if unknown."""
        found: dict[str, None] = {}
        for name in self._levels(group):
            found |= dict.fromkeys(self.groups[name].hosts)
        return list(found)

    def _levels(self, group: str) -> Iterator[str]:
        level, seen = [group], {group}
        while level:
            yield from level
            below = dict.fromkeys(child for name in level for child in self.groups[name].children)
            level = [name for name in below if name not in seen]
            seen |= below.keys()

    def select(self, pattern: str | Sequence[str], limit: str | None = None) -> list[Host]:
        """The hosts that a pattern means in Ansible: `etcd:!n2`, `etcd:&eu`, `n*`, `~n[12]`, `etcd[0]`.

        Args:
            pattern: one pattern, or a list of them.
            limit: a second pattern (`--limit`) that must match too; `@FILE` holds one pattern a line.

        Returns:
            Each host once, in the pattern's order; empty where wildcards match nothing.

        Raises:
            UsageProblem: an empty pattern, or a host or group that does not exist.
        """
        return select(self, pattern, limit)
