"""How many writes per second a node's data disk takes."""

from __future__ import annotations

from remediate.lab import disks, groups
from remediate.lab.spec import NodeSpec

SICK_IOPS = 60
"""The sick lab's data disk."""

SLOW_IOPS = 30
"""After `fault NODE slow-disk`. At 40 fio's fsync p99 was seen at ~100 ms (LAB-NOTES)."""


def set_limit(node: NodeSpec, iops: int | None) -> None:
    """Remember and apply a limit; None takes it away."""
    path = node.home / "write_iops"
    path.write_text(str(iops or 0))
    apply_limit(node)


def apply_limit(node: NodeSpec) -> None:
    """Apply the remembered limit, after a start for example."""
    path = node.home / "write_iops"
    devices = disks.attached(node.home)
    if path.exists() and "data" in devices:
        groups.create(node.group)
        groups.limit_writes(node.group, devices["data"].number, int(path.read_text()) or None)
