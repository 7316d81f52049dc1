"""I/O class and nice value of every thread of a process: `ionice -p PID` alone shows one of many (FIELD-NOTES)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from remediate.etcd.model import ThreadPriority
from remediate.facts.base import Fact, FactError, Frame
from remediate.facts.blocks import Block, servers
from remediate.node.shell import sh

_IO = re.compile(r"(none|realtime|best-effort|idle)(?:: prio (\d))?")


@dataclass(frozen=True, slots=True)
class ProcessPriority:
    """One process and its threads, by thread ID.

    Attributes:
        instance: the etcd instance, or the process' name where another process was asked for.
        pid: process ID on the node.
        start_ticks: of the main thread, as in EtcdProcess.
    """

    instance: str
    pid: int
    start_ticks: int
    threads: tuple[ThreadPriority, ...]


@dataclass(frozen=True)
class ProcessThreads(Fact[tuple[ProcessPriority, ...]]):
    """Every thread's priority, for each process of a name; empty where none runs.

    Attributes:
        process: the command's name, at most 15 characters (proc(5)); `etcd` means the etcd instances.
    """

    process: str = "etcd"
    needs: ClassVar[tuple[str, ...]] = ("etcd", "threads")
    timeout: ClassVar[int] = 10

    def probe(self) -> str:
        """A cat and an ionice per process."""
        return sh("threads_show {}", self.process)

    def parse(self, frame: Frame) -> tuple[ProcessPriority, ...]:
        """One row per process; raises FactError where the node has no ionice."""
        return tuple(_process(pid, name, parts) for pid, name, parts in servers(frame.out))


def _process(pid: int, name: str, parts: tuple[Block, ...]) -> ProcessPriority:
    by_name = {part.name: part for part in parts}
    tids = [int(word) for word in by_name["tids"].words if word.isdecimal()]
    classes = [_IO.fullmatch(line) for line in by_name["io"].lines]
    if len(classes) != len(tids) or not all(classes):
        raise FactError(
            f"the I/O class of process {pid} could not be read: {by_name['io'].text or 'no ionice'}"
        )
    stats = dict(_stat(line) for line in by_name["stat"].lines)
    threads = tuple(
        ThreadPriority(tid, match[1], int(match[2] or 0), stats[tid][0])
        for tid, match in zip(tids, classes, strict=True)
        if match and tid in stats
    )
    if pid not in stats:
        raise FactError(f"process {pid} ended while it was read")
    return ProcessPriority(name, pid, stats[pid][1], threads)


def _stat(line: str) -> tuple[int, tuple[int, int]]:
    """TID, nice value and start time of a `stat` line: fields 1, 19 and 22; the name may hold blanks (proc(5))."""
    tid, _, _ = line.partition(" ")
    fields = line.rpartition(") ")[2].split()
    return int(tid), (int(fields[16]), int(fields[19]))
