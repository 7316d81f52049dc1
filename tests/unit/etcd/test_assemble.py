"""From facts to instances, and from instances to clusters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from remediate.etcd.assemble import assemble, clusters, etcd_facts, gate_facts, was_member
from remediate.etcd.model import (
    DataDisk,
    EtcdHost,
    EtcdProcess,
    EtcdStatus,
    FlagFile,
    Layout,
    ManifestFile,
    Member,
    ThreadPriority,
)
from remediate.etcd.parse import StoredKey
from remediate.facts.base import Fact, Seen, Unknown
from remediate.facts.disk import DataDisks
from remediate.facts.etcd import CompactKey, CompactRevKey, EtcdAnswer, EtcdApi, EtcdProcesses
from remediate.facts.manifests import FlagFiles, StaticPods
from remediate.facts.system import ApiServer, System, SystemState
from remediate.facts.threads import ProcessPriority, ProcessThreads

MEMBERS = tuple(
    Member(number, f"n{number}", (f"https://10.0.0.{number}:2380",), (f"https://10.0.0.{number}:2379",))
    for number in (1, 2, 3)
)
SYSTEM = SystemState("abc", "boot", frozenset(), 8 * 2**30, 4 * 2**30, 2, ())


def status(member: int = 1, cluster: int = 0xC1, instance: str = "etcd", **changes: Any) -> EtcdStatus:
    value = EtcdStatus(
        instance=instance,
        via="etcdctl",
        version="3.5.16",
        cluster_id=cluster,
        member_id=member,
        leader=1,
        term=2,
        raft_index=10,
        applied_index=10,
        db_size=100,
        db_in_use=50,
        quota=1000,
        is_learner=False,
        members=MEMBERS,
        alarms=(),
        health_ms=1.0,
    )
    return replace(value, **changes)


def process(instance: str = "etcd", pid: int = 7, *flags: str, root: str = "") -> EtcdProcess:
    return EtcdProcess(instance, pid, 100, ("etcd", *flags), {}, root)


def pod(path: str, text: str, instance: str = "etcd", hidden: bool = False) -> ManifestFile:
    return ManifestFile(path, text, "0", "600", "root:root", instance, hidden)


def seen(values: dict[Fact[Any], Any]) -> Seen:
    everything: dict[Fact[Any], Any] = {fact: () for fact in etcd_facts()}
    return Seen("n1", {**everything, System(): SYSTEM, ApiServer(): None, **values})


def test_gates_read_a_part_of_the_same_facts() -> None:
    assert set(gate_facts()) < set(etcd_facts())
    assert etcd_facts()[0] == EtcdProcesses()


def test_one_instance_with_all_that_is_known() -> None:
    disk = DataDisk("etcd", "/var/lib/etcd", "xfs", "/", "/dev/sda1", "sda", "none", 10, 5, True)
    threads = (ThreadPriority(7, "none", 0, 0),)
    manifest = pod("/etc/kubernetes/manifests/etcd.yaml", "x")
    values = {
        EtcdProcesses(): (process(),),
        StaticPods(): (manifest, pod("/etc/kubernetes/manifests/.etcd.yaml", "x", hidden=True)),
        EtcdApi(): (EtcdAnswer("etcd", status()),),
        CompactRevKey(): (CompactKey("etcd", StoredKey(None, 0, 5)),),
        DataDisks(): (disk,),
        ProcessThreads(): (ProcessPriority("etcd", 7, 100, threads),),
        ApiServer(): True,
    }
    variables = {"remediate_environment": "lab"}
    (host,) = assemble(seen(values), variables, "n1")
    assert host == EtcdHost(
        host="n1",
        instance="etcd",
        variables=variables,
        process=process(),
        status=status(),
        layout=Layout.STATIC_POD,
        manifests=(manifest,),
        disk=disk,
        threads=threads,
        compact_rev_key=False,
        apiserver_ready=True,
        machine_id="abc",
    )


def test_two_instances_each_with_its_own() -> None:
    events = process("etcd-events", 9, "--data-dir=/var/lib/etcd-events", root="/proc/9/root")
    files = (
        pod("/m/etcd.yaml", "- --data-dir=/var/lib/etcd\n"),
        pod("/m/events.yaml", "    - --data-dir=/var/lib/etcd-events\n", "etcd-kube-events"),
    )
    answers = (EtcdAnswer("etcd-events", status(2, 0xE, "etcd-events")), EtcdAnswer("etcd", status()))
    values = {EtcdProcesses(): (events, process()), StaticPods(): files, EtcdApi(): answers}
    main, second = assemble(seen(values), {}, "n1")
    assert (main.name, main.manifests, main.status) == ("n1", files[:1], status())
    assert (second.name, second.manifests) == ("n1/etcd-events", files[1:])
    assert second.status and second.status.cluster_id == 0xE


def test_two_manifests_of_one_name_and_a_broken_one_are_the_main_instances() -> None:
    files = (pod("/m/a.yaml", "x"), pod("/m/b.yaml", "x"), pod("/m/c.yaml", "[", ""))
    (host,) = assemble(seen({EtcdProcesses(): (process(),), StaticPods(): files}), {}, "n1")
    assert host.manifests == files


def test_a_member_that_is_down_is_known_by_its_manifest() -> None:
    (host,) = assemble(seen({StaticPods(): (pod("/m/etcd.yaml", "x"),)}), {}, "n1")
    assert (host.process, host.status, host.status_error) == (None, None, "no etcd process runs")
    (broken,) = assemble(seen({StaticPods(): (pod("/m/etcd.yaml", "[", ""),)}), {}, "n1")
    assert broken.instance == "etcd"


def test_a_member_that_is_down_is_known_by_its_data_or_by_the_inventory() -> None:
    data = replace(SYSTEM, etcd_data=("/var/lib/etcd",))
    assert [host.name for host in assemble(seen({System(): data}), {}, "n1")] == ["n1"]
    assert [host.name for host in assemble(seen({}), {"remediate_cluster": "a"}, "n1")] == ["n1"]
    assert assemble(seen({}), {}, "worker") == ()


def test_why_nothing_answered() -> None:
    silent = {EtcdProcesses(): (process(),), EtcdApi(): (EtcdAnswer("etcd", error="TLS: expired"),)}
    (host,) = assemble(seen(silent), {}, "n1")
    assert (host.status, host.status_error) == (None, "TLS: expired")
    (late,) = assemble(seen({**silent, EtcdApi(): Unknown("no answer within 20 s")}), {}, "n1")
    assert late.status_error == "no answer within 20 s"
    (missing,) = assemble(seen({**silent, EtcdApi(): ()}), {}, "n1")
    assert missing.status_error == "no answer"


def test_the_file_that_the_process_was_started_from() -> None:
    files = tuple(
        FlagFile(path, text, "0", "644", "root:root", Layout.ENV_FILE, "etcd")
        for path, text in (
            ("/etc/etcd.env", "ETCD_NAME=b\n"),
            ("/etc/default/etcd", "ETCD_NAME=a\nETCD_DATA_DIR=/d\n"),
        )
    )
    live = replace(process(), environment={"ETCD_NAME": "a", "ETCD_DATA_DIR": "/d"})
    (host,) = assemble(seen({EtcdProcesses(): (live,), FlagFiles(): files}), {}, "n1")
    assert (host.flag_file, host.layout) == (files[1], Layout.ENV_FILE)
    (pod_host,) = assemble(
        seen({EtcdProcesses(): (live,), FlagFiles(): files, StaticPods(): (pod("/m/e.yaml", "x"),)}), {}, "n1"
    )
    assert (pod_host.flag_file, pod_host.layout) == (None, Layout.STATIC_POD)


def test_who_owns_the_manifest() -> None:
    for path, text, layout in (
        ("/var/lib/rancher/rke2/agent/pod-manifests/etcd.yaml", "x", Layout.RKE2),
        ("/etc/kubernetes/manifests/etcd-pod.yaml", "namespace: openshift-etcd", Layout.OPENSHIFT),
    ):
        (host,) = assemble(seen({StaticPods(): (pod(path, text),)}), {}, "n1")
        assert host.layout == layout


def up(name: str, member: int, cluster: int = 0xC1, instance: str = "etcd", **variables: str) -> EtcdHost:
    return EtcdHost(name, instance, variables, process(instance), status(member, cluster, instance))


def down(name: str, *, manifest: str = "", instance: str = "etcd", **variables: str) -> EtcdHost:
    files = (pod("/m/etcd.yaml", manifest, instance),) if manifest else ()
    return EtcdHost(name, instance, variables, manifests=files, status_error="down")


def grouped(hosts: Iterable[EtcdHost]) -> dict[str, list[str]]:
    return {cluster.name: [host.name for host in cluster.hosts] for cluster in clusters(hosts)}


def test_one_cluster_id_one_cluster() -> None:
    hosts = [up("n1", 1), up("x1", 9, 0xC2), up("n2", 2), up("n1", 8, 0xE, "etcd-events")]
    assert grouped(hosts) == {"c1": ["n1", "n2"], "c2": ["x1"], "e": ["n1/etcd-events"]}


def test_the_inventory_names_clusters_and_parts_those_that_were_made_alike() -> None:
    hosts = [
        up("a1", 1, remediate_cluster="a"),
        up("b1", 1, remediate_cluster="b"),
        up("a1", 5, 0xE, "etcd-events", remediate_cluster="a"),
        down("a2", remediate_cluster="a"),
        down("c1", remediate_cluster="c"),
        down("a2", instance="etcd-events", remediate_cluster="a"),
    ]
    assert grouped(hosts) == {
        "a": ["a1", "a2"],
        "a/etcd-events": ["a1/etcd-events", "a2/etcd-events"],
        "b": ["b1"],
        "c": ["c1"],
    }


def test_a_member_that_is_down_goes_where_the_list_names_it() -> None:
    by_name = down("n3")
    by_address = down("third", ansible_host="10.0.0.3")
    by_url = down("node", manifest="- --initial-advertise-peer-urls=https://10.0.0.3:2380\n")
    for host in (by_name, by_address, by_url):
        assert grouped([up("n1", 1), host]) == {"c1": ["n1", host.name]}


def test_a_member_that_nobody_names_stands_alone() -> None:
    other = down("n3", manifest="- --initial-advertise-peer-urls=https://10.9.9.9:2380\n")
    assert grouped([up("n1", 1), other]) == {"c1": ["n1"], "n3": ["n3"]}
    assert grouped([up("n1", 1), down("n9")]) == {"c1": ["n1"], "n9": ["n9"]}
    assert grouped([up("n1", 1), down("n3", instance="etcd-events")]) == {
        "c1": ["n1"],
        "n3/etcd-events": ["n3/etcd-events"],
    }


def removed(name: str, *peers: int) -> EtcdHost:
    named = "".join(f"n{number}=https://10.0.0.{number}:2380," for number in peers)
    own = "https://10.0.0.5:2380"
    text = f"- --initial-advertise-peer-urls={own}\n- --initial-cluster={named}{name}={own}\n"
    return down(name, manifest=text)


def test_a_host_whose_member_was_removed_goes_where_its_peers_are() -> None:
    live = up("n1", 1)
    assert grouped([live, removed("n5", 1, 2)]) == {"c1": ["n1", "n5"]}
    assert grouped([live, removed("n5", 7)]) == {"c1": ["n1"], "n5": ["n5"]}
    assert grouped([live, removed("n5")]) == {"c1": ["n1"], "n5": ["n5"]}
    assert grouped([live, up("m1", 1, 0xC2), removed("n5", 1)]) == {"c1": ["n1"], "c2": ["m1"], "n5": ["n5"]}
    assert grouped([removed("n5", 1)]) == {"n5": ["n5"]}


def test_who_was_a_member_once() -> None:
    (cluster,) = clusters([up("n1", 1), down("n3")])
    assert was_member(cluster, removed("n5", 1))
    assert not was_member(cluster, replace(removed("n5", 1), status=status(5)))
    listed = "- --initial-advertise-peer-urls=https://10.0.0.3:2380\n- --initial-cluster=n1=https://10.0.0.1:2380\n"
    assert not was_member(cluster, down("n3", manifest=listed))


def test_a_member_that_two_clusters_name_stands_alone() -> None:
    assert grouped([up("n1", 1), up("m1", 1, 0xC2), down("n3")]) == {"c1": ["n1"], "c2": ["m1"], "n3": ["n3"]}


def test_the_member_list_is_that_of_who_knows_most() -> None:
    late = replace(up("n2", 2), status=status(2, applied_index=3, members=MEMBERS[:2]))
    learner = replace(up("n4", 4), status=status(4, applied_index=99, members=(), is_learner=True))
    (cluster,) = clusters([late, up("n1", 1), learner])
    assert cluster.members == MEMBERS
    assert cluster.leader and cluster.leader.host == "n1"
