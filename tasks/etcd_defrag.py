"""Defragment etcd databases that are mostly free space, one member at a time, leader last.

A member is defragmented where both thresholds are reached. Learners and members that do not answer are skipped. It is
refused on versions that can corrupt data in mid-defragmentation, without room for the second copy, and where it would
block the member for longer than its liveness probe allows. Where NOSPACE was raised it is disarmed at the end, once
every member is below its quota, and a write proves that the store works again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from remediate.errors import Refused
from remediate.etcd.model import Cluster, EtcdHost, EtcdStatus
from remediate.facts.base import Fact, Seen
from remediate.facts.cluster import ClusterSeen, ClusterView
from remediate.facts.disk import DataDisks
from remediate.facts.etcd import EtcdApi, EtcdProcesses
from remediate.measure.model import Measurements
from remediate.task.base import Noop, Operation, Task
from remediate.task.database import Defragment, Disarm
from remediate.task.units import Duration, Share, Size

ROOM = 1.2
"""Free space needed, as a multiple of the size in use: a second copy is written beside the database (FIELD-NOTES)."""

SLOW_FSYNC_MS = 16.0
"""Lower edge of the fsync bucket from which a disk counts as slow (FIELD-NOTES, thresholds)."""

SPEED, SLOW_SPEED = 50e6, 8e6
"""Bytes per second that a defragmentation writes, assumed for a healthy and for a slow disk: low on purpose."""


class EtcdDefrag(Task, frozen=True):
    """Give free space inside etcd's database back to the file system.

    Attributes:
        min_fragmentation: share of free space from which it is worth it (cluster-etcd-operator: 45 %).
        min_size: size of the database below which it is left alone (cluster-etcd-operator: 100 MB).
        move_leader: the leader gives its leadership away first.
        max_block: longest estimated stand-still of one member; kubeadm's liveness probe kills after 80 s.
    """

    min_fragmentation: Share = Share(0.45)
    min_size: Size = Size(100 * 1024 * 1024)
    move_leader: bool = True
    max_block: Duration = Duration(60)

    def facts(self) -> Sequence[Fact[Any]]:
        """etcd's own figures, the disk's free space, and the other members (quota, alarms)."""
        return (EtcdProcesses(), EtcdApi(), DataDisks(), ClusterSeen())

    def plan(self, seen: Seen) -> Iterator[Operation | Noop]:
        """Defragment each instance of the host that needs it; disarm its alarm when that will be possible."""
        view = seen.known(ClusterSeen())
        if view is None:
            yield Noop("no etcd runs here")
            return
        for member in view.own:
            yield from self._member(member, view)

    def _member(self, member: EtcdHost, view: ClusterView) -> Iterator[Operation | Noop]:
        status = member.status
        if status is None:
            yield Noop(f"{member.name} does not answer: {member.status_error or 'it is down'}")
        elif status.is_learner:
            yield Noop(f"{member.name} is a learner; learners refuse to be defragmented")
        else:
            yield self._defragment(member, status, view.measured)
            yield from self._alarm(status, view.cluster)

    def _wanted(self, status: EtcdStatus) -> bool:
        enough = status.db_size >= self.min_size
        return enough and status.fragmentation >= self.min_fragmentation and not status.is_learner

    def _defragment(
        self, member: EtcdHost, status: EtcdStatus, measured: Measurements | None
    ) -> Operation | Noop:
        figures = f"{status.db_size / 2**20:.0f} MiB, {status.fragmentation:.0%} free"
        if not self._wanted(status):
            wanted = f"{self.min_size / 2**20:.0f} MiB and {self.min_fragmentation:.0%}"
            return Noop(f"{member.name}: {figures}; it is worth it from {wanted}")
        _refuse_version(member, status)
        _refuse_without_room(member, status)
        seconds = estimate(status.db_in_use, slow=_slow(member, measured))
        if seconds > self.max_block:
            raise Refused(
                f"defragmenting would block the member for about {seconds:.0f} s, more than {self.max_block:.0f} s",
                where=member.name,
                hint="raise max_block after a look at the liveness probe, or move the data to a faster disk first",
            )
        return Defragment(member.instance, round(max(30.0, 5 * seconds)), self.move_leader, figures)

    def _alarm(self, status: EtcdStatus, cluster: Cluster) -> Iterator[Operation | Noop]:
        raised = sorted({a.member_id for a in status.alarms if a.kind == "NOSPACE"})
        if status.member_id not in raised:
            return
        if status.member_id != raised[0]:
            yield Noop("NOSPACE is disarmed for all members at once, by another one")
            return
        above = [
            host.name
            for host in cluster.hosts
            if host.status and host.status.db_size >= host.status.quota and not self._helps(host.status)
        ]
        if above:
            yield Noop(
                f"NOSPACE stays: {', '.join(above)} would still be above the quota; compact, or raise it"
            )
        else:
            yield Disarm(status.instance, tuple(raised))

    def _helps(self, status: EtcdStatus) -> bool:
        """Whether this very task brings a member below its quota."""
        return self._wanted(status) and status.db_in_use < status.quota


def estimate(in_use: int, *, slow: bool) -> float:
    """Seconds that a member will stand still, from the bytes to be copied."""
    return 1 + in_use / (SLOW_SPEED if slow else SPEED)


def _slow(member: EtcdHost, measured: Measurements | None) -> bool:
    latency = measured.fsync.get(member.name) if measured else None
    if latency is None:
        return False
    edge = latency.p99_bucket_ms[0] if latency.p99_bucket_ms else latency.p99_ms
    return edge is not None and edge >= SLOW_FSYNC_MS


def _refuse_version(member: EtcdHost, status: EtcdStatus) -> None:
    numbers = tuple(int(part) for part in status.version.split("-")[0].split(".") if part.isdigit())
    if (3, 5, 0) <= numbers <= (3, 5, 5):
        raise Refused(
            f"etcd {status.version} can lose its consistency when it crashes in mid-defragmentation (etcd#14733)",
            where=member.name,
            hint="upgrade to 3.5.6 or later first",
        )


def _refuse_without_room(member: EtcdHost, status: EtcdStatus) -> None:
    if member.disk is None:
        raise Refused("the free space of the data disk is unknown", where=member.name)
    if member.disk.free < ROOM * status.db_in_use:
        raise Refused(
            f"{member.disk.free / 2**20:.0f} MiB are free below {member.disk.data_dir}, "
            f"{ROOM * status.db_in_use / 2**20:.0f} MiB are needed for the second copy",
            where=member.name,
            hint="a full disk in mid-defragmentation can stop the member for good (etcd#18810)",
        )
