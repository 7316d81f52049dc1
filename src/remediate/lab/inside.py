"""Reaching into a node from this machine, past its network: for faults and for setting the lab up."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from remediate.errors import ChangeFailed
from remediate.lab import groups
from remediate.lab.host import run
from remediate.lab.spec import NodeSpec


def leader(node: NodeSpec) -> int | None:
    """The process on this machine that is the node's first; None where the node is down."""
    for pid in groups.processes(node.group):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        ids = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
        if len(ids) > 1 and ids[-1] == "1":
            return pid
    return None


def inside(node: NodeSpec, *argv: str, timeout: float = 60, stdin: bytes | None = None) -> str:
    """Run a program in the node as root and return its output.

    Raises:
        ChangeFailed: the node is down, or the program fails.
    """
    pid = leader(node)
    if pid is None:
        raise ChangeFailed("is down", where=node.name, hint=f"remediate lab fault {node.name} kill --undo")
    spaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
    return run("nsenter", f"--target={pid}", *spaces, "--", *argv, timeout=timeout, stdin=stdin)


def wait_for_ssh(node: NodeSpec, deadline: float) -> None:
    """Wait until the node's sshd answers.

    Args:
        node: the node.
        deadline: monotonic time.

    Raises:
        ChangeFailed: it does not answer in time; the last line of the node's console says more.
    """
    while not _answers(node.ip):
        if time.monotonic() > deadline:
            raise ChangeFailed(
                "sshd does not answer", where=node.name, hint=_last_line(node.home / "console.log")
            )
        time.sleep(0.1)


def _answers(ip: str) -> bool:
    try:
        with socket.create_connection((ip, 22), timeout=1) as connection:
            connection.settimeout(2)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "backslashreplace").split("\n") if log.exists() else []
    said = next((line for line in reversed(lines) if line.strip()), "nothing")
    return f"{log} ends with: {said[-200:]!r}"
