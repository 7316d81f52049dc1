"""A cluster of model nodes: they answer looks and activities with captured outputs, and tell what they were asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from threading import Lock

from remediate.errors import Unreachable
from remediate.etcd.model import (
    Cluster,
    DataDisk,
    EtcdHost,
    EtcdProcess,
    EtcdStatus,
    FlagFile,
    Layout,
    ManifestFile,
    Member,
)
from remediate.node.api import DEFAULT_CAP, Completed
from tests.unit.measure.data import captured

PEERS = {"n1": "10.0.0.1", "n2": "10.0.0.2", "n3": "10.0.0.3"}
FIO = captured("fio-healthy-disk.json")
PUTS = "200 0.010 0.014\n200 0.000 0.002"
PING = "".join(f"path {number}\n{captured('ping-lan.txt')}" for number in range(2))
IPERF = captured("iperf3-slow-network.json")
LEADER = "@server 7 etcd\n@now 0\n:etcd_server_has_leader 1\n:etcd_server_leader_changes_seen_total 1"


class Journal:
    """What happened, in order: `fio n1 begins`, `fio n1 ends`, `gate n1`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._lock = Lock()

    def note(self, line: str) -> None:
        with self._lock:
            self.lines.append(line)

    def of(self, word: str) -> list[str]:
        """The lines that begin with a word."""
        return [line for line in self.lines if line.startswith(word)]


class ModelNode:
    """One node; `answers` by the first word of an activity's name, `metrics` and `leader` for looks."""

    execs = 0

    def __init__(self, name: str, journal: Journal, answers: dict[str, str]) -> None:
        self.name, self.journal = name, journal
        self.scripts: list[str] = []
        self.answers: dict[str, str] = {
            "metrics": captured("window-3.5-write.txt"),
            "leader": LEADER,
            "ping": PING,
            "iperf3": IPERF,
        } | answers

    def follow(
        self,
        script: str,
        on_line: Callable[[str], None],
        *,
        timeout: float,  # noqa: ARG002
        keepalive: float = 2.0,  # noqa: ARG002
    ) -> Completed:
        self.scripts.append(script)
        mark = re.search(r"^b_mark=(\w+)$", script, re.MULTILINE)
        if mark:
            what = "leader" if "window_scrape now" in script else "metrics"
            lines = [f"{mark[1]} 0", *self._answer(what).splitlines(), f"{mark[1]} 0 0"]
        else:
            found = re.search(r"^name=(\w+)", script)
            assert found
            what = found[1]
            lines = ["t", *(f"o {line}" for line in self._answer(what).splitlines()), "r 0"]
        self.journal.note(f"{what} {self.name} begins")
        for line in lines:
            on_line(line)
        self.journal.note(f"{what} {self.name} ends")
        return Completed(0, b"", b"", 0.1)

    def _answer(self, what: str) -> str:
        if what not in self.answers:
            raise Unreachable("no route", where=self.name)
        return self.answers[what]

    def run(
        self, script: str, *, timeout: float = 60, cap: int = DEFAULT_CAP, ok: Collection[int] | None = (0,)
    ) -> Completed:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


class Leaders(ModelNode):
    """A node whose member says something else about its leader each time it is asked."""

    def __init__(self, name: str, journal: Journal, answers: dict[str, str], leaders: list[str]) -> None:
        super().__init__(name, journal, answers)
        self._leaders = iter(leaders)

    def _answer(self, what: str) -> str:
        return next(self._leaders) if what == "leader" else super()._answer(what)


def member(name: str, *, leads: bool = False) -> EtcdHost:
    """A healthy member."""
    number = int(name[1:])
    members = tuple(Member(int(n[1:]), n, (f"https://{ip}:2380",), ()) for n, ip in PEERS.items())
    status = EtcdStatus(
        instance="etcd",
        via="etcdctl",
        version="3.5.16",
        cluster_id=9,
        member_id=number,
        leader=number if leads else 2,
        term=2,
        raft_index=5,
        applied_index=5,
        db_size=1,
        db_in_use=1,
        quota=2,
        is_learner=False,
        members=members,
        alarms=(),
        health_ms=1.0,
    )
    disk = DataDisk("etcd", "/data/etcd", "xfs", "/data", "/dev/vdb", "vdb", "none", 10**9, 10**9, False)
    return EtcdHost(name, "etcd", {}, EtcdProcess("etcd", 7, 1, ("etcd",)), status, disk=disk)


def down(name: str, data_dir: str) -> EtcdHost:
    """A member that does not run; only its manifest says where its data lies."""
    text = f"spec:\n  containers:\n  - command:\n    - etcd\n    - --data-dir={data_dir}\n"
    file = ManifestFile("/etc/kubernetes/manifests/etcd.yaml", text, "", "600", "root:root", "etcd")
    return EtcdHost(name, "etcd", {}, status_error="no etcd process runs", manifests=(file,))


def env_file(text: str) -> EtcdHost:
    """A member that does not run and has its settings in an environment file."""
    file = FlagFile("/etc/etcd.env", text, "", "600", "root:root", Layout.ENV_FILE, "etcd")
    return EtcdHost("n1", "etcd", {}, status_error="no etcd process runs", flag_file=file)


def cluster(*hosts: EtcdHost) -> Cluster:
    """Three healthy members, n2 leads, unless others are given."""
    return Cluster("main", hosts or (member("n1"), member("n2", leads=True), member("n3")))
