"""The lab kubelet's container runtime: a container is a transient systemd unit with the image as its root."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from .pods import Container, Volume

IMAGES = Path("/var/lib/lab-kubelet/images")
STATE = Path("/run/lab-kubelet")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class StartError(Exception):
    """A container could not be started."""


@dataclass
class Running:
    """A container that was started; times in seconds since the epoch.

    Attributes:
        id: 64 hexadecimal digits.
        key: the container's identity over edits of its manifest.
        uid: of the manifest it came from.
        attempt: restart count.
        pid: its first process.
        started: when.
        state: "running", "stopping" or "exited".
        ready: its start-up probe passed.
    """

    id: str
    key: str
    uid: str
    image: str
    attempt: int
    pid: int
    started: float
    state: str = "running"
    ready: bool = False
    failures: int = 0

    @property
    def unit(self) -> str:
        """Its systemd unit."""
        return f"lab-container-{self.id[:12]}.service"


def start(container: Container, attempt: int, now: float) -> Running:
    """Start a container.

    Raises:
        StartError: image, volume or program is missing, or systemd refuses.
    """
    ident = secrets.token_hex(32)
    root = _root(container.image, ident)
    running = Running(ident, container.key, container.uid, container.image, attempt, 0, now)
    command = ["systemd-run", "--quiet", f"--unit={running.unit}", "--slice=kubepods-burstable.slice"]
    command += ["--service-type=exec", f"--description=Container {container.key}"]
    properties = {"RootDirectory": str(root), "MountAPIVFS": "yes", "WorkingDirectory": "/"}
    properties |= {"TimeoutStopSec": f"{container.grace:g}", "OOMScoreAdjust": "-997"}
    command += [f"--property={name}={value}" for name, value in properties.items()]
    command += [_bind(volume) for volume in container.volumes]
    command += [f"--setenv={name}={value}" for name, value in (("PATH", _PATH), *container.environment)]
    command += [
        "--",
        _program(root, container.command),
        *(arg.replace("$", "$$") for arg in container.command[1:]),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        discard(running)
        raise StartError(done.stderr.strip() or f"systemd-run: exit code {done.returncode}")
    running.pid = int(show(running.unit, "MainPID") or 0)
    return running


def stop(running: Running) -> None:
    """Ask a container to end (SIGTERM, SIGKILL after its grace period); returns at once."""
    subprocess.run(["systemctl", "--no-block", "stop", running.unit], timeout=30, check=False)


def alive(running: Running) -> bool:
    """Whether its first process still is a process of its unit."""
    try:
        return running.unit in Path(f"/proc/{running.pid}/cgroup").read_text()
    except OSError:
        return False


def ended(running: Running) -> bool:
    """Whether the unit is over, all its processes included."""
    return show(running.unit, "ActiveState") in ("", "inactive", "failed")


def discard(running: Running) -> None:
    """Drop what a container that is over left behind."""
    subprocess.run(["systemctl", "reset-failed", running.unit], capture_output=True, timeout=30, check=False)
    folder = STATE / "containers" / running.id
    subprocess.run(["umount", str(folder / "root")], capture_output=True, timeout=30, check=False)
    subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], timeout=30, check=False)


def show(unit: str, name: str) -> str:
    """A property of a unit."""
    asked = ["systemctl", "show", "--value", f"--property={name}", unit]
    return subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False).stdout.strip()


def save(containers: list[Running]) -> None:
    """Write what crictl and a restarted kubelet read."""
    STATE.mkdir(exist_ok=True)
    draft = STATE / ".containers.json"
    draft.write_text(json.dumps([asdict(one) for one in containers], indent=1))
    draft.rename(STATE / "containers.json")


def load() -> list[Running]:
    """The containers that `save` wrote; none after a boot."""
    try:
        return [Running(**one) for one in json.loads((STATE / "containers.json").read_text())]
    except (OSError, ValueError, TypeError):
        return []


def _root(image: str, ident: str) -> Path:
    """A writable root over the image; its upper layer is in memory and goes with the container."""
    name, _, tag = image.rpartition(":")
    lower = IMAGES / name / tag
    if not name or not lower.is_dir():
        raise StartError(f"ErrImagePull: no image {image!r} on this node")
    folder = STATE / "containers" / ident
    for part in ("upper", "work", "root"):
        (folder / part).mkdir(parents=True)
    layers = f"lowerdir={lower},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    root = folder / "root"
    done = subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", layers, str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StartError(done.stderr.strip())
    return root


def _bind(volume: Volume) -> str:
    source = Path(volume.source)
    if volume.kind == "DirectoryOrCreate":
        source.mkdir(parents=True, exist_ok=True)
    elif volume.kind == "FileOrCreate":
        source.touch(exist_ok=True)
    elif not source.exists():
        raise StartError(f"hostPath {volume.source} does not exist")
    kind = "BindReadOnlyPaths" if volume.read_only else "BindPaths"
    return f"--property={kind}={volume.source}:{volume.target}"


def _program(root: Path, command: tuple[str, ...]) -> str:
    """The program's path inside the container."""
    if not command:
        raise StartError("no command in the manifest, and the image has none")
    program = command[0]
    candidates = (
        [program] if program.startswith("/") else [f"{folder}/{program}" for folder in _PATH.split(":")]
    )
    for candidate in candidates:
        if os.access(root / candidate.lstrip("/"), os.X_OK):
            return candidate
    raise StartError(f"exec: {program!r}: executable file not found in $PATH")
