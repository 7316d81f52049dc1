"""What is known about etcd: plain values that facts produce and that gates, diagnosis and tasks read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Layout(StrEnum):
    """Where an etcd's flags are kept (FIELD-NOTES, "Where etcd lives")."""

    STATIC_POD = "static-pod"
    ENV_FILE = "env-file"
    K3S = "k3s"
    RKE2 = "rke2"
    OPENSHIFT = "openshift"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class EtcdProcess:
    """A running etcd server.

    Attributes:
        instance: name of the static pod or unit; `etcd` for the main one, `etcd-events` and the like for others.
        pid: process ID on the node.
        start_ticks: start time in clock ticks since boot (`/proc/PID/stat` field 22): tells new from old processes.
        argv: the live command line.
        environment: its `ETCD_*` variables, without any that holds a password.
        root: `/proc/PID/root` where the process has a root of its own (a container), else empty.
    """

    instance: str
    pid: int
    start_ticks: int
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    root: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One row of the member list. IDs are 64-bit integers; `f"{id:x}"` is what etcdctl prints."""

    id: int
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    is_learner: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that some member raised: `NOSPACE` or `CORRUPT`."""

    member_id: int
    kind: str


@dataclass(frozen=True, slots=True)
class EtcdStatus:
    """What one member says of itself and of its cluster.

    Attributes:
        instance: as in EtcdProcess.
        via: how it was asked: `etcdctl`, `container` (etcdctl in the container) or `gateway` (curl).
        version: the server's, `3.5.16`.
        leader: member ID of the leader it knows, 0 for none.
        raft_index: its last log index it knows to be committed, as `endpoint status` reports.
        applied_index: what it has applied.
        db_size, db_in_use, quota: bytes; quota is the flag's value or etcd's 2 GiB default.
        health_ms: milliseconds that a linearizable read took (the time of `endpoint health`), None where it failed.
        health_error: why the read failed; empty where it did not.
    """

    instance: str
    via: str
    version: str
    cluster_id: int
    member_id: int
    leader: int
    term: int
    raft_index: int
    applied_index: int
    db_size: int
    db_in_use: int
    quota: int
    is_learner: bool
    members: tuple[Member, ...]
    alarms: tuple[Alarm, ...]
    health_ms: float | None
    health_error: str = ""
    errors: tuple[str, ...] = ()

    @property
    def fragmentation(self) -> float:
        """Share of the database file that is free, `(size − inUse)/size`, 0…1 (cluster-etcd-operator)."""
        return (self.db_size - self.db_in_use) / self.db_size if self.db_size else 0.0

    @property
    def is_leader(self) -> bool:
        """Whether this member says that it leads."""
        return self.leader != 0 and self.leader == self.member_id


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """A file of the static-pod folder that names an etcd pod, or that cannot be parsed.

    Attributes:
        path: absolute path on the node.
        text: its content.
        sha256: of its bytes, hexadecimal.
        mode, owner: `600`, `root:root`.
        instance: the pod's name, empty where the file is no YAML.
        hidden: the kubelet ignores it (its name starts with a dot).
    """

    path: str
    text: str
    sha256: str
    mode: str
    owner: str
    instance: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class FlagFile:
    """A file outside the static-pod folder that may hold an instance's settings.

    Attributes:
        path, text, sha256, mode, owner: as in ManifestFile.
        layout: `ENV_FILE` (`ETCD_HEARTBEAT_INTERVAL=250`), `K3S` or `RKE2` (`etcd-arg` lists).
        instance: whose settings these are.
    """

    path: str
    text: str
    sha256: str
    mode: str
    owner: str
    layout: Layout
    instance: str


@dataclass(frozen=True, slots=True)
class DataDisk:
    """Where an instance's data lies.

    Attributes:
        instance: as in EtcdProcess.
        data_dir: path on the node.
        filesystem: `xfs`, `ext4`, `tmpfs`, …
        mount_point: where that file system is mounted.
        device: block device, `/dev/loop0`; empty for tmpfs and overlay.
        disk: name below `/sys/block`, empty where there is none.
        scheduler: the active I/O scheduler, `none`, `mq-deadline`, `bfq`, `kyber`, or empty where unknown.
        size, free: bytes of the file system.
        shared_with_root: the root file system lies on the same disk (finding shared-disk).
    """

    instance: str
    data_dir: str
    filesystem: str
    mount_point: str
    device: str
    disk: str
    scheduler: str
    size: int
    free: int
    shared_with_root: bool


@dataclass(frozen=True, slots=True)
class ThreadPriority:
    """I/O class (`none`, `realtime`, `best-effort`, `idle`), its level 0…7, and the nice value of one thread."""

    tid: int
    io_class: str
    io_level: int
    nice: int


@dataclass(frozen=True, slots=True)
class EtcdHost:
    """All that one look says about the etcd instance of one host; what is missing is None or empty.

    Attributes:
        host: the inventory's name.
        variables: the host's inventory variables.
        process: None where it does not run.
        status: None where it did not answer; `status_error` says why.
        layout: where its flags are kept.
        manifests: files of the static-pod folder that name this instance, in name order (two of them: stray-manifest).
        flag_file: the environment file or Rancher configuration that holds its settings, where that is the layout.
        threads: by thread, of the etcd process.
        apiserver_ready: the node's own kube-apiserver `/readyz`; None where there is none.
    """

    host: str
    instance: str
    variables: Mapping[str, object]
    process: EtcdProcess | None = None
    status: EtcdStatus | None = None
    status_error: str = ""
    layout: Layout = Layout.UNKNOWN
    manifests: tuple[ManifestFile, ...] = ()
    flag_file: FlagFile | None = None
    disk: DataDisk | None = None
    threads: tuple[ThreadPriority, ...] = ()
    compact_rev_key: bool | None = None
    apiserver_ready: bool | None = None
    machine_id: str = ""

    @property
    def name(self) -> str:
        """How reports call it: the host, or `HOST/INSTANCE` for a second instance."""
        return self.host if self.instance == "etcd" else f"{self.host}/{self.instance}"

    @property
    def environment(self) -> str:
        """`remediate_environment`, or `production` where the inventory says nothing."""
        return str(self.variables.get("remediate_environment", "production"))


@dataclass(frozen=True, slots=True)
class Cluster:
    """The instances that answer with one cluster ID, or that share `remediate_cluster` where etcd is down."""

    name: str
    hosts: tuple[EtcdHost, ...]

    @property
    def voters(self) -> tuple[Member, ...]:
        """Members that count for the quorum; learners do not."""
        return tuple(member for member in self.members if not member.is_learner)

    @property
    def leader(self) -> EtcdHost | None:
        """The host whose member leads, None where nobody does or it is not in the inventory."""
        return next((h for h in self.hosts if h.status and h.status.is_leader), None)

    @property
    def members(self) -> tuple[Member, ...]:
        """The member list of the member that knows most (highest applied index); a learner gives none."""
        known = [h.status for h in self.hosts if h.status and h.status.members]
        return max(known, key=lambda s: s.applied_index).members if known else ()


def quorum(voters: int) -> int:
    """How many of so many voters are a majority."""
    return voters // 2 + 1
