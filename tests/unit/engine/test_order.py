"""Which hosts go together, and in which order."""

from __future__ import annotations

import pytest

from remediate.engine.order import arranged, batches, domains
from remediate.etcd.model import Cluster, EtcdHost
from remediate.playbook import Serial

from .test_gates import cluster, status


def test_followers_first_then_the_leader_and_the_dead_before_all() -> None:
    now = cluster(n3=None)
    assert arranged(("n1", "n2", "n3"), "leader-last", [now]) == ("n3", "n2", "n1")


def test_leader_last_follows_the_leadership() -> None:
    moved = cluster(n1=status(1, leader=2), n2=status(2, leader=2), n3=status(3, leader=2))
    assert arranged(("n1", "n2", "n3"), "leader-last", [moved]) == ("n1", "n3", "n2")


@pytest.mark.parametrize(
    ("order", "expected"),
    [("inventory", "bca"), ("reverse_inventory", "acb"), ("sorted", "abc"), ("reverse_sorted", "cba")],
)
def test_other_orders_are_ansibles(order: str, expected: str) -> None:
    assert arranged(("b", "c", "a"), order, []) == tuple(expected)  # type: ignore[arg-type]


def of(name: str, *hosts: str) -> Cluster:
    return Cluster(name, tuple(EtcdHost(host, "etcd", {}) for host in hosts))


def test_clusters_are_apart_and_hosts_without_etcd_together() -> None:
    hosts = ("w1", "a1", "b1", "a2", "b2", "w2")
    assert domains(hosts, [of("a", "a1", "a2"), of("b", "b1", "b2")]) == (
        ("w1", "w2"),
        ("a1", "a2"),
        ("b1", "b2"),
    )


def test_a_node_with_members_of_two_clusters_joins_them() -> None:
    assert domains(("a1", "x", "b1"), [of("a", "a1", "x"), of("b", "x", "b1")]) == (("a1", "x", "b1"),)


def test_serial_means_batches_and_none_means_all() -> None:
    hosts = ("a", "b", "c", "d", "e")
    assert batches(hosts, None) == (hosts,)
    assert batches(hosts, Serial((2,))) == (("a", "b"), ("c", "d"), ("e",))
    assert batches(hosts, Serial((1, "50%"))) == (("a",), ("b", "c"), ("d", "e"))
    assert batches((), None) == ()
