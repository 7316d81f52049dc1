"""What is measured where, in which order, and what a gap does to the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediate.engine.look import Look
from remediate.etcd.model import Cluster, EtcdHost, EtcdProcess
from remediate.measure.campaign import MeasureOptions, measure
from remediate.measure.model import Latency, Measurements, NotMeasured
from remediate.measure.network import peer_addresses
from remediate.node.clock import SystemClock
from remediate.report import readings
from tests.unit.measure.data import captured
from tests.unit.measure.model_node import (
    FIO,
    LEADER,
    PUTS,
    Journal,
    Leaders,
    ModelNode,
    cluster,
    down,
    env_file,
    member,
)

ALL = {"fio": FIO, "puts": PUTS}


class Run:
    """One campaign over model nodes."""

    def __init__(self, over: Cluster | None = None, **nodes: ModelNode) -> None:
        self.journal = Journal()
        self.cluster = over or cluster()
        self.nodes = {h.host: ModelNode(h.host, self.journal, ALL) for h in self.cluster.hosts} | nodes
        for node in self.nodes.values():
            node.journal = self.journal
        self.steps: list[tuple[str, str, float | None, str]] = []
        self.closed: dict[str, str] = {}

    def gate(self, host: EtcdHost) -> str | None:
        self.journal.note(f"gate {host.name}")
        return self.closed.get(host.name)

    def tell(self, what: str, host: str, progress: float | None = None, detail: str = "") -> None:
        self.steps.append((what, host, progress, detail))

    def measure(self, **options: bool) -> Measurements:
        wanted = MeasureOptions(run="20251122-101500-ab12", **options)
        return measure(self.cluster, self.nodes, wanted, SystemClock(), self.tell, gate=self.gate)


def test_without_options_only_metrics_and_ping_are_used() -> None:
    run = Run()
    found = run.measure()
    assert {line.split()[0] for line in run.journal.lines} == {"metrics", "ping"}
    assert list(found.fsync) == list(found.commit) == list(found.rates) == ["n1", "n2", "n3"]
    assert {latency.source for latency in found.fsync.values()} == {"etcd"}
    assert [(p.source_host, p.target_host) for p in found.network] == [
        ("n1", "n2"),
        ("n1", "n3"),
        ("n2", "n1"),
        ("n2", "n3"),
        ("n3", "n1"),
        ("n3", "n2"),
    ]
    assert (found.put, found.not_measured) == (None, ())


def test_iperf3_follows_ping_in_rounds_of_disjoint_pairs_both_ways_at_once() -> None:
    run = Run()
    found = run.measure(iperf3=True)
    streams = [path for path in found.network if path.source == "iperf3"]
    assert len(streams) == 6
    assert {(path.rtt_avg_ms, path.jitter_max_ms, path.effective_ms) for path in streams} == {
        (0.065, 7.322, 7.387)
    }
    told = [line.split() for line in run.journal.of("iperf3")]
    for begin in range(0, len(told), 8):  # a server and a client on each of two nodes begin and end
        assert len({node for _, node, _ in told[begin : begin + 8]}) == 2
    assert run.journal.lines.index(" ".join(told[0])) > max(
        number for number, line in enumerate(run.journal.lines) if line.startswith("ping")
    )


def test_fio_goes_one_node_at_a_time_followers_first_with_the_gate_around_each() -> None:
    run = Run()
    found = run.measure(fio=True)
    told = [line for line in run.journal.lines if line.split()[0] in ("fio", "gate")]
    assert told == [
        line
        for host in ("n1", "n3", "n2")
        for line in (f"gate {host}", f"fio {host} begins", f"fio {host} ends", f"gate {host}")
    ]
    assert found.fsync["n3"] == Latency(0.618496, 17.432576, (32.0, 64.0), "fio", 10029)


def test_fio_waits_for_all_that_it_would_disturb() -> None:
    run = Run()
    run.measure(fio=True, probe_writes=True)
    first = next(number for number, line in enumerate(run.journal.lines) if line.startswith("fio"))
    assert {line.split()[0] for line in run.journal.lines[first:]} <= {"fio", "gate", "leader"}


def test_a_gate_that_closes_after_one_member_spares_the_others() -> None:
    run = Run()
    run.closed = {"n3": "n2 is not healthy"}
    found = run.measure(fio=True)
    assert run.journal.of("fio") == ["fio n1 begins", "fio n1 ends"]
    assert found.not_measured == (
        NotMeasured("fio", "n3", "gate: n2 is not healthy"),
        NotMeasured("fio", "n2", "gate: n2 is not healthy"),
    )
    assert found.fsync["n2"].source == "etcd"


def test_fio_runs_unasked_where_etcd_is_down_on_the_disk_that_its_manifest_names() -> None:
    run = Run(cluster(member("n1"), member("n2", leads=True), down("n3", "/mnt/fast/etcd")))
    run.nodes["n3"].answers["metrics"] = ""
    found = run.measure()
    assert run.journal.of("fio") == ["fio n3 begins", "fio n3 ends"]
    assert any("cd -P -- /mnt/fast/etcd" in script for script in run.nodes["n3"].scripts)
    assert found.fsync["n3"].source == "fio"
    assert found.not_measured == (NotMeasured("metrics", "n3", "no etcd process runs"),)


@pytest.mark.parametrize(
    ("host", "folder"),
    [
        (member("n1"), "/data/etcd"),
        (
            replace(member("n1"), process=EtcdProcess("etcd", 7, 1, ("etcd", "--wal-dir", "/wal/etcd"))),
            "/wal/etcd",
        ),
        (
            replace(
                member("n1"), process=EtcdProcess("etcd", 7, 1, ("etcd",), {"ETCD_WAL_DIR": "/wal/etcd"})
            ),
            "/wal/etcd",
        ),
        (down("n1", "/mnt/etcd"), "/mnt/etcd"),
        (down("n1", "/mnt/etcd\n    - --wal-dir=/wal/etcd"), "/wal/etcd"),
        (env_file('ETCD_DATA_DIR="/srv/etcd"\n'), "/srv/etcd"),
        (env_file("ETCD_DATA_DIR=/srv/etcd\nETCD_WAL_DIR=/wal/etcd\n"), "/wal/etcd"),
    ],
)
def test_fio_goes_where_the_log_is_written(host: EtcdHost, folder: str) -> None:
    run = Run(cluster(host))
    run.measure(fio=True)
    (load,) = (script for script in run.nodes["n1"].scripts if script.startswith("name=fio"))
    assert f"cd -P -- {folder} " in load


def test_fio_without_a_known_place_is_a_gap() -> None:
    nowhere = replace(down("n1", "/x"), manifests=())
    run = Run(cluster(nowhere))
    run.nodes["n1"].answers["metrics"] = ""
    found = run.measure()
    assert NotMeasured("fio", "n1", "where its data lies is not known") in found.not_measured


@pytest.mark.parametrize(
    ("later", "why"),
    [
        (LEADER.replace("seen_total 1", "seen_total 2"), "stopped: the leader changed"),
        (LEADER.replace("has_leader 1", "has_leader 0"), "stopped: the leader changed"),
        ("@server 7 etcd\n@now 1\n:curl: (28) timed out", "stopped: etcd does not answer any more"),
    ],
)
def test_a_leader_change_stops_fio(later: str, why: str) -> None:
    run = Run(n1=Leaders("n1", Journal(), ALL, [LEADER, later]))
    found = run.measure(fio=True)
    assert NotMeasured("fio", "n1", why) in found.not_measured
    assert found.fsync["n1"].source == "etcd"
    assert found.fsync["n3"].source == "fio"


def test_puts_go_to_the_leader() -> None:
    run = Run()
    found = run.measure(probe_writes=True)
    assert run.journal.of("puts") == ["puts n2 begins", "puts n2 ends"]
    assert found.put == Latency(2.0, 4.0, None, "probe", 2)


def test_nobody_to_put_to_is_a_gap() -> None:
    run = Run(cluster(down("n1", "/x")))
    run.nodes["n1"].answers["metrics"] = ""
    assert NotMeasured("puts", "main", "no member answers") in run.measure(probe_writes=True).not_measured


def test_a_node_that_breaks_leaves_gaps_and_spares_the_rest() -> None:
    run = Run(n3=ModelNode("n3", Journal(), {}))
    del run.nodes["n3"].answers["metrics"], run.nodes["n3"].answers["ping"]
    found = run.measure(fio=True)
    assert list(found.commit) == ["n1", "n2"]
    assert {path.source_host for path in found.network} == {"n1", "n2"}
    assert set(found.not_measured) == {
        NotMeasured(what, "n3", "n3: no route") for what in ("metrics", "ping", "fio")
    }


def test_a_host_without_a_connection_is_left_out() -> None:
    run = Run()
    del run.nodes["n3"]
    found = run.measure()
    assert list(found.fsync) == ["n1", "n2"]
    assert "ping n3 begins" not in run.journal.lines


def test_an_idle_member_has_no_data_and_the_advice_to_write() -> None:
    run = Run(cluster(member("n1")))
    run.nodes["n1"].answers["metrics"] = captured("window-3.5-idle.txt")
    found = run.measure()
    assert found.fsync["n1"].samples == 0
    assert [(gap.what, gap.host) for gap in found.not_measured] == [("fsync", "n1")]
    assert "--probe-writes" in found.not_measured[0].why
    told = readings.fsync(Look(run.cluster, found, ()), "n1").why
    assert told.startswith("no data: nothing was synced")
    assert told.count("no data") == 1


def test_an_idle_member_whose_disk_fio_measured_has_no_gap() -> None:
    run = Run(cluster(member("n1")))
    run.nodes["n1"].answers["metrics"] = captured("window-3.5-idle.txt")
    found = run.measure(fio=True)
    assert found.fsync["n1"].source == "fio"
    assert found.not_measured == ()


def test_progress_is_told_from_nothing_to_all() -> None:
    run = Run()
    run.measure(fio=True, probe_writes=True)
    for what, host in [
        ("metrics", ""),
        ("network", ""),
        ("puts", "n2"),
        ("fio", "n1"),
        ("fio", "n2"),
        ("fio", "n3"),
    ]:
        assert [step[2] for step in run.steps if step[:2] == (what, host)] == [0.0, 1.0]


def test_two_clusters_of_one_run_use_different_units_and_keys() -> None:
    names = []
    for run in (Run(), Run(replace(cluster(), name="events"))):
        run.measure(probe_writes=True)
        first = [script.partition("\n")[0] for script in run.nodes["n2"].scripts]
        names.append({line for line in first if line.startswith("name=")})
    assert len(names[0]) == len(names[1]) == 2
    assert names[0].isdisjoint(names[1])


def with_peer(url: str) -> EtcdHost:
    host = member("n1")
    assert host.status
    listed = tuple(replace(m, peer_urls=(url,)) if m.id == 1 else m for m in host.status.members)
    return replace(host, status=replace(host.status, members=listed), variables={"ansible_host": "192.0.2.7"})


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://10.0.0.9:2380", "10.0.0.9"),
        ("https://[fd00::9]:2380", "fd00::9"),
        ("https://etcd-1.example:2380", "etcd-1.example"),
        ("https://0.0.0.0:2380", "192.0.2.7"),
        ("https://[", "192.0.2.7"),
        ("nonsense", "192.0.2.7"),
    ],
)
def test_the_address_is_the_member_s_own_peer_url(url: str, address: str) -> None:
    assert peer_addresses(Cluster("main", (with_peer(url),))) == {"n1": address}


@pytest.mark.parametrize("name", ["-f", "a b", "$(reboot)", "`id`", "a;b", ""])
def test_what_is_no_address_is_no_target(name: str) -> None:
    host = EtcdHost("n1", "etcd", {"ansible_host": name})
    assert peer_addresses(Cluster("main", (host,))) == {}


def test_without_a_member_the_inventory_says_the_address() -> None:
    hosts = (EtcdHost("n1", "etcd", {"ansible_host": "192.0.2.7"}), EtcdHost("n2", "etcd", {}))
    assert peer_addresses(Cluster("main", hosts)) == {"n1": "192.0.2.7", "n2": "n2"}
