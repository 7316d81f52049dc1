"""Faults are real: each shows from outside, and its undo too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from statistics import fmean, median

import pytest

from remediate.lab.forwarder import DELAYS_MS
from tests.lab.labs import RunningLab

pytestmark = pytest.mark.lab

MANIFEST = "/etc/kubernetes/manifests/etcd.yaml"


@pytest.fixture(autouse=True)
def healthy_again(lab: RunningLab) -> Iterator[None]:
    """Every test takes its fault back; then the lab is as before."""
    yield
    lab.wait_healthy()


@contextmanager
def fault(lab: RunningLab, node: str, kind: str) -> Iterator[None]:
    """A fault that is taken back whatever happens."""
    lab.fault(node, kind)
    try:
        yield
    finally:
        lab.fault(node, kind, undo=True)


def healthy(lab: RunningLab) -> set[str]:
    """The healthy members."""
    return {name for name, node in lab.status()["nodes"].items() if node["healthy"]}


def boot_id(lab: RunningLab, node: str) -> str:
    """Another boot has another one."""
    return lab.ssh(node, "cat /proc/sys/kernel/random/boot_id")


def round_trips(lab: RunningLab, source: str, target: str, count: int) -> list[float]:
    """Round-trip times in milliseconds."""
    said = lab.ssh(source, f"ping -n -i 0.2 -c {count} {target}")
    return [float(text) for text in re.findall(r"time=([\d.]+) ms", said)]


def test_stop_etcd_moves_the_manifest_away(lab: RunningLab) -> None:
    with fault(lab, "n2", "stop-etcd"):
        lab.wait(lambda: healthy(lab) == {"n1", "n3"})
        assert not lab.host("n2").file(MANIFEST).exists
        assert lab.ssh("n2", "pgrep -x etcd", check=False) == ""
        lab.fault("n2", "stop-etcd")
    lab.wait_healthy()
    assert lab.host("n2").file(MANIFEST).exists


def test_kill_is_a_crash_and_its_undo_a_boot(lab: RunningLab) -> None:
    before = boot_id(lab, "n1")
    lab.ssh("n1", "echo kept >/root/not-synced")
    with fault(lab, "n1", "kill"):
        lab.wait(lambda: healthy(lab) == {"n2", "n3"})
        assert lab.status()["nodes"]["n1"]["member_id"], "known from the other members"
    assert boot_id(lab, "n1") != before
    assert lab.ssh("n1", "cat /root/not-synced") == "kept\n"


def test_reboot_goes_through_a_shutdown(lab: RunningLab) -> None:
    before = boot_id(lab, "n3")
    marker = "[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStop=/usr/bin/touch /root/was-shut-down\\n"
    lab.ssh("n3", f"printf '{marker}' >/run/systemd/system/marker.service; systemctl start marker")
    lab.fault("n3", "reboot")
    assert boot_id(lab, "n3") != before
    assert lab.host("n3").file("/root/was-shut-down").exists


def test_power_cut_loses_what_was_not_synced_and_nothing_else(lab: RunningLab) -> None:
    lab.ssh("n2", "mkdir -p /var/lib/remediate && cd /var/lib/remediate && echo kept >kept && sync kept . ..")
    lab.ssh("n2", "echo lost >/var/lib/remediate/lost; echo lost >/etc/kubernetes/manifests/.lost")
    lab.etcdctl("n2", "put", "/lab/power-cut", "acknowledged")
    before = boot_id(lab, "n2")
    lab.fault("n2", "power-cut")
    assert boot_id(lab, "n2") != before
    assert lab.ssh("n2", "ls -A /etc/kubernetes/manifests").split() == ["etcd.yaml"]
    assert {"kept", "lost"} & set(lab.ssh("n2", "ls -A /var/lib/remediate").split()) == {"kept"}
    lab.wait_healthy()
    assert lab.etcdctl("n2", "get", "/lab/power-cut", "--consistency=s")["count"] == 1


def test_power_cut_shows_a_rename_whose_content_was_not_synced(lab: RunningLab) -> None:
    """The classical mistake that a careful writer avoids: rename is in the journal, the bytes are not."""
    lab.ssh("n1", "cd /root && echo old >file && sync file . && sync -f .")
    lab.ssh("n1", "cd /root && echo new >.file && mv .file file && sync .")
    lab.fault("n1", "power-cut")
    assert lab.ssh("n1", "cat /root/file") in ("", "\0\0\0\0")


def test_slow_disk_slows_fsync(lab: RunningLab) -> None:
    with fault(lab, "n1", "slow-disk"):
        slow = fsync_seconds(lab, "n1")
    assert slow > 0.02, "issue 2: far above 20 ms"
    assert fsync_seconds(lab, "n1") < slow / 2


def fsync_seconds(lab: RunningLab, node: str) -> float:
    """Average time of a small synchronous write on the data disk."""
    probe = "cd /var/lib/etcd && dd if=/dev/zero of=.probe bs=2300 count=20 oflag=dsync conv=notrunc 2>&1; rm .probe"
    return float(re.findall(r"copied, ([\d.e-]+) s", lab.ssh(node, probe))[0]) / 20


@pytest.mark.parametrize(("source", "target"), [("n2", "n3"), ("n3", "n2")])
def test_slow_network_replays_its_sequence(lab: RunningLab, source: str, target: str) -> None:
    with fault(lab, "n3", "slow-network"):
        seen = round_trips(lab, source, target, 20)
        unharmed = round_trips(lab, "n1", "n2", 5)
    expected = list(DELAYS_MS) * 2
    assert len(seen) == len(expected)
    assert fmean(seen) == pytest.approx(fmean(expected), rel=0.2)
    jitter, wanted = ([abs(b - a) for a, b in pairwise(times)] for times in (seen, expected))
    assert fmean(jitter) == pytest.approx(fmean(wanted), rel=0.2)
    assert max(jitter) == pytest.approx(max(wanted), rel=0.2)
    assert median(unharmed) < min(DELAYS_MS) / 2
    assert median(round_trips(lab, source, target, 5)) < min(DELAYS_MS) / 2


def test_partition_cuts_a_node_off_and_nobody_else(lab: RunningLab) -> None:
    with fault(lab, "n1", "partition"):
        lab.wait(lambda: healthy(lab) == {"n2", "n3"})
        assert lab.host("n2").run("ping -c 1 -W 1 n1").rc == 1
        assert lab.host("n2").run("ping -c 1 -W 1 n3").rc == 0
    assert len(round_trips(lab, "n2", "n1", 3)) == 3


def test_faults_of_the_network_go_together(lab: RunningLab) -> None:
    with fault(lab, "n1", "slow-network"):
        with fault(lab, "n1", "partition"):
            pass
        slow = round_trips(lab, "n2", "n1", 3)
    assert min(slow) > min(DELAYS_MS) * 0.8
    assert median(round_trips(lab, "n2", "n1", 3)) < min(DELAYS_MS) / 2


def test_fill_disk_leaves_no_room_on_the_data_disk(lab: RunningLab) -> None:
    with fault(lab, "n2", "fill-disk"):
        free = int(lab.ssh("n2", "df -B1 --output=avail /var/lib/etcd | tail -1"))
        refused = lab.host("n2").run("dd if=/dev/zero of=/var/lib/etcd/.more bs=1M count=1")
        lab.ssh("n2", "rm -f /var/lib/etcd/.more")
    assert free < 100_000
    assert "No space left on device" in refused.stderr
    assert int(lab.ssh("n2", "df -B1 --output=avail /var/lib/etcd | tail -1")) > 1 << 30


def test_a_slow_network_does_not_cost_the_cluster_its_quorum(lab: RunningLab) -> None:
    with fault(lab, "n1", "slow-network"):
        for number in range(10):
            lab.etcdctl("n1", "put", f"/lab/slow/{number}", "value")
        assert healthy(lab) == set(lab.nodes)
