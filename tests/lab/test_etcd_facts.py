"""The etcd facts on real nodes, held against what the nodes say of themselves from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from remediate.etcd.assemble import assemble, clusters, etcd_facts
from remediate.etcd.flags import flags_of
from remediate.etcd.manifest import command_of
from remediate.etcd.model import EtcdStatus, Layout
from remediate.facts.base import Fact
from remediate.facts.disk import DataDisks
from remediate.facts.etcd import EtcdApi, EtcdProcesses, Via
from remediate.facts.look import look
from remediate.facts.manifests import StaticPods
from remediate.facts.system import System
from remediate.facts.threads import ProcessThreads
from remediate.inventory import load
from tests.lab.labs import RunningLab
from tests.lab.measuring import cluster_of, connect

pytestmark = pytest.mark.lab

T = TypeVar("T")

WAYS: tuple[Via, ...] = ("etcdctl", "container", "gateway")

NewLab = Callable[..., RunningLab]


def ask(lab: RunningLab, node: str, fact: Fact[T]) -> T:
    """What a fact says of a node."""
    return look(connect(lab.inventory)[node], [fact])[fact]


def status_of(lab: RunningLab, node: str, via: Via) -> EtcdStatus:
    (answer,) = ask(lab, node, EtcdApi(via=via))
    assert answer.status, answer.error
    return answer.status


@contextmanager
def hidden(lab: RunningLab, node: str, *programs: str) -> Iterator[None]:
    """A node without some programs."""
    for program in programs:
        lab.ssh(node, f"p=$(command -v {program}) && mv $p $p.hidden")
    try:
        yield
    finally:
        for program in programs:
            lab.ssh(node, f"p=$(command -v {program}.hidden) && mv $p ${{p%.hidden}}")


def assert_as_etcdctl_says(lab: RunningLab, node: str, status: EtcdStatus) -> None:
    (outside,) = lab.etcdctl(node, "endpoint", "status")
    told = outside["Status"]
    assert status.member_id == told["header"]["member_id"]
    assert status.cluster_id == told["header"]["cluster_id"]
    assert status.leader == told["leader"]
    assert status.version == told["version"]
    assert status.db_in_use <= status.db_size
    members = lab.etcdctl(node, "member", "list")["members"]
    assert {(m.id, m.name) for m in status.members} == {(m["ID"], m["name"]) for m in members}
    assert status.alarms == ()
    assert status.health_ms and 0 < status.health_ms < 5000


@pytest.mark.parametrize("via", WAYS)
def test_each_way_to_ask(lab: RunningLab, via: Via) -> None:
    for node in lab.nodes:
        status = status_of(lab, node, via)
        assert status.via == via
        assert_as_etcdctl_says(lab, node, status)


def test_each_way_to_ask_3_4(new_lab: NewLab) -> None:
    lab = new_lab("--nodes", "1", "--etcd", "3.4")
    for via in WAYS:
        status = status_of(lab, "n1", via)
        assert (status.via, status.version) == (via, "3.4.23")
        assert_as_etcdctl_says(lab, "n1", status)


def test_the_next_way_where_a_program_is_missing(lab: RunningLab) -> None:
    node = lab.nodes[0]
    assert status_of(lab, node, "auto").via == "gateway"
    with hidden(lab, node, "curl"):
        assert status_of(lab, node, "auto").via == "etcdctl"
        with hidden(lab, node, "etcdctl"):
            assert status_of(lab, node, "auto").via == "container"
            with hidden(lab, node, "crictl"):
                assert status_of(lab, node, "auto").via == "container"  # by its namespaces
                with hidden(lab, node, "nsenter"):
                    (answer,) = ask(lab, node, EtcdApi())
                    assert answer.error.startswith("cannot ask etcd: none of gateway, etcdctl, container")


def test_the_live_command_line_and_the_manifest(lab: RunningLab) -> None:
    for node in lab.nodes:
        (process,) = ask(lab, node, EtcdProcesses())
        pid = int(lab.ssh(node, "pgrep -x etcd"))
        outside = lab.ssh(node, f"tr '\\0' '\\n' </proc/{pid}/cmdline").splitlines()
        assert (process.pid, list(process.argv)) == (pid, outside)
        (pod,) = ask(lab, node, StaticPods())
        file = lab.host(node).file(pod.path)
        assert (pod.text, pod.sha256) == (file.content_string, file.sha256sum)
        assert (pod.mode, pod.owner) == (f"{file.mode:o}", f"{file.user}:{file.group}")
        assert flags_of(command_of(pod.text)) == flags_of(process.argv, process.environment)


def test_the_disk_the_threads_and_the_machine(lab: RunningLab) -> None:
    node = lab.nodes[0]
    (disk,) = ask(lab, node, DataDisks())
    source, kind = lab.ssh(node, "findmnt -no SOURCE,FSTYPE -T /var/lib/etcd").split()
    assert (disk.data_dir, disk.device, disk.filesystem) == ("/var/lib/etcd", source, kind)
    assert f"[{disk.scheduler}]" in lab.ssh(node, f"cat /sys/block/{Path(source).name}/queue/scheduler")
    assert disk.size == int(lab.ssh(node, "df -B1 --output=size /var/lib/etcd | tail -1"))
    pid = lab.ssh(node, "pgrep -x etcd").strip()
    lab.ssh(node, f"ionice -c best-effort -n 0 -p {pid}")
    try:
        (process,) = ask(lab, node, ProcessThreads())
        assert sorted(t.tid for t in process.threads) == sorted(
            map(int, lab.ssh(node, f"ls /proc/{pid}/task").split())
        )
        assert {t.tid: t.io_class for t in process.threads if t.io_class != "none"} == {
            int(pid): "best-effort"
        }
    finally:
        lab.ssh(node, f"ionice -c none -p {pid}")
    assert ask(lab, node, System()).machine_id == lab.ssh(node, "cat /etc/machine-id").strip()


def test_one_exec_for_all_of_a_host(lab: RunningLab) -> None:
    node = connect(lab.inventory)[lab.nodes[0]]
    before = node.execs
    look(node, etcd_facts())
    assert node.execs == before + 1


def test_the_cluster_with_a_member_that_is_down(lab: RunningLab) -> None:
    node = lab.nodes[-1]
    lab.fault(node, "stop-etcd")
    try:
        lab.wait(lambda: not lab.ssh(node, "pgrep -x etcd", check=False))
        found = cluster_of(lab.inventory, connect(lab.inventory))
        assert [host.name for host in found.hosts if host.status] == list(lab.nodes[:-1])
        (down,) = (host for host in found.hosts if not host.status)
        assert (down.name, down.process, down.status_error) == (node, None, "no etcd process runs")
        assert len(found.members) == len(lab.nodes)
    finally:
        lab.fault(node, "stop-etcd", undo=True)
        lab.wait_healthy()
    hosts = load(lab.inventory).select("all")
    nodes = connect(lab.inventory)
    seen: list[Any] = [look(nodes[host.name], etcd_facts()) for host in hosts]
    (whole,) = clusters(
        one
        for host, facts in zip(hosts, seen, strict=True)
        for one in assemble(facts, host.variables, host.name)
    )
    assert whole.leader
    assert {host.layout for host in whole.hosts} == {Layout.STATIC_POD}
    assert {host.environment for host in whole.hosts} == {"lab"}
