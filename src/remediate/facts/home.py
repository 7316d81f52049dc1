"""Processes of a name: threads, systemd unit, CPU group, and the files that keep their priority over restarts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from remediate.facts.base import Fact, FactError, Frame
from remediate.facts.blocks import Block, blocks
from remediate.facts.files import FileSeen, Kind
from remediate.facts.threads import ProcessPriority, ProcessThreads
from remediate.node.shell import sh

DROP_IN = "90-remediate-priority.conf"
"""Name of our drop-in for a unit that starts the process itself."""


def drop_in_path(unit: str) -> str:
    """Where the drop-in of a unit is."""
    return f"/etc/systemd/system/{unit}.d/{DROP_IN}"


def keeper_unit(process: str) -> str:
    """Name of the unit that keeps a process' priority where no unit starts it."""
    return f"remediate-priority-{process}.service"


def keeper_files(process: str) -> tuple[str, str]:
    """Paths of that unit and of its script."""
    return f"/etc/systemd/system/{keeper_unit(process)}", f"/etc/remediate/keep-priority-{process}.sh"


@dataclass(frozen=True, slots=True)
class ProcessHome:
    """One process.

    Attributes:
        pid: process ID on the node.
        command: its name as the kernel knows it; `k3s-server` where etcd lives inside k3s.
        unit: systemd unit that starts it, empty for a container or a transient unit.
        group: CPU group whose members a nice value is weighed against; empty where that is the whole machine.
    """

    pid: int
    command: str
    unit: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class HomesSeen:
    """All processes of a name.

    Attributes:
        systemd: the node runs it.
        processes: empty where none runs.
        threads: priorities of their threads, in the same order.
        files: the keeper's unit and script, and the drop-ins of the processes' units, by path.
        keeper_active: the keeper runs, and will after a reboot.
    """

    systemd: bool
    processes: tuple[ProcessHome, ...]
    threads: tuple[ProcessPriority, ...]
    files: Mapping[str, FileSeen]
    keeper_active: bool


@dataclass(frozen=True)
class ProcessHomes(Fact[HomesSeen]):
    """All about the processes of a name, in one probe because looking for them is what costs most.

    Attributes:
        process: as for ProcessThreads.
    """

    process: str
    needs: ClassVar[tuple[str, ...]] = ("etcd", "threads", "home")
    timeout: ClassVar[int] = 10

    def probe(self) -> str:
        """See the prelude `home`."""
        unit, script = keeper_files(self.process)
        return sh(
            "home_show {} {}; home_file {}; home_file {}; home_keeper {}",
            self.process,
            DROP_IN,
            unit,
            script,
            keeper_unit(self.process),
        )

    def parse(self, frame: Frame) -> HomesSeen:
        """Raises FactError where a file could not be read to the byte, or the node has no ionice."""
        found = tuple(blocks(frame.out))
        names = {block.name for block in found}
        return HomesSeen(
            systemd="systemd" in names,
            processes=tuple(_processes(found)),
            threads=ProcessThreads(self.process).parse(frame),
            files={block.words[0]: _file(block) for block in found if block.name == "path"},
            keeper_active="keeper" in names,
        )


def _processes(found: tuple[Block, ...]) -> Iterator[ProcessHome]:
    """`@process PID UNIT`, with the command's name and the CPU group on two lines, either may be empty."""
    for block in found:
        if block.name == "process":
            pid, unit = block.words
            command, group = (*block.lines, "", "")[:2]
            yield ProcessHome(int(pid), command, "" if unit == "-" else unit, "" if group == "/" else group)


def _file(block: Block) -> FileSeen:
    """`@path PATH KIND [MODE OWNER IDS SIZE]` and its lines; the size tells how many newlines are at the end."""
    path, kind, *rights = block.words
    if kind != Kind.FILE:
        return FileSeen(path, Kind(kind))
    mode, owner, ids, size = rights
    text = block.text
    missing = int(size) - len(text.encode())
    if not 0 <= missing < 100:
        raise FactError(f"{path} is not UTF-8 text, or changed while it was read")
    return FileSeen(path, Kind.FILE, text + "\n" * missing, mode, owner, ids)
