"""Measurements on real nodes: real fio, ping, iperf3 and curl, real units, and nothing left behind."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from statistics import fmean
from typing import Any

import pytest

from remediate.lab.forwarder import DELAYS_MS, Delayer
from remediate.measure.activity import Activity, Finished, perform
from remediate.measure.campaign import MeasureOptions, measure
from remediate.measure.fio import fio_activity, fio_latency
from remediate.measure.model import Latency, Measurements, NetworkPath, NotMeasured
from remediate.measure.network import iperf_all, peer_addresses, ping_all
from remediate.node.clock import SystemClock
from tests.lab.labs import RunningLab
from tests.lab.measuring import cluster_of, connect, left

pytestmark = pytest.mark.lab

DATA = "/var/lib/etcd"


@contextmanager
def fault(lab: RunningLab, node: str, kind: str) -> Iterator[None]:
    """A fault for as long as the block lasts."""
    lab.fault(node, kind)
    try:
        yield
    finally:
        lab.fault(node, kind, undo=True)


def campaign(lab: RunningLab, **options: bool | int) -> Measurements:
    nodes = connect(lab.inventory)
    wanted = MeasureOptions(run="20251122-101500-ab12", **options)  # type: ignore[arg-type]
    return measure(cluster_of(lab.inventory, nodes), nodes, wanted, SystemClock(), lambda *_: None)


def controller(lab: RunningLab, node: str) -> subprocess.Popen[bytes]:
    """A controller of its own that measures a node by fio."""
    argv = [sys.executable, "-m", "tests.lab.measuring", str(lab.inventory), node]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True)


def fio_runs(lab: RunningLab, node: str) -> bool:
    return "fio --name=etcd" in left(lab, node)


def test_everything_at_once_and_nothing_is_left(lab: RunningLab) -> None:
    before = {node: lab.ssh(node, f"find {DATA} /var/lib /run /tmp -maxdepth 1 | sort") for node in lab.nodes}
    found = campaign(lab, fio=True, probe_writes=True)
    assert found.not_measured == ()
    assert set(found.fsync) == set(found.commit) == set(found.rates) == set(lab.nodes)
    for latency in found.fsync.values():
        assert latency.source == "fio"
        assert latency.p50_ms is not None
        assert latency.p99_ms is not None
        assert 0 < latency.p50_ms <= latency.p99_ms
        assert latency.p99_bucket_ms is not None  # the puts gave the disks something to sync
    assert found.put is not None
    assert found.put.samples == 100
    ways = [(path.source_host, path.target_host) for path in found.network]
    assert ways == [(one, other) for one in lab.nodes for other in lab.nodes if one != other]
    assert all(path.effective_ms is not None and path.loss == 0 for path in found.network)
    for node in lab.nodes:
        assert left(lab, node) == ""
        after = lab.ssh(node, f"find {DATA} /var/lib /run /tmp -maxdepth 1 | sort")
        assert set(after.split()) - set(before[node].split()) <= {"/run/remediate"}
    assert lab.etcdctl("n1", "get", "--prefix", "--keys-only", "remediate/").get("kvs", []) == []


def test_three_nodes_are_pinged_within_six_seconds(lab: RunningLab) -> None:
    nodes = connect(lab.inventory)
    addresses = peer_addresses(cluster_of(lab.inventory, nodes))
    assert addresses == {node.name: node.ip for node in lab.spec.nodes}
    began = time.monotonic()
    found = ping_all(nodes, addresses, "test")
    assert time.monotonic() - began < 6
    assert [path.samples for path in found if isinstance(path, NetworkPath)] == [20] * 6


def test_a_slow_network_gives_the_figures_of_the_forwarder_s_delays(lab: RunningLab) -> None:
    """A busy machine adds to the delays, and one late packet makes a maximum: then the figures are taken again."""
    nodes = connect(lab.inventory)
    addresses = peer_addresses(cluster_of(lab.inventory, nodes))
    pair = {name: nodes[name] for name in ("n1", "n2")}
    reach = {name: addresses[name] for name in pair}
    with fault(lab, "n2", "slow-network"):
        for tries_left in (2, 1, 0):
            pinged = ping_all(pair, reach, "test")
            streamed = iperf_all(pair, reach, pinged, "test")
            seen = [figures(path) for path in (*pinged, *streamed)]
            expected = [EXPECTED_OF_PING] * 2 + [expected_of_iperf3()] * 2
            if seen == expected or not tries_left:
                break
    assert seen == expected


def within_a_fifth(value: float) -> Any:
    return pytest.approx(value, rel=0.2)


JITTER = [abs(after - before) for before, after in pairwise([*DELAYS_MS, DELAYS_MS[0]])]
EXPECTED_OF_PING = {
    "source": "ping",
    "rtt_avg_ms": within_a_fifth(fmean(DELAYS_MS)),
    "rtt_max_ms": within_a_fifth(max(DELAYS_MS)),
    "jitter_avg_ms": within_a_fifth(fmean(JITTER)),
    "jitter_max_ms": within_a_fifth(max(JITTER)),
    "effective_ms": within_a_fifth(fmean(DELAYS_MS) + max(JITTER)),
    "loss": 0,
}


def figures(path: NetworkPath | NotMeasured) -> dict[str, object]:
    return {name: getattr(path, name, path) for name in EXPECTED_OF_PING}


def expected_of_iperf3() -> dict[str, object]:
    low, high = jitter_of_a_stream()
    return EXPECTED_OF_PING | {
        "source": "iperf3",
        "jitter_avg_ms": within_a_fifth((low + high) / 2),
        "jitter_max_ms": within_a_fifth(high),
        "effective_ms": within_a_fifth(fmean(DELAYS_MS) + high),
    }


def jitter_of_a_stream() -> tuple[float, float]:
    """The least and the highest jitter that RFC 3550's estimator shows, once it has settled, for iperf3's stream.

    1 Mbit/s in datagrams of 1200 bytes is one every 9.6 ms. The forwarder decides when each is passed on.
    """
    frame = (
        bytes(12)
        + b"\x08\x00"
        + b"\x45"
        + bytes(8)
        + b"\x11"
        + bytes(2)
        + b"\x0a\0\0\x01\x0a\0\0\x02"
        + bytes(30)
    )
    delayer, interval = Delayer(), 1200 * 8 / 1e6
    transit = [1000 * (delayer.release(frame, n * interval) - n * interval) for n in range(600)]
    estimate, shown = 0.0, []
    for before, after in pairwise(transit):
        estimate += (abs(after - before) - estimate) / 16
        shown.append(estimate)
    return min(shown[150:]), max(shown[150:])


def test_a_slow_disk_shows_in_fio_and_in_etcds_own_metrics(lab: RunningLab) -> None:
    with fault(lab, "n1", "slow-disk"):
        found = campaign(lab, probe_writes=True, window=8)
        nodes = connect(lab.inventory)
        finished = perform(nodes["n1"], fio_activity(DATA, 10))
    edges = found.fsync["n1"].p99_bucket_ms
    assert edges is not None
    assert edges[0] >= 32
    assert isinstance(finished, Finished)
    latency = fio_latency(finished, "n1")
    assert isinstance(latency, Latency)
    assert latency.p99_ms is not None
    assert latency.p99_ms > 50  # 40 operations a second gave 100 ms by hand
    assert latency.samples < 10029  # its time was over before its file was full


def test_a_killed_controller_leaves_no_load_after_ten_seconds(lab: RunningLab) -> None:
    with fault(lab, "n3", "slow-disk"):
        process = controller(lab, "n3")
        try:
            lab.wait(lambda: fio_runs(lab, "n3"), 20)
        finally:
            process.kill()
            process.wait()
        time.sleep(10)
        assert left(lab, "n3") == ""


def test_a_silent_network_leaves_no_load_after_ten_seconds(lab: RunningLab) -> None:
    """Nothing tells the node that its controller is gone: no end of file, no reset."""
    with fault(lab, "n3", "slow-disk"):
        process = controller(lab, "n3")
        try:
            lab.wait(lambda: fio_runs(lab, "n3"), 20)
            with fault(lab, "n3", "partition"):
                time.sleep(2)
                assert fio_runs(
                    lab, "n3"
                )  # the lease still holds: it is not the cut itself that ends the load
                time.sleep(8)
                assert left(lab, "n3") == ""
        finally:
            process.kill()
            process.wait()
    lab.wait_healthy(60)


def test_one_fio_at_a_time_on_a_node(lab: RunningLab) -> None:
    first, second, third = (connect(lab.inventory)["n1"] for _ in range(3))
    with fault(lab, "n1", "slow-disk"), ThreadPoolExecutor(2) as pool:
        running = pool.submit(perform, first, fio_activity(DATA, 8))
        lab.wait(lambda: fio_runs(lab, "n1"), 20)
        waiting = pool.submit(perform, second, fio_activity(DATA, 1))
        refused = perform(third, replace(fio_activity(DATA, 1), patience=0))
        assert isinstance(refused, NotMeasured)
        assert "another one is running" in refused.why
        both = [running.result(), waiting.result()]
    found = [fio_latency(one, "n1") if isinstance(one, Finished) else one for one in both]
    samples = [latency.samples for latency in found if isinstance(latency, Latency)]
    assert len(samples) == 2, found
    assert samples[1] < samples[0] / 2  # one second of its own, after the eight of the other
    assert left(lab, "n1") == ""


def test_a_leader_change_stops_fio(lab: RunningLab) -> None:
    status = lab.status()["nodes"]
    leader = next(name for name in lab.nodes if status[name]["leader"])
    follower, heir = (name for name in lab.nodes if name != leader)
    moved = threading.Timer(0, lambda: None)

    def gate(host: object) -> None:
        """Before the first follower's fio: once it runs, the leadership moves."""
        if moved.is_alive() or moved.finished.is_set():
            return
        moved.function = move
        moved.start()

    def move() -> None:
        lab.wait(lambda: fio_runs(lab, follower), 20)
        lab.etcdctl(leader, "move-leader", status[heir]["member_id"])

    nodes = connect(lab.inventory)
    with fault(lab, follower, "slow-disk"):
        found = measure(
            cluster_of(lab.inventory, nodes),
            {follower: nodes[follower]},
            MeasureOptions(run="test", fio=True, window=0),
            SystemClock(),
            lambda *_: None,
            gate=gate,
        )
        moved.join(30)
    assert NotMeasured("fio", follower, "stopped: the leader changed") in found.not_measured
    lab.wait(lambda: left(lab, follower) == "", 3)


def test_a_load_that_takes_too_long_is_ended_by_the_node(lab: RunningLab) -> None:
    node = connect(lab.inventory)["n2"]
    found = perform(
        node, Activity("sleep", "sleep-test", "echo begun; sleep 100", 1, clean="touch /run/cleaned")
    )
    assert isinstance(found, NotMeasured)
    assert "took longer than" in found.why
    assert lab.ssh("n2", "ls /run/cleaned && rm /run/cleaned").strip() == "/run/cleaned"
    assert left(lab, "n2") == ""


def test_by_sudo_with_a_password_the_lease_is_renewed_too(lab: RunningLab) -> None:
    more = {"ansible_user": "ops", "ansible_become": "yes", "ansible_become_password": "ops-password"}
    node = connect(lab.inventory, **more)["n2"]
    found = perform(node, Activity("sleep", "sleep-test", "sleep 10; id -un", 20))
    assert found == Finished(0, "root", "")


def test_a_full_disk_is_not_measured_and_not_written_to(lab: RunningLab) -> None:
    with fault(lab, "n3", "fill-disk"):
        found = perform(connect(lab.inventory)["n3"], fio_activity(DATA))
        assert isinstance(found, Finished)
        assert fio_latency(found, "n3") == NotMeasured(
            "fio", "n3", f"less than 110 MiB free on the disk of {DATA}"
        )
        assert lab.ssh("n3", f"ls -A {DATA}").split() == [".lab-fill", "member"]
    lab.wait_healthy(60)


def test_missing_tools_are_told_with_the_way_to_get_them(new_lab: Callable[..., RunningLab]) -> None:
    tools = ("fio", "iperf3", "ping", "curl")
    own = new_lab("--nodes", "1", *(word for tool in tools for word in ("--without", tool)))
    nodes = connect(own.inventory)
    found = measure(
        cluster_of(own.inventory, nodes),
        nodes | {"n0": nodes["n1"]},
        MeasureOptions(run="test", fio=True, probe_writes=True),
        SystemClock(),
        lambda *_: None,
    )
    why = {gap.what: gap.why for gap in found.not_measured}
    assert why == {
        "metrics": "curl is not installed: apt-get install curl",
        "fio": "fio is not installed: apt-get install fio",
        "puts": "curl is not installed: apt-get install curl",
        "ping": "ping is not installed: apt-get install iputils-ping",
    }
    stream = iperf_all(nodes | {"n0": nodes["n1"]}, {"n0": "127.0.0.1", "n1": "127.0.0.1"}, [], "test")
    assert set(stream) == {NotMeasured("iperf3", "n1", "iperf3 is not installed: apt-get install iperf3")}


def test_puts_and_metrics_of_etcd_3_4(new_lab: Callable[..., RunningLab]) -> None:
    own = new_lab("--nodes", "1", "--etcd", "3.4")
    found = campaign(own, probe_writes=True, window=4)
    assert found.put is not None
    assert found.put.samples == 100
    assert found.fsync["n1"].samples > 40
    assert own.etcdctl("n1", "get", "--prefix", "--keys-only", "remediate/").get("kvs", []) == []
    with fault(own, "n1", "slow-disk"):
        slow = campaign(own, probe_writes=True, window=1)
    assert slow.put is not None
    assert slow.put.samples < 100  # the time was over; what was had by then counts
    assert slow.put.p50_ms is not None
    assert slow.put.p50_ms > 5 * (found.put.p50_ms or 0)
