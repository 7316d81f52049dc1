"""The sick lab is ill in truth: each illness shows in etcd's own metrics or in the kernel's."""

from __future__ import annotations

import re
import time

import pytest

from tests.lab.labs import RunningLab

pytestmark = pytest.mark.lab


def metrics(lab: RunningLab, node: str) -> dict[str, float]:
    """etcd's metrics by name, labels included."""
    text = lab.ssh(node, "curl -sS --fail http://127.0.0.1:2381/metrics")
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def quantile(before: dict[str, float], after: dict[str, float], name: str, share: float) -> float:
    """Lower edge of the bucket in which a quantile of what was observed between two scrapes lies, in seconds."""
    edges = {
        key: re.search(r'le="([\d.e+-]+|\+Inf)"', key) for key in after if key.startswith(f"{name}_bucket")
    }
    counts = sorted((float(edge[1]), after[key] - before[key]) for key, edge in edges.items() if edge)
    lower = 0.0
    for upper, count in counts:
        if count >= share * counts[-1][1]:
            return lower
        lower = upper
    raise AssertionError("the last bucket holds everything")


@pytest.fixture(scope="module")
def observed(sick_lab: RunningLab) -> tuple[dict[str, float], dict[str, float]]:
    """Two scrapes of the first member around a few writes."""
    before = metrics(sick_lab, "n1")
    for number in range(20):
        sick_lab.etcdctl("n1", "put", f"/lab/sick/{number}", "value")
    return before, metrics(sick_lab, "n1")


def test_fsync_is_far_too_slow(observed: tuple[dict[str, float], dict[str, float]]) -> None:
    assert quantile(*observed, "etcd_disk_wal_fsync_duration_seconds", 0.99) >= 0.032


def test_backend_commits_are_too_slow(observed: tuple[dict[str, float], dict[str, float]]) -> None:
    assert quantile(*observed, "etcd_disk_backend_commit_duration_seconds", 0.99) >= 0.032


def test_the_database_is_large_and_fragmented_on_every_member(sick_lab: RunningLab) -> None:
    for node in sick_lab.nodes:
        seen = metrics(sick_lab, node)
        size = seen["etcd_mvcc_db_total_size_in_bytes"]
        assert size >= 100 << 20
        assert 1 - seen["etcd_mvcc_db_total_size_in_use_in_bytes"] / size >= 0.45


def test_nothing_compacts(sick_lab: RunningLab) -> None:
    assert "auto-compaction" not in sick_lab.ssh("n2", "tr '\\0' '\\n' </proc/$(pgrep -x etcd)/cmdline")
    assert "kvs" not in sick_lab.etcdctl("n2", "get", "compact_rev_key")


def test_somebody_else_writes_to_the_disk_all_the_time(sick_lab: RunningLab) -> None:
    devices = sick_lab.ssh("n3", "stat -c %d /var/lib/etcd/.backup/archive /var/lib/etcd/member").split()
    assert devices[0] == devices[1]
    first = bytes_written(sick_lab)
    time.sleep(3)
    assert bytes_written(sick_lab) > first + 100_000


def bytes_written(lab: RunningLab) -> int:
    """What the backup job and its children that ended have written to disks so far."""
    io = lab.ssh("n3", "cat /proc/$(systemctl show --value -p MainPID backup-agent)/io")
    return int(re.findall(r"^write_bytes: (\d+)", io, re.MULTILINE)[0])


def test_etcds_priority_is_the_default(sick_lab: RunningLab) -> None:
    threads = "for t in /proc/$(pgrep -x etcd)/task/*; do ionice -p ${t##*/}; cut -d' ' -f19 $t/stat; done | sort -u"
    assert set(sick_lab.ssh("n1", threads).split("\n")[:-1]) == {"0", "none: prio 0"}


def test_the_cluster_works_and_keeps_its_leader(sick_lab: RunningLab) -> None:
    changes = metrics(sick_lab, "n2")["etcd_server_leader_changes_seen_total"]
    for number in range(30):
        sick_lab.etcdctl("n2", "put", f"/lab/works/{number}", "value")
    assert metrics(sick_lab, "n2")["etcd_server_leader_changes_seen_total"] == changes
    assert all(node["healthy"] for node in sick_lab.status()["nodes"].values())


def test_a_reboot_does_not_cure_it(sick_lab: RunningLab) -> None:
    sick_lab.fault("n3", "reboot")
    sick_lab.wait_healthy(60)
    assert sick_lab.host("n3").service("backup-agent").is_running
    before = metrics(sick_lab, "n3")
    for number in range(20):
        sick_lab.etcdctl("n3", "put", f"/lab/reboot/{number}", "value")
    assert quantile(before, metrics(sick_lab, "n3"), "etcd_disk_wal_fsync_duration_seconds", 0.99) >= 0.032
