"""The machine that every contender looks at: one sshd on loopback, and the ten settings, all as they should be.

It lives in namespaces of its own (`node.sh`) and dies with this process, however that ends.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE / "project"
"""The same ten settings, in each contender's own words."""

ADDRESS, USER = "127.0.0.1", "comparison"
STARTS_WITHIN = 20.0
"""Seconds until sshd must answer."""

TOOLS = ("unshare", "setpriv", "sshd", "ssh", "ssh-keygen", "ionice", "pgrep", "sysctl")


class CannotCompare(Exception):
    """The comparison cannot be made here; the text says why."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One of the ten, and how it is put out of order and back into order on the node (sh)."""

    name: str
    spoil: str
    mend: str


def _flag(name: str, value: int) -> Setting:
    file = "/etc/kubernetes/manifests/etcd.yaml"
    wrong = value * 2
    return Setting(
        f"flag {name}",
        f"sed -i s/--{name}={value}/--{name}={wrong}/ {file}",
        f"sed -i s/--{name}={wrong}/--{name}={value}/ {file}",
    )


def _kernel(name: str, value: int) -> Setting:
    return Setting(
        f"kernel.{name}",
        f"echo {value + 1} >/proc/sys/kernel/{name}",
        f"echo {value} >/proc/sys/kernel/{name}",
    )


SETTINGS = (
    Setting("file 1", "echo debug: true >>/etc/crictl.yaml", "sed -i /debug/d /etc/crictl.yaml"),
    Setting(
        "file 2",
        "sed -i s/overlay/overlaid/ /etc/modules-load.d/k8s.conf",
        "sed -i s/overlaid/overlay/ /etc/modules-load.d/k8s.conf",
    ),
    _flag("heartbeat-interval", 250),
    _flag("election-timeout", 2500),
    _flag("snapshot-count", 5000),
    _kernel("msgmax", 16384),
    _kernel("msgmnb", 32768),
    _kernel("shmmni", 8192),
    Setting(
        "I/O class",
        "ionice -c 3 -p $(pgrep -x benchmarked)",
        "ionice -c 2 -n 0 -p $(pgrep -x benchmarked)",
    ),
    Setting(
        "nice value", "renice -n 5 -p $(pgrep -x benchmarked)", "renice -n -20 -p $(pgrep -x benchmarked)"
    ),
)


@dataclass(frozen=True, slots=True)
class Node:
    """How the node is reached.

    Attributes:
        folder: keys, known_hosts, inventories; a home without files for the contenders.
    """

    folder: Path
    port: int

    @property
    def key(self) -> Path:
        """The user's private key."""
        return self.folder / "user"

    @property
    def known_hosts(self) -> Path:
        """The file with the node's host key."""
        return self.folder / "known_hosts"

    @property
    def home(self) -> Path:
        """What contenders have as HOME, so that nobody's own ssh_config or ansible.cfg counts."""
        return self.folder / "home"

    def run(self, command: str) -> str:
        """Run a command on the node through ssh, and return what it prints. Raises CannotCompare."""
        ssh = ("ssh", "-F", "none", "-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "BatchMode=yes")
        to = ("-i", str(self.key), "-p", str(self.port), f"{USER}@{ADDRESS}")
        done = subprocess.run(
            [*ssh, *to, command],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise CannotCompare(
                f"on the node, `{command}` ended with {done.returncode}: {done.stderr.strip()}"
            )
        return done.stdout

    def inventories(self, hosts: int) -> None:
        """Write the inventories of so many names for this node: Ansible's format, and pyinfra's."""
        names = [f"h{number:03}" for number in range(1, hosts + 1)]
        (self.folder / f"hosts-{hosts}.yml").write_text(json.dumps(self._ansible(names), indent=1))
        (self.folder / f"hosts_{hosts}.py").write_text(f"hosts = {[(n, self._pyinfra()) for n in names]!r}\n")

    def _ansible(self, names: list[str]) -> dict[str, object]:
        """JSON is YAML too. Each name has a control socket of its own: by default one would serve all of them."""
        variables = {
            "ansible_host": ADDRESS,
            "ansible_port": self.port,
            "ansible_user": USER,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts} -o StrictHostKeyChecking=yes",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        hosts = {name: {"ansible_control_path": str(self.folder / "control" / name)} for name in names}
        return {"all": {"vars": variables, "hosts": hosts}}

    def _pyinfra(self) -> dict[str, object]:
        return {
            "ssh_hostname": ADDRESS,
            "ssh_port": self.port,
            "ssh_user": USER,
            "ssh_key": str(self.key),
            "ssh_known_hosts_file": str(self.known_hosts),
            "ssh_strict_host_key_checking": "yes",
        }


@contextmanager
def started(folder: Path) -> Iterator[Node]:
    """Start the node; nothing of it is left afterwards.

    Args:
        folder: empty and the caller's.

    Raises:
        CannotCompare: a tool or root's rights are missing, or sshd does not come up.
    """
    _require()
    node = _prepared(folder)
    namespaces = ("unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc")
    script = ("sh", str(HERE / "node.sh"), str(node.port), str(folder), str(PROJECT))
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *namespaces, *script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # nothing is written there; its end tells that all of the node has ended
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches us first
        )
    try:
        _wait_for(node, process)
        yield node
    finally:
        process.kill()  # the kernel then ends everything in its namespaces
        process.communicate(timeout=10)


def _require() -> None:
    if os.geteuid():
        raise CannotCompare("namespaces and another sshd need root's rights: run it with sudo")
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    missing = [tool for tool in TOOLS if shutil.which(tool, path=path) is None]
    if missing:
        raise CannotCompare(
            f"{', '.join(missing)} not found: apt-get install openssh-server openssh-client util-linux procps"
        )


def _prepared(folder: Path) -> Node:
    with socket.socket() as free:
        free.bind((ADDRESS, 0))
        node = Node(folder, free.getsockname()[1])
    for name in ("home", "control"):
        (folder / name).mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)],
            check=True,
            timeout=30,
            stdin=subprocess.DEVNULL,
        )
    key = (folder / "host.pub").read_text()
    node.known_hosts.write_text(f"[{ADDRESS}]:{node.port} {key}")
    return node


def _wait_for(node: Node, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and process.poll() is None:
        try:
            with socket.create_connection((ADDRESS, node.port), timeout=1) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.05)
    said = (node.folder / "sshd.log").read_text(errors="replace").strip()
    raise CannotCompare(f"sshd did not come up: {said or 'it said nothing'}")
