"""A node's disks: sparse image files behind loop devices, XFS where they are mounted.

`system` holds what the node writes over its base image (manifests, /var/lib/remediate, units: all of it), `data` holds
/var/lib/etcd, `spare` is blank. XFS shows after a power cut what was not synced, ext4 hides it (LAB-NOTES).
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from remediate.errors import ChangeFailed
from remediate.lab.host import run

SIZES = {"system": 4 << 30, "data": 8 << 30, "spare": 8 << 30}
"""Bytes per disk; the files are sparse. Data: twice etcd's default quota of 2 GiB (defragmentation), and the WAL."""

SCHEDULERS = ("mq-deadline", "bfq")
"""Schedulers that know I/O priorities, best first; `ionice` has no effect under the others (FIELD-NOTES)."""

_DETACH_SECONDS = 10.0
_LOOP_CTL_REMOVE = 0x4C81  # linux/loop.h
_XFS_IOC_GOINGDOWN = 0x8004587D  # _IOR('X', 125, __u32); ext4 and f2fs know the same number
_GOING_WITHOUT_LOG_FLUSH = 2


class Device(msgspec.Struct, frozen=True):
    """An attached loop device.

    Attributes:
        path: /dev/loopN.
        number: MAJ:MIN.
        scheduler: scheduler found before the lab set its own, to be put back.
        created: the device did not exist before; it is removed at the end.
    """

    path: str
    number: str
    scheduler: str
    created: bool


def create(home: Path, uuids: dict[str, str]) -> None:
    """Make the image files; those with a UUID get an XFS."""
    home.mkdir(parents=True, exist_ok=True)
    for name, size in SIZES.items():
        path = image(home, name)
        with path.open("wb") as handle:
            handle.truncate(size)
        if name in uuids:
            run("mkfs.xfs", "-q", "-m", f"uuid={uuids[name]}", "-L", f"lab-{name}", str(path))


def image(home: Path, name: str) -> Path:
    """The image file of a disk."""
    return home / f"{name}.img"


def attach(home: Path) -> dict[str, Device]:
    """Attach a node's disks that are not attached yet, on their former devices where these are free."""
    known = attached(home)
    devices: dict[str, Device] = {}
    for name in SIZES:
        before = known.get(name)
        path = image(home, name)
        bound = _bound(path)
        if before is None or bound != before.path:
            before = _attach(path, before)
        devices[name] = before
        (home / "disks.json").write_bytes(msgspec.json.encode(devices))
    return devices


def attached(home: Path) -> dict[str, Device]:
    """The devices that `attach` wrote down; empty before it."""
    try:
        return msgspec.json.decode((home / "disks.json").read_bytes(), type=dict[str, Device])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def detach(folder: Path) -> None:
    """Detach every loop device whose file lies below the folder, and put the devices back as they were.

    Raises:
        ChangeFailed: a device is still in use after 10 s.
    """
    release(folder)
    for record in folder.rglob("disks.json"):
        for device in attached(record.parent).values():
            _restore(device)


def release(folder: Path) -> None:
    """Detach every loop device whose file lies below the folder; `attach` takes the same devices again.

    Raises:
        ChangeFailed: a device is still in use after 10 s.
    """
    deadline = time.monotonic() + _DETACH_SECONDS
    while busy := [device for device, _ in _loops_below(folder)]:
        if time.monotonic() > deadline:
            raise ChangeFailed(
                "still in use", where=" ".join(busy), hint="something holds the lab's disks open"
            )
        run("losetup", "--detach", *busy, ok=(0, 1))
        time.sleep(0.05)


def stop_writes(mount_points: list[str]) -> None:
    """Shut mounted file systems down at once, without flushing their log: this is the instant of the power cut.

    One that knows no shutdown goes on writing; it has what the copy of its image catches.
    """
    for mount_point in mount_points:
        handle = os.open(mount_point, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(handle, _XFS_IOC_GOINGDOWN, _GOING_WITHOUT_LOG_FLUSH.to_bytes(4, "little"))
        except OSError as problem:
            if problem.errno != errno.ENOTTY:
                raise
        finally:
            os.close(handle)


def copy_images(home: Path, suffix: str) -> None:
    """Copy a node's disk images, holes kept, beside themselves."""
    for name in SIZES:
        source = image(home, name)
        run("cp", "--sparse=always", "--reflink=auto", str(source), f"{source}{suffix}", timeout=300)


def schedulers(device: str) -> tuple[str, list[str]]:
    """The scheduler in use for a block device, and all that the kernel offers for it."""
    words = _queue(device).read_text().split()
    current = next((word.strip("[]") for word in words if word.startswith("[")), "none")
    return current, [word.strip("[]") for word in words]


def _attach(path: Path, before: Device | None) -> Device:
    existing = set(Path("/sys/block").glob("loop*"))
    device = ""
    if before is not None and not _is_bound(before.path):
        run("losetup", before.path, str(path), ok=(0, 1))
        device = before.path if _bound(path) == before.path else ""
    device = device or run("losetup", "--find", "--show", str(path)).strip()
    current, offered = schedulers(device)
    wanted = next((name for name in SCHEDULERS if name in offered), None)
    if wanted and wanted != current:
        _queue(device).write_text(wanted)
    if before is not None and device == before.path:
        return before
    name = Path(device).name
    number = (Path("/sys/block") / name / "dev").read_text().strip()
    return Device(device, number, current, created=Path("/sys/block") / name not in existing)


def _restore(device: Device) -> None:
    if _is_bound(device.path) or not _queue(device.path).exists():
        return  # somebody else's by now, or gone
    _queue(device.path).write_text(device.scheduler)
    if device.created:
        control = os.open("/dev/loop-control", os.O_RDWR)
        try:
            fcntl.ioctl(control, _LOOP_CTL_REMOVE, int(Path(device.path).name.removeprefix("loop")))
        except OSError:  # taken by somebody in this very moment
            return
        finally:
            os.close(control)


def _queue(device: str) -> Path:
    return Path("/sys/block") / Path(device).name / "queue" / "scheduler"


def _bound(path: Path) -> str | None:
    return next((device for device, file in _loops_below(path.parent) if file == path), None)


def _is_bound(device: str) -> bool:
    return (Path("/sys/block") / Path(device).name / "loop" / "backing_file").exists()


def _loops_below(folder: Path) -> Iterator[tuple[str, Path]]:
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            file = Path(backing.read_text().rstrip("\n").removesuffix(" (deleted)"))
        except OSError:  # detached in this very moment
            continue
        if file.is_relative_to(folder.resolve()):
            yield f"/dev/{backing.parent.parent.name}", file


def discard(folder: Path) -> None:
    """Delete a lab's folder with all images in it."""
    shutil.rmtree(folder, ignore_errors=True)
