"""Which hosts a pattern means, by Ansible's rules (its guide, "Patterns: targeting hosts and groups")."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from fnmatch import translate
from pathlib import Path
from typing import TYPE_CHECKING

from remediate.errors import UsageProblem
from remediate.inventory.names import nearest, split_port

if TYPE_CHECKING:
    from remediate.inventory.model import Host, Inventory

_PIECE = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_SUBSCRIPT = re.compile(
    r"(?P<base>.+)\[(?:(?P<index>-?[0-9]{1,9})|(?P<first>[0-9]{1,9}):(?P<last>[0-9]{0,9}))\]"
)
_WILDCARDS = frozenset("*?[")


def select(inventory: Inventory, pattern: str | Sequence[str], limit: str | None) -> list[Host]:
    """See `Inventory.select`."""
    names = _evaluate(inventory, _pieces(pattern, "the pattern for hosts"))
    if limit is not None:
        allowed = set(_evaluate(inventory, _limit_pieces(limit)))
        names = [name for name in names if name in allowed]
    return [inventory.hosts[name] for name in names]


def _pieces(pattern: str | Sequence[str], what: str) -> list[str]:
    patterns = [pattern] if isinstance(pattern, str) else pattern
    pieces = [piece for one in patterns for piece in _split(one)]
    if not pieces:  # for Ansible this is "all", the opposite of what an empty shell variable means
        raise UsageProblem(f"{what} is empty", hint="name a host or a group, or write all")
    return pieces


def _split(pattern: str) -> list[str]:
    """At commas; without one at colons and blanks, unless the whole is an address (`::1`, `n[1:3]`)."""
    if "," in pattern:
        pieces = pattern.split(",")
    elif split_port(pattern):
        pieces = [pattern]
    else:
        pieces = _PIECE.findall(pattern)
    return [piece.strip() for piece in pieces if piece.strip()]


def _limit_pieces(limit: str) -> list[str]:
    pieces: list[str] = []
    for piece in _pieces(limit, "--limit"):
        pieces += _limit_file(Path(piece[1:])) if piece.startswith("@") else [piece]
    return pieces


def _limit_file(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblem(
            f"--limit @{path} cannot be read: {error}", hint="give a file with one pattern a line"
        ) from None
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise UsageProblem(f"--limit @{path} names no host")
    return found


def _evaluate(inventory: Inventory, pieces: Collection[str]) -> list[str]:
    """Plain pieces add hosts, then `&` pieces keep, then `!` pieces take away, whatever their order."""
    plain = [piece for piece in pieces if piece[0] not in "!&"] or ["all"]
    found = dict.fromkeys(name for piece in plain for name in _match(inventory, piece))
    for piece in pieces:
        if piece[0] == "&":
            keep = set(_match(inventory, piece[1:]))
            found = {name: None for name in found if name in keep}
    for piece in pieces:
        if piece[0] == "!":
            for name in _match(inventory, piece[1:]):
                found.pop(name, None)
    return list(found)


def _match(inventory: Inventory, piece: str) -> list[str]:
    if piece in inventory.hosts:
        return [piece]
    if not piece:
        raise UsageProblem("the pattern has an ! or & without a name behind it")
    subscript = None if piece[0] == "~" else _SUBSCRIPT.fullmatch(piece)
    if not subscript:
        return _named(inventory, piece)
    return _subscripted(piece, subscript, _named(inventory, subscript["base"]))


def _subscripted(piece: str, subscript: re.Match[str], names: list[str]) -> list[str]:
    """One host, or a slice whose last index is part of it; an open or short end is no mistake."""
    if subscript["index"] is None:
        last = int(subscript["last"]) + 1 if subscript["last"] else None
        return names[int(subscript["first"]) : last]
    try:
        return [names[int(subscript["index"])]]
    except IndexError:
        raise UsageProblem(
            f"{piece!r} matches no host", hint=f"there are {len(names)}, counted from 0"
        ) from None


def _named(inventory: Inventory, name: str) -> list[str]:
    """Hosts of every matching group; single hosts too where no group matches or there are wildcards."""
    groups = list(_matching(name, inventory.groups))
    found = dict.fromkeys(host for group in groups for host in inventory.members(group))
    wild = name.startswith("~") or bool(_WILDCARDS & set(name))
    if not groups or wild:
        found |= dict.fromkeys(_matching(name, inventory.hosts))
    if not (found or groups or wild):
        raise UsageProblem(
            f"there is no host or group {name!r} in the inventory",
            where=inventory.source,
            hint=nearest(name, [*inventory.hosts, *inventory.groups]),
        )
    return list(found)


def _matching(name: str, known: Collection[str]) -> Iterator[str]:
    try:
        wanted = re.compile(name[1:] if name.startswith("~") else translate(name))
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageProblem(f"{name!r} is no pattern: {error}") from None
    return (one for one in known if wanted.match(one))
