"""Give every thread of a process an I/O class and a nice value, now and after every restart.

`ionice -p` and `renice -p` change one thread of many; this task sets and verifies all of them. It is kept by a drop-in
where a systemd unit starts the process, and by a small unit of its own for a static pod. Where the disk's scheduler
does not look at I/O classes, or where a CPU group bounds what the nice value can do, the task says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec

from remediate.facts.base import Fact, Seen
from remediate.facts.disk import DataDisks
from remediate.facts.home import ProcessHomes
from remediate.task.base import Noop, Operation, Task
from remediate.task.priority import WITH_LEVELS, IoClass, Priority, plan

Process = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$")]
"""The kernel keeps 15 characters of a command's name (proc(5)); the pattern is what a unit's name can hold, too."""


class ProcessPriority(Task, frozen=True):
    """Priority of a process.

    Attributes:
        process: the command's name as `pgrep -x` takes it.
        io_class: I/O class.
        io_level: 0 is the highest; for `realtime` and `best-effort`.
        nice: -20 is the highest.
    """

    process: Process
    io_class: IoClass = "best-effort"
    io_level: Annotated[int, msgspec.Meta(ge=0, le=7)] = 0
    nice: Annotated[int, msgspec.Meta(ge=-20, le=19)] = -20

    def facts(self) -> Sequence[Fact[Any]]:
        """Threads, what starts the process, and the disk's scheduler."""
        disk = (DataDisks(),) if self.process == "etcd" else ()
        return (ProcessHomes(self.process), *disk)

    def plan(self, seen: Seen) -> Iterator[Operation | Noop]:
        """One wish, unless every thread has it and it is kept."""
        level = self.io_level if self.io_class in WITH_LEVELS else 0
        yield from plan(self.process, Priority(self.io_class, level, self.nice), seen)
