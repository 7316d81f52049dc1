"""A process' priority as a resource: the I/O class and nice value of all its threads, kept over restarts."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from string import Template
from typing import Literal

from remediate.etcd.model import ThreadPriority
from remediate.facts.base import Seen
from remediate.facts.disk import DataDisks
from remediate.facts.files import FileSeen
from remediate.facts.home import HomesSeen, ProcessHomes, drop_in_path, keeper_files, keeper_unit
from remediate.facts.threads import ProcessPriority
from remediate.node.shell import sh
from remediate.task.base import Change, Noop, Operation
from remediate.task.files import Placed, change, is_placed, placed
from remediate.task.search import shipped

IoClass = Literal["none", "realtime", "best-effort", "idle"]

CLASSES: tuple[IoClass, ...] = ("none", "realtime", "best-effort", "idle")
"""In the order of their numbers (ioprio_set(2))."""

WITH_LEVELS = ("realtime", "best-effort")
"""Classes that have levels 0…7."""

HEEDING = ("bfq", "mq-deadline")
"""Schedulers that look at I/O priorities (FIELD-NOTES, traps)."""

SCRIPT = shipped("process_priority/keep.sh")
UNIT = Template(shipped("process_priority/keep.service"))
DROP_IN = Template(shipped("process_priority/unit.conf"))


@dataclass(frozen=True, slots=True)
class Priority:
    """I/O class, its level, and the nice value; the level of a class without levels is 0."""

    io_class: IoClass
    io_level: int
    nice: int

    def __str__(self) -> str:
        level = f"/{self.io_level}" if self.io_class in WITH_LEVELS else ""
        return f"I/O {self.io_class}{level}, nice {self.nice}"

    @property
    def words(self) -> tuple[int, int, int]:
        """Arguments of the script: number of the class, level, nice value."""
        return CLASSES.index(self.io_class), self.io_level, self.nice


def priority_of(thread: ThreadPriority) -> Priority:
    """A thread's priority, comparable."""
    io_class = next(known for known in CLASSES if known == thread.io_class)
    return Priority(io_class, thread.io_level if io_class in WITH_LEVELS else 0, thread.nice)


@dataclass(frozen=True, slots=True)
class SetPriority(Operation):
    """Every thread of a process has this priority, now and after restarts."""

    process: str
    priority: Priority

    @property
    def resource(self) -> Hashable:
        """The process."""
        return ("priority", self.process)

    @property
    def value(self) -> Hashable:
        """Class, level and nice value."""
        return self.priority

    @property
    def target(self) -> Hashable:
        """The process."""
        return ("priority", self.process)

    def describe(self) -> str:
        """`priority of etcd: I/O best-effort/0, nice -20`."""
        return f"priority of {self.process}: {self.priority}"

    @classmethod
    def compile(cls, operations: Sequence[SetPriority], seen: Seen) -> Change:
        """Set all threads, and put in place what keeps it so."""
        one = operations[0]
        homes = seen[ProcessHomes(one.process)]
        keeping = tuple(_keeping(one.process, one.priority, homes))
        parts = [_kept(keep, homes, seen.host) for keep in keeping]
        parts.append(_set_now(one, homes))
        return change(one.target, _summary(one, homes.threads, keeping), parts)


@dataclass(frozen=True, slots=True)
class Keeping:
    """What keeps a priority over restarts: a drop-in of the process' own unit, or a unit of ours with its script.

    Attributes:
        unit: the unit.
        ours: it is our own, so it must run.
        files: content by path.
    """

    unit: str
    ours: bool
    files: tuple[tuple[str, str], ...]


def plan(process: str, priority: Priority, seen: Seen) -> Iterator[Operation | Noop]:
    """What is to be done for one process, or why nothing is, and where its effect ends.

    Args:
        process: its name, as ProcessThreads takes it.
        priority: the wish.
        seen: the host's facts.
    """
    homes = seen[ProcessHomes(process)]
    if not homes.processes:
        yield Noop(f"no process named {process} runs here, so there is nothing to give a priority to")
        return
    threads = [thread for found in homes.threads for thread in found.threads]
    keeping = tuple(_keeping(process, priority, homes))
    if all(priority_of(thread) == priority for thread in threads) and all(
        _is_kept(keep, homes) for keep in keeping
    ):
        by = f", kept over restarts by {' and '.join(keep.unit for keep in keeping)}" if keeping else ""
        yield Noop(f"all {len(threads)} threads of {process} have {priority} already{by}")
    else:
        yield SetPriority(process, priority)
    if not homes.systemd:
        yield Noop(f"this node has no systemd, so the priority of {process} lasts until it is restarted")
    yield from _without_effect(process, priority, homes, seen)


def _without_effect(process: str, priority: Priority, homes: HomesSeen, seen: Seen) -> Iterator[Noop]:
    disks = seen.known(DataDisks()) if process == "etcd" else None
    for scheduler, name in dict.fromkeys(
        (disk.scheduler, disk.disk) for disk in disks or () if disk.scheduler
    ):
        if scheduler not in HEEDING:
            yield Noop(
                f"the I/O class has no effect: disk {name} uses the scheduler {scheduler}, "
                f"and only {' and '.join(HEEDING)} look at it"
            )
    for group in sorted({home.group for home in homes.processes if home.group} if priority.nice else ()):
        yield Noop(
            f"nice {priority.nice} counts inside the CPU group {group} only: no effect against other groups"
        )


def _keeping(process: str, priority: Priority, homes: HomesSeen) -> Iterator[Keeping]:
    if not homes.systemd:
        return
    number, level, nice = priority.words
    for unit in sorted({home.unit for home in homes.processes if home.unit}):
        text = DROP_IN.substitute(io_class=priority.io_class, level=level, nice=nice)
        yield Keeping(unit, False, ((drop_in_path(unit), text),))
    if any(not home.unit for home in homes.processes):
        unit_path, script = keeper_files(process)
        words = {"process": process, "script": script, "class": number, "level": level, "nice": nice}
        files = ((script, SCRIPT), (unit_path, UNIT.substitute(words)))
        yield Keeping(keeper_unit(process), True, files)


def _is_kept(keep: Keeping, homes: HomesSeen) -> bool:
    written = all(is_placed(homes.files[path], text, "0644", "root:root") for path, text in keep.files)
    return written and (homes.keeper_active or not keep.ours)


def _kept(keep: Keeping, homes: HomesSeen, host: str) -> Placed:
    """Scripts that put the files in place and make systemd know them; nothing is restarted but our own unit."""
    files = sum((_placed(homes.files[path], text, host) for path, text in keep.files), Placed())
    reload = "systemctl daemon-reload\n"
    if not keep.ours:
        return replace(files, apply=files.apply + reload, undo=files.undo + reload)
    start = sh("systemctl --quiet enable {}\nsystemctl restart {}\n", keep.unit, keep.unit)
    stop = sh("systemctl --quiet disable --now {} 2>/dev/null || :\n", keep.unit)
    again = start if homes.files[keep.files[-1][0]].exists else ""
    return replace(files, apply=files.apply + reload + start, undo=stop + files.undo + reload + again)


def _placed(before: FileSeen, text: str, host: str) -> Placed:
    return Placed() if is_placed(before, text, "0644", "root:root") else placed(before, text, host=host)


def _set_now(one: SetPriority, homes: HomesSeen) -> Placed:
    """Set the running threads. They are looked up on the node: a change before this one may have restarted them."""
    name = "keep-priority.sh"
    commands = sorted({home.command for home in homes.processes})
    run = f'sh "$STAGE/{name}" once '
    apply = "".join(run + sh("{} {} {} {}\n", command, *one.priority.words) for command in commands)
    return Placed(apply=apply, undo="".join(_back(homes, run)), files={name: SCRIPT.encode()})


def _back(homes: HomesSeen, run: str) -> Iterator[str]:
    """Give all threads of a command what its first process had, then theirs to those that differed and still run."""
    commands = {home.pid: home.command for home in homes.processes}
    for command in sorted(set(commands.values())):
        old = {
            thread.tid: priority_of(thread)
            for process in homes.threads
            if commands.get(process.pid) == command
            for thread in process.threads
        }
        first = next(iter(old.values()), None)
        if first is None:
            continue
        yield run + sh("{} {} {} {}\n", command, *first.words)
        for priority in dict.fromkeys(had for had in old.values() if had != first):
            tids = [tid for tid, had in old.items() if had == priority]
            yield run + sh("{} {} {} {}" + " {}" * len(tids) + "\n", command, *priority.words, *tids)


def _summary(one: SetPriority, processes: Sequence[ProcessPriority], keeping: Sequence[Keeping]) -> str:
    threads = [priority_of(thread) for process in processes for thread in process.threads]
    old = ", ".join(str(priority) for priority in dict.fromkeys(threads) if priority != one.priority)
    moved = (
        f"{len(threads)} threads of {one.process}: {old} → {one.priority}"
        if old
        else f"threads of {one.process}"
    )
    return moved + (
        f"; kept over restarts by {' and '.join(keep.unit for keep in keeping)}" if keeping else ""
    )
