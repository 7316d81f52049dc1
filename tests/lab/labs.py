"""Real labs for tests: built once per pytest run, named after it, and always taken down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import testinfra

from remediate.lab import spec

RUN = f"test-{os.getpid()}"
"""Names of this run's labs begin with it."""


class RunningLab:
    """A lab that is up, as a test sees it.

    Attributes:
        name: its name.
        inventory: its inventory file.
        nodes: names of its nodes.
        client: paths of a client certificate: `cacert`, `cert`, `key`.
    """

    def __init__(self, name: str, folder: Path, *options: str) -> None:
        self.name = name
        self.inventory = folder / f"{name}.yml"
        lab("up", "--name", name, "--inventory", str(self.inventory), "--kubelet-delay", "1", *options)
        self.spec = spec.load(name)
        self.nodes = tuple(node.name for node in self.spec.nodes)
        self.client: dict[str, str] = self.status()["client"]
        self._ssh_config = folder / f"{name}.ssh_config"
        self._ssh_config.write_text(self._ssh_options())

    def status(self) -> dict[str, Any]:
        """The document of `lab status --output json`."""
        found: dict[str, Any] = json.loads(lab("status", "--name", self.name, "--output", "json"))
        return found

    def ssh(self, node: str, command: str, *, check: bool = True, user: str = "root", stdin: str = "") -> str:
        """Run a command on a node over SSH and return its standard output; its exit code must be 0 if checked."""
        argv = ["ssh", "-F", str(self._ssh_config), "-l", user, node, command]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=120, check=False)
        assert not check or done.returncode == 0, f"{node}: {command}: exit {done.returncode}: {done.stderr}"
        return done.stdout

    def put(self, node: str, path: str, text: str) -> None:
        """Write a file on a node as a careful editor does: beside it under a dot name, then renamed over it."""
        draft = str(Path(path).with_name(f".{Path(path).name}.new"))
        self.ssh(node, f"cat >{draft} && chmod 0600 {draft} && mv {draft} {path} && sync {path}", stdin=text)

    def host(self, node: str) -> Any:
        """The node as testinfra sees it."""
        return testinfra.get_host(f"ssh://{node}", ssh_config=str(self._ssh_config))

    def fault(self, node: str, kind: str, *, undo: bool = False) -> None:
        """Cause a fault, or take it back."""
        lab("fault", "--name", self.name, node, kind, *(["--undo"] if undo else []))

    def etcdctl(self, node: str, *words: str) -> Any:
        """Run the node's own etcdctl against its own member; its JSON."""
        pki = "/etc/kubernetes/pki/etcd"
        files = (
            f"--cacert={pki}/ca.crt --cert={pki}/healthcheck-client.crt --key={pki}/healthcheck-client.key"
        )
        command = (
            f"ETCDCTL_API=3 etcdctl --endpoints=https://127.0.0.1:2379 {files} -w json {' '.join(words)}"
        )
        return json.loads(self.ssh(node, command))

    def wait(self, reached: Callable[[], object], seconds: float = 60) -> None:
        """Wait until a condition is true."""
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline, f"not reached within {seconds:g} s"
            time.sleep(0.1)

    def wait_healthy(self, seconds: float = 60) -> None:
        """Wait until every member is healthy."""
        self.wait(lambda: all(node["healthy"] for node in self.status()["nodes"].values()), seconds)

    def close(self) -> None:
        """Take the lab down."""
        lab("down", "--name", self.name)

    def _ssh_options(self) -> str:
        common = (
            f"Host *\n  User root\n  IdentityFile {self.spec.key}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.spec.known_hosts}\n  StrictHostKeyChecking yes\n  ConnectTimeout 10\n"
            f"  ControlMaster auto\n  ControlPersist 20\n  ControlPath {self.spec.home}/ssh-%n-%r\n"
            "  ServerAliveInterval 2\n  ServerAliveCountMax 3\n  LogLevel ERROR\n"
        )
        return "".join(f"Host {node.name}\n  HostName {node.ip}\n" for node in self.spec.nodes) + common


def lab(*arguments: str, timeout: float = 300) -> str:
    """Run `remediate lab …`, which must succeed; its standard output."""
    argv = [sys.executable, "-m", "remediate", "lab", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"lab {' '.join(arguments)}: exit {done.returncode}: {done.stderr}"
    return done.stdout


def forgotten() -> list[str]:
    """Labs of test runs that were killed: named after a process that is no more."""
    names = [path.name for path in spec.state_root().glob("test-*")]
    return [name for name in names if not Path("/proc", name.split("-")[1]).exists()]
