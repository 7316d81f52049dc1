"""What the etcd probes printed beside real servers, as facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from remediate.etcd.model import Alarm
from remediate.etcd.parse import StoredKey
from remediate.facts.base import FactError, Frame
from remediate.facts.disk import DataDisks
from remediate.facts.etcd import CompactKey, CompactRevKey, EtcdAnswer, EtcdApi, EtcdProcesses
from remediate.facts.threads import ProcessThreads

DATA = Path(__file__).parents[2] / "data" / "etcd" / "probes"
VERSIONS = {"3.4": "3.4.23", "3.5": "3.5.16"}
FIRST = 758659209188475983


def frame(version: str, name: str) -> Frame:
    return Frame((DATA / version / f"{name}.out").read_text())


def answer(version: str, name: str) -> EtcdAnswer:
    (found,) = EtcdApi().parse(frame(version, name))
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_a_process_with_its_command_line_and_without_its_secrets(version: str) -> None:
    (process,) = EtcdProcesses().parse(frame(version, "processes"))
    assert (process.instance, process.pid, process.root) == ("etcd", 11, "")
    assert process.argv[:2] == ("/usr/local/sbin/etcd", "--name=n1")
    assert process.argv[-2:] == ("--logger", "zap")
    assert process.start_ticks > 0
    assert process.environment == {"ETCD_UNSUPPORTED_ARCH": ""}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_second_server_on_the_same_port_has_a_name_of_its_own(version: str) -> None:
    first, second = EtcdProcesses().parse(frame(version, "two"))
    assert first.instance == "etcd"
    assert second.instance == f"etcd-{second.pid}"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("via", ["etcdctl", "gateway"])
def test_a_healthy_member(version: str, via: str) -> None:
    status = answer(version, f"healthy-{via}").status
    assert status is not None
    assert (status.via, status.version, status.member_id) == (via, VERSIONS[version], FIRST)
    assert status.is_leader
    assert status.quota == 2147483648
    assert status.health_ms is not None
    assert 0 < status.health_ms < 5000
    assert [member.name for member in status.members] == ["n1"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("via", ["etcdctl", "gateway"])
def test_a_lost_quorum_leaves_status_and_member_list(version: str, via: str) -> None:
    status = answer(version, f"no-quorum-{via}").status
    assert status is not None
    assert status.leader == 0
    assert not status.is_leader
    assert [member.name for member in status.members] == ["n1", "n2"]
    assert status.health_ms is None
    assert status.health_error in ("context deadline exceeded", "no answer in time")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("via", ["etcdctl", "gateway"])
def test_a_learner_gives_neither_list_nor_read(version: str, via: str) -> None:
    status = answer(version, f"learner-{via}").status
    assert status is not None
    assert status.is_learner
    assert (status.members, status.health_ms) == ((), None)
    assert status.health_error == "a learner serves no linearizable reads"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("via", ["etcdctl", "gateway"])
def test_an_alarm_and_the_quota_of_the_flag(version: str, via: str) -> None:
    status = answer(version, f"nospace-{via}").status
    assert status is not None
    assert status.alarms == (Alarm(FIRST, "NOSPACE"),)
    assert status.quota == 200000
    assert status.health_ms is not None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("via", ["etcdctl", "gateway"])
def test_without_a_client_certificate_the_servers_own_pair_serves(version: str, via: str) -> None:
    assert answer(version, f"server-pair-{via}").status is not None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("via", ["etcdctl", "gateway"])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "expired-client",
            "TLS: the certificate /etc/kubernetes/pki/etcd/healthcheck-client.crt has expired",
        ),
        ("expired-server", "TLS: the certificate /etc/kubernetes/pki/etcd/server.crt has expired"),
        ("other-ca", "TLS: the certificate is not signed by a CA"),
    ],
)
def test_tls_troubles_have_their_own_words(version: str, via: str, name: str, why: str) -> None:
    found = answer(version, f"{name}-{via}")
    assert found.status is None
    assert found.error.startswith(why)


def test_no_way_to_ask() -> None:
    assert answer("3.5", "none").error.startswith("cannot ask etcd: none of container is on this node")


def test_a_server_without_a_gateway() -> None:
    refused = "404 page not found\n:\n:~ 404 0.001"
    text = f"@server 7 etcd\n@quota 0\n@via gateway\n@gateway 0\n:{refused}\n:{refused}\n:{refused}\n"
    (found,) = EtcdApi("gateway").parse(Frame(text))
    assert found.error == "404 page not found"


def test_keys_never_leave_the_node() -> None:
    for path in DATA.rglob("*.out"):
        assert "PRIVATE KEY" not in path.read_text()


def test_a_probe_that_was_cut_off_is_no_answer() -> None:
    whole = frame("3.5", "healthy-etcdctl").out
    for end in range(len(whole)):
        for found in EtcdApi().parse(Frame(whole[:end])):
            assert found.error or found.status


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("via", ["etcdctl", "gateway"])
def test_the_compaction_key(version: str, via: str) -> None:
    (key,) = CompactRevKey().parse(frame(version, f"compact-{via}"))
    assert key == CompactKey("etcd", StoredKey(b"1", 2, 3))
    assert key.alive


@pytest.mark.parametrize(
    ("key", "alive"),
    [
        (None, None),
        (StoredKey(None, 0, 500), False),
        (StoredKey(b"90000", 100000, 129000), True),  # 10 000 a round, 2.9 rounds ago
        (StoredKey(b"90000", 100000, 131000), False),  # 3.1 rounds ago
        (StoredKey(b"99990", 100000, 102900), True),  # an idle store: leases alone write that much
        (StoredKey(b"0", 100000, 300000), True),  # the first round tells nothing of the pace
        (StoredKey(b"x", 100, 200), True),
    ],
)
def test_whether_somebody_compacts(key: StoredKey | None, alive: bool | None) -> None:
    assert CompactKey("etcd", key).alive is alive


@pytest.mark.parametrize(("version", "count"), [("3.4", 8), ("3.5", 8)])
def test_every_thread_of_a_process(version: str, count: int) -> None:
    (process,) = ProcessThreads().parse(frame(version, "threads"))
    assert (process.instance, process.pid) == ("etcd", 11)
    assert process.start_ticks > 0
    assert len(process.threads) == count
    assert {(thread.io_class, thread.io_level, thread.nice) for thread in process.threads} == {("none", 0, 0)}


def test_priorities_by_thread() -> None:
    lines = [
        "@server 7 x",
        "@tids 7 8 9",
        "@io",
        ":best-effort: prio 3",
        ":idle",
        ":realtime: prio 0",
        "@stat",
    ]
    lines += [
        f":{tid} (a) b) S {' '.join(['0'] * 15)} {nice} 1 0 {99 + tid} 0"
        for tid, nice in ((7, -20), (8, 0), (9, 19))
    ]
    (process,) = ProcessThreads("x").parse(Frame("\n".join(lines)))
    assert [(t.tid, t.io_class, t.io_level, t.nice) for t in process.threads] == [
        (7, "best-effort", 3, -20),
        (8, "idle", 0, 0),
        (9, "realtime", 0, 19),
    ]
    assert process.start_ticks == 106


@pytest.mark.parametrize("io", [":ionice: not found", ":none: prio 0\n:ionice: ioprio_get failed"])
def test_threads_without_ionice(io: str) -> None:
    with pytest.raises(FactError, match="I/O class of process 7"):
        ProcessThreads().parse(Frame(f"@server 7 etcd\n@tids 7 8\n@io\n{io}\n@stat\n"))


def test_a_process_that_ended_meanwhile() -> None:
    with pytest.raises(FactError, match="process 7 ended"):
        ProcessThreads().parse(Frame("@server 7 etcd\n@tids 7\n@io\n:idle\n@stat\n"))


def test_memory_instead_of_a_disk() -> None:
    (disk,) = DataDisks().parse(frame("3.5", "disk"))
    assert (disk.data_dir, disk.filesystem, disk.mount_point) == (
        "/var/lib/etcd/n1",
        "tmpfs",
        "/var/lib/etcd",
    )
    assert (disk.device, disk.disk, disk.scheduler, disk.shared_with_root) == ("", "", "", False)
    assert disk.size == 2147483648
    assert 0 < disk.free < disk.size


def test_a_disk_with_its_scheduler() -> None:
    text = (
        "@server 7 etcd\n@data\n:/var/lib/etcd\n@type\n:xfs\n@mount\n:/var/lib/etcd\n@device\n:/dev/sdb1\n"
        "@disk\n:sdb\n@scheduler\n:none [mq-deadline] kyber bfq\n@root\n:sdb\n@space\n:4096 100 60\n"
    )
    (disk,) = DataDisks().parse(Frame(text))
    assert (disk.device, disk.disk, disk.scheduler, disk.shared_with_root) == (
        "/dev/sdb1",
        "sdb",
        "mq-deadline",
        True,
    )
    assert (disk.size, disk.free) == (409600, 245760)
