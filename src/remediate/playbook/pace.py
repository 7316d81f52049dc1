"""How a play goes over its hosts: how many at a time, in which order, behind which gate, with what rest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

Order = Literal["leader-last", "inventory", "reverse_inventory", "sorted", "reverse_sorted"]
Gate = Literal["etcd-healthy", "none"]
OnFailure = Literal["stop", "rollback"]

_PERCENT = re.compile(r"([0-9]{1,3})%")


class Serial(tuple["int | str", ...]):
    """Sizes of batches as in Ansible: hosts (`2`) or a share of them (`"30%"`); the last one repeats."""

    __slots__ = ()

    def batches(self, count: int) -> tuple[int, ...]:
        """How many of `count` hosts each batch has; a share is rounded down, but to no less than one host."""
        found: list[int] = []
        while (left := count - sum(found)) > 0:
            size = self[min(len(found), len(self) - 1)]
            hosts = size if isinstance(size, int) else max(1, count * int(size[:-1]) // 100)
            found.append(min(hosts, left))
        return tuple(found)


def parse_serial(written: Any) -> Serial:
    """Read `serial`. Raises ValueError for 0, a share outside 1…100 %, or an empty list."""
    sizes = [_size(item) for item in (written if isinstance(written, list) else [written])]
    if not sizes:
        raise ValueError("expected a number of hosts or a percentage, got an empty list")
    return Serial(sizes)


def _size(written: Any) -> int | str:
    if isinstance(written, str):
        match = _PERCENT.fullmatch(written.strip())
        if match and 1 <= int(match[1]) <= 100:
            return f"{int(match[1])}%"
        written = int(written) if re.fullmatch(r"\s*[0-9]{1,9}\s*", written) else None
    if isinstance(written, bool) or not isinstance(written, int) or written < 1:
        raise ValueError("expected a number of hosts from 1 up, or a percentage such as 30%")
    return written


@dataclass(frozen=True, slots=True)
class Pace:
    """What holds for one play once it is known whether it disrupts members.

    Attributes:
        serial: None means all hosts together.
        settle: seconds of rest after each changed host.
    """

    serial: Serial | None
    order: Order
    gate: Gate
    settle: float


DISRUPTING = Pace(Serial([1]), "leader-last", "etcd-healthy", 60.0)
"""Defaults of a play that restarts or blocks members: one at a time, and a minute between two (OKD)."""

HARMLESS = Pace(None, "inventory", "none", 0.0)
"""Defaults of a play that disrupts nothing."""
