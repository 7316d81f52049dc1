"""The task `process_priority`: plans as data, and real threads of a real process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from remediate.etcd.model import DataDisk, ThreadPriority
from remediate.facts.base import Frame, Seen
from remediate.facts.disk import DataDisks
from remediate.facts.files import FileSeen, Kind
from remediate.facts.home import HomesSeen, ProcessHome, ProcessHomes, drop_in_path, keeper_files
from remediate.facts.threads import ProcessPriority
from remediate.task.base import Noop, Operation, Task
from tests.unit.tasks.shellnode import ShellNode, undone, whys

Make = Callable[..., Task]
CASES = sorted(Path(__file__).parent.glob("*.yml"))
NAME = "remtest-threads"


class Process(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A process; its threads as CLASS/LEVEL/NICE."""

    pid: int
    threads: dict[int, str]
    unit: str = ""
    group: str = ""
    command: str = ""


class Case(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Facts in, changes and no-ops out.

    `kept` is what the keeper keeps: true for what the task wants, `stopped` for the same by a unit that does not run,
    or another task's arguments.
    """

    task: dict[str, Any]
    processes: dict[str, Process] = {}
    scheduler: str = ""
    systemd: bool = True
    kept: bool | str | dict[str, Any] = False
    changes: list[str] = []
    writes: list[str] = []
    applies: list[str] = []
    undoes: list[str] = []
    noops: list[str] = []
    error: str = ""


def thread(tid: int, text: str) -> ThreadPriority:
    io_class, level, nice = text.split("/")
    return ThreadPriority(tid, io_class, int(level), int(nice))


def facts(case: Case, name: str, files: dict[str, FileSeen], *, active: bool) -> Seen:
    found = [
        ProcessPriority(instance, one.pid, 1, tuple(thread(*pair) for pair in one.threads.items()))
        for instance, one in case.processes.items()
    ]
    homes = [
        ProcessHome(one.pid, one.command or name, one.unit, one.group) for one in case.processes.values()
    ]
    disk = DataDisk(
        "etcd", "/var/lib/etcd", "xfs", "/var/lib/etcd", "/dev/loop0", "loop0", case.scheduler, 1, 1, False
    )
    return Seen(
        "n1",
        {
            ProcessHomes(name): HomesSeen(case.systemd, tuple(homes), tuple(found), files, active),
            DataDisks(): (disk,) if case.scheduler else (),
        },
    )


def seen_in(case: Case, task: Task, make: Make) -> Seen:
    """The facts of a case; what is kept is made by planning it, so that the test does not repeat the templates."""
    name: str = task.process  # type: ignore[attr-defined]
    paths = [*keeper_files(name), *(drop_in_path(one.unit) for one in case.processes.values() if one.unit)]
    nothing = {path: FileSeen(path, Kind.ABSENT) for path in paths}
    empty = facts(case, name, nothing, active=False)
    if not case.kept:
        return empty
    keeping = make("process_priority", **case.kept) if isinstance(case.kept, dict) else task
    unlike = Case(task={}, processes={n: Process(pid=1, threads={1: "idle/0/19"}) for n in case.processes})
    before = facts(unlike, name, nothing, active=False)
    wish = next(item for item in keeping.plan(before) if isinstance(item, Operation))
    predicted = type(wish).compile([wish], before).predicts
    files = {fact.path: value for fact, value in predicted.items()}  # type: ignore[attr-defined]
    return facts(case, name, nothing | files, active=case.kept != "stopped")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path, make: Make) -> None:
    case = msgspec.convert(yaml.safe_load(path.read_text()), Case)
    if case.error:
        with pytest.raises(msgspec.ValidationError) as caught:
            make("process_priority", **case.task)
        assert str(caught.value) == case.error
        return
    task = make("process_priority", **case.task)
    seen = seen_in(case, task, make)
    items = list(task.plan(seen))
    assert whys([item for item in items if isinstance(item, Noop)]) == case.noops
    operations = [item for item in items if isinstance(item, Operation)]
    changes = [type(operations[0]).compile(operations, seen)] if operations else []
    assert [change.summary for change in changes] == case.changes
    for change in changes:
        assert sorted(fact.path for fact in change.predicts) == case.writes  # type: ignore[attr-defined]
        assert [part for part in case.applies if part not in change.apply] == []
        assert [part for part in case.undoes if part not in str(change.undo)] == []


# Real threads

_PROGRAM = f"""
import ctypes, sys, threading, time
ctypes.CDLL(None).prctl(15, b"{NAME}", 0, 0, 0)  # PR_SET_NAME
def more():
    threading.Thread(target=time.sleep, args=(120,), daemon=True).start()
for _ in range(6):
    more()
print("ready", flush=True)
for line in sys.stdin:
    more()
    print("more", flush=True)
"""


@contextmanager
def process(node: ShellNode) -> Iterator[subprocess.Popen[str]]:
    """A process with seven threads in the node's network namespace."""
    inside = [*node.inside[:-1], sys.executable, "-c", _PROGRAM]
    with subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout and running.stdout.readline() == "ready\n"
            yield running
        finally:
            running.kill()


def priorities(pid: int) -> list[tuple[str, int]]:
    """I/O class and nice value of every thread, asked one by one and without the product."""
    tids = sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
    classes = [
        subprocess.run(["ionice", "-p", str(tid)], capture_output=True, text=True, check=True) for tid in tids
    ]
    return [
        (one.stdout.strip(), os.getpriority(os.PRIO_PROCESS, tid))
        for one, tid in zip(classes, tids, strict=True)
    ]


def test_every_thread_and_back(node: ShellNode, make: Make) -> None:
    with process(node) as running:
        subprocess.run(
            ["ionice", "-c", "3", "-p", str(running.pid)], check=True
        )  # changes one thread of seven
        before = priorities(running.pid)
        assert len(before) == 7
        assert len(set(before)) == 2
        task = make("process_priority", process=NAME, io_class="best-effort", io_level=1, nice=-5)
        transaction = node.applied(node.change(task))
        assert node.state(transaction) == "await\n"
        assert set(priorities(running.pid)) == {("best-effort: prio 1", -5)}
        _, operations, noops = node.plan(task)
        assert operations == []
        assert whys(noops) == [
            f"all 7 threads of {NAME} have I/O best-effort/1, nice -5 already",
            f"this node has no systemd, so the priority of {NAME} lasts until it is restarted",
        ]
        assert undone(node, transaction) == "undone\n"
        assert priorities(running.pid) == before


@pytest.mark.parametrize(
    ("io_class", "shown"), [("idle", "idle"), ("realtime", "realtime: prio 0"), ("none", "none: prio 0")]
)
def test_every_class(node: ShellNode, make: Make, io_class: str, shown: str) -> None:
    with process(node) as running:
        task = make("process_priority", process=NAME, io_class=io_class, nice=3)
        node.applied(node.change(task))
        assert set(priorities(running.pid)) == {(shown, 3)}
        assert node.plan(task)[1] == []


def test_two_processes_of_a_name_each_get_their_own_back(node: ShellNode, make: Make) -> None:
    with process(node) as one, process(node) as other:
        subprocess.run(["renice", "4", "-p", str(other.pid)], check=True, capture_output=True)
        before = priorities(one.pid), priorities(other.pid)
        transaction = node.applied(node.change(make("process_priority", process=NAME, nice=-5)))
        assert {nice for pid in (one.pid, other.pid) for _, nice in priorities(pid)} == {-5}
        assert undone(node, transaction) == "undone\n"
        assert (priorities(one.pid), priorities(other.pid)) == before


def test_threads_that_start_later_follow(node: ShellNode, make: Make) -> None:
    with process(node) as running:
        task = make("process_priority", process=NAME, nice=-5)
        node.applied(node.change(task))
        assert running.stdin and running.stdout
        running.stdin.write("\n")
        running.stdin.flush()
        assert running.stdout.readline() == "more\n"
        assert len(priorities(running.pid)) == 8
        assert node.plan(task)[1] == []


def test_a_single_thread_that_differs_is_found(node: ShellNode, make: Make) -> None:
    with process(node) as running:
        task = make("process_priority", process=NAME, nice=-5)
        node.applied(node.change(task))
        last = max(os.listdir(f"/proc/{running.pid}/task"), key=int)  # noqa: PTH208
        subprocess.run(["renice", "0", "-p", last], check=True, capture_output=True)
        assert len(node.plan(task)[1]) == 1


def test_the_keeper_follows_restarts(node: ShellNode, make: Make) -> None:
    """Its script as the unit runs it; the unit itself is tested on a node with systemd (tests/lab)."""
    script = Path(__file__).parents[4] / "templates" / "process_priority" / "keep.sh"
    command = [*node.inside, str(script), "always", NAME, "2", "0", "-7"]
    with subprocess.Popen(command) as keeper:
        try:
            for _ in range(2):
                with process(node) as running:
                    deadline = time.monotonic() + 10
                    while set(priorities(running.pid)) != {("best-effort: prio 0", -7)}:
                        assert time.monotonic() < deadline, "seconds after a restart all threads must be set"
                        time.sleep(0.1)
        finally:
            keeper.kill()


def test_processes_of_other_network_namespaces_are_left_alone(node: ShellNode, make: Make) -> None:
    """They are some workload's own."""
    other = ShellNode()
    try:
        with process(node) as ours, process(other) as theirs:
            task = make("process_priority", process=NAME, nice=-5)
            node.applied(node.change(task))
            assert {nice for _, nice in priorities(ours.pid)} == {-5}
            assert {nice for _, nice in priorities(theirs.pid)} == {0}
            assert node.plan(task)[1] == []
    finally:
        other.close()


def test_a_process_that_does_not_run(node: ShellNode, make: Make) -> None:
    _, operations, noops = node.plan(make("process_priority", process="no-such-process"[:15]))
    assert operations == []
    assert whys(noops)[0].startswith("no process named no-such-process")


# The probe


def test_units_groups_and_files() -> None:
    out = (
        "@systemd\n@process 100 etcd.service\n:etcd\n:\n"
        "@path /etc/systemd/system/etcd.service.d/90-remediate-priority.conf file 644 root:root 0:0 6\n:a\n:b\n"
        "@process 200 -\n:etcd\n:/kubepods/pod1\n@path /etc/x absent\n@path /etc/y no-folder\n@keeper\n"
    )
    found = ProcessHomes("etcd").parse(Frame(out))
    assert found.processes == (
        ProcessHome(100, "etcd", "etcd.service", ""),
        ProcessHome(200, "etcd", "", "/kubepods/pod1"),
    )
    assert found.systemd
    assert found.keeper_active
    assert found.files[drop_in_path("etcd.service")].text == "a\nb\n\n\n"[:6]
    assert [found.files[path].kind for path in ("/etc/x", "/etc/y")] == [Kind.ABSENT, Kind.NO_FOLDER]


def test_files_are_read_to_the_byte(node: ShellNode) -> None:
    unit, script = keeper_files("etcd")
    node.run(f"mkdir -p /etc/remediate; printf 'a b\\n\\n  \\\\c\\n\\n\\n' >{unit}; : >{script}")
    seen, _, _ = node.plan(_Asking("etcd"))
    files = seen[ProcessHomes("etcd")].files
    assert files[unit].text == "a b\n\n  \\c\n\n\n"
    assert (files[script].kind, files[script].text) == (Kind.FILE, "")


class _Asking(Task, frozen=True, kw_only=False):
    """Asks for homes and wants nothing."""

    process: str

    def facts(self) -> Any:
        return (ProcessHomes(self.process),)

    def plan(self, seen: Seen) -> Any:  # noqa: ARG002
        return iter(())
