"""Control groups: every process of a lab is in one, so nothing of it can be lost; a disk limit hangs on a node's.

Works on cgroup v1, hybrid and v2: of the mounted hierarchies those count that track services (`name=systemd`, v2)
and the one that limits block devices (`blkio`, or `io` of v2).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from remediate.errors import ChangeFailed

_KILL_SECONDS = 20.0


def hierarchies(mountinfo: str | None = None) -> dict[str, Path]:
    """The hierarchies in use: "v2", "systemd", "blkio" → mount point, as far as they are mounted.

    Args:
        mountinfo: text of /proc/self/mountinfo, for tests.
    """
    found: dict[str, Path] = {}
    for line in (mountinfo or Path("/proc/self/mountinfo").read_text()).splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        where = Path(left.split()[4])
        if kind == "cgroup2":
            found.setdefault("v2", where)
        elif kind == "cgroup":
            names = options.split(",")
            if "name=systemd" in names:
                found.setdefault("systemd", where)
            if "blkio" in names:
                found.setdefault("blkio", where)
    return found


def create(group: str) -> list[Path]:
    """Make a group in every hierarchy; returns its folders.

    Raises:
        ChangeFailed: this machine mounts no hierarchy, or not writably.
    """
    folders = [root / group for root in hierarchies().values()]
    if not folders:
        raise ChangeFailed("no control group hierarchy is mounted", where="/sys/fs/cgroup")
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise ChangeFailed(
                f"cannot make a control group: {problem.strerror}", where=str(folder)
            ) from None
    return folders


def entering(group: str, *argv: str) -> list[str]:
    """A command line that enters the group and then becomes `argv`, so that no process of it is ever outside."""
    files = [str(folder / "cgroup.procs") for folder in create(group)]
    enter = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 1; shift; done; shift; exec "$@"'
    return ["sh", "-c", enter, "enter", *files, "--", *argv]


def processes(group: str) -> set[int]:
    """Process IDs in the group and all below it."""
    found: set[int] = set()
    for folder in _folders(group):
        try:
            found.update(int(pid) for pid in (folder / "cgroup.procs").read_text().split())
        except OSError:  # the group went away while we looked
            continue
    return found - {0}


def kill(group: str) -> None:
    """Kill every process of the group and wait until none is left.

    Raises:
        ChangeFailed: one survives.
    """
    deadline = time.monotonic() + _KILL_SECONDS
    while left := processes(group):
        if time.monotonic() > deadline:
            raise ChangeFailed(f"processes do not die: {sorted(left)}", where=group)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def remove(group: str) -> None:
    """Kill what is in the group, then remove its folders in every hierarchy, and the common parent once it is empty."""
    kill(group)
    deadline = time.monotonic() + _KILL_SECONDS
    for folder in sorted(_folders(group), key=lambda path: len(path.parts), reverse=True):
        _remove_folder(folder, deadline)
    for root in hierarchies().values():
        parent = (root / group).parent
        if parent != root and parent.is_dir() and not any(child.is_dir() for child in parent.iterdir()):
            parent.rmdir()


def _remove_folder(folder: Path, deadline: float) -> None:
    """Remove an empty group; it is busy for a moment longer than its last process lives."""
    while True:
        try:
            folder.rmdir()
            return
        except OSError as problem:
            if time.monotonic() > deadline:
                raise ChangeFailed(
                    f"cannot remove a control group: {problem.strerror}", where=str(folder)
                ) from None
            time.sleep(0.02)


def limit_writes(group: str, device: str, iops: int | None) -> None:
    """Limit the writes per second that the group may issue to a block device.

    Args:
        group: the node's group.
        device: MAJ:MIN.
        iops: writes per second, None for no limit.
    """
    mounted = hierarchies()
    if "blkio" in mounted:
        (mounted["blkio"] / group / "blkio.throttle.write_iops_device").write_text(f"{device} {iops or 0}")
        return
    root = mounted["v2"]
    for folder in reversed((root / group).parents):
        if folder.is_relative_to(root):
            (folder / "cgroup.subtree_control").write_text("+io")
    (root / group / "io.max").write_text(f"{device} wiops={iops or 'max'}")


def _folders(group: str) -> Iterator[Path]:
    for root in hierarchies().values():
        top = root / group
        yield from (Path(folder) for folder, _, _ in os.walk(top))  # walk takes it well when folders vanish
