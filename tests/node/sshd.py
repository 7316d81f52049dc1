"""A real sshd on loopback, with keys, configuration and port of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from remediate.inventory.connection import ConnectionSettings


def free_port() -> int:
    """A TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A new key pair; the public half is beside it."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", path], check=True)
    return path


def public(key: Path) -> str:
    """`ssh-ed25519 AAAA…` of a key pair."""
    return " ".join(key.with_name(key.name + ".pub").read_text().split()[:2])


@dataclass(frozen=True)
class Sshd:
    """A running sshd.

    Attributes:
        folder: its files.
        port: on 127.0.0.1.
        pid: the listening process.
        user_key: a private key that it accepts for every user.
        known: a known_hosts file with its host keys.
    """

    folder: Path
    port: int
    pid: int
    user_key: Path
    known: Path

    def settings(self, user: str, **other: object) -> ConnectionSettings:
        """How to reach it, as an inventory would say."""
        said = {"private_key": self.user_key, "known_hosts": (self.known,), "port": self.port, "user": user}
        return ConnectionSettings(**{"name": "n1", "address": "127.0.0.1", **said, **other})

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return (self.folder / "log").read_text()


@contextmanager
def sshd(
    folder: Path,
    user_key: Path,
    *lines: str,
    host_keys: tuple[str, ...] = ("ed25519",),
    address: str = "127.0.0.1",
    namespace: str = "",
) -> Iterator[Sshd]:
    """Start one, and end it with all that it started.

    Args:
        folder: an empty folder for its files.
        user_key: whose public half may log in.
        lines: of sshd_config(5), before its own: the first that speaks of a setting wins.
        host_keys: types.
        address: where it listens.
        namespace: the network namespace that it runs in; empty for this one.
    """
    folder.mkdir(mode=0o755)
    Path("/run/sshd").mkdir(exist_ok=True)
    keys = [make_key(folder / f"host_{kind}", kind) for kind in host_keys]
    (folder / "authorized").write_text(public(user_key) + "\n")
    port = free_port()
    config = folder / "config"
    config.write_text(
        "\n".join(
            [
                *lines,
                f"Port {port}",
                f"ListenAddress {address}",
                *(f"HostKey {key}" for key in keys),
                f"AuthorizedKeysFile {folder}/authorized",
                f"PidFile {folder}/pid",
                "PasswordAuthentication no",
                "StrictModes no",
                "LogLevel VERBOSE",
                "MaxStartups 200:30:300",
            ]
        )
        + "\n"
    )
    known = folder / "known_hosts"
    known.write_text("".join(f"[{address}]:{port} {public(key)}\n" for key in keys))
    inside = ["ip", "netns", "exec", namespace] if namespace else []
    command = [*inside, "/usr/sbin/sshd", "-D", "-f", config, "-E", folder / "log"]
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            _wait_for(address, port)
            yield Sshd(folder, port, process.pid, user_key, known)
        finally:
            for pid in [*descendants(process.pid), process.pid]:
                subprocess.run(["kill", "-KILL", str(pid)], check=False, capture_output=True)


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        children.setdefault(int(fields["PPid"]), []).append(int(fields["Pid"]))
    below = list(children.get(pid, []))
    for child in below:  # grows while it is read
        below += children.get(child, [])
    return below


def _wait_for(address: str, port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("sshd does not listen")
