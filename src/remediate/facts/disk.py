"""The disks under etcd's data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from remediate.etcd.model import DataDisk
from remediate.facts.base import Fact, Frame
from remediate.facts.blocks import Block, servers


@dataclass(frozen=True)
class DataDisks(Fact[tuple[DataDisk, ...]]):
    """Where each running instance's data lies: host path, file system, disk and its I/O scheduler."""

    needs: ClassVar[tuple[str, ...]] = ("etcd", "disk")
    timeout: ClassVar[int] = 10

    def probe(self) -> str:
        """Built-ins on /proc and /sys, and one `stat -f` per instance."""
        return "disk_show"

    def parse(self, frame: Frame) -> tuple[DataDisk, ...]:
        """One row per running instance."""
        return tuple(_disk(instance, parts) for _, instance, parts in servers(frame.out))


def _disk(instance: str, parts: tuple[Block, ...]) -> DataDisk:
    text = {part.name: part.text for part in parts}
    block, total, free = (int(word) for word in (text.get("space") or "0 0 0").split())
    return DataDisk(
        instance=instance,
        data_dir=text["data"],
        filesystem=text["type"],
        mount_point=text["mount"],
        device=text["device"],
        disk=text["disk"],
        scheduler=_active(text["scheduler"]),
        size=block * total,
        free=block * free,
        shared_with_root=text["disk"] != "" and text["disk"] == text["root"],
    )


def _active(schedulers: str) -> str:
    """The kernel shows `none [mq-deadline] kyber`; a disk without a choice shows one word without brackets."""
    if "[" in schedulers:
        return schedulers.partition("[")[2].partition("]")[0]
    return schedulers.strip() if len(schedulers.split()) == 1 else ""
