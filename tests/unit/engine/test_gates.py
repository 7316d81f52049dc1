"""The verdicts of the health gates, one row per rule of SAFETY's I2 and DESIGN's gates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from remediate.engine import gates
from remediate.engine.gates import Moment
from remediate.etcd.model import Alarm, Cluster, EtcdHost, EtcdStatus, Member

NAMES = ("n1", "n2", "n3")
MEMBERS = tuple(Member(number, name, (), ()) for number, name in enumerate(NAMES, 1))


def status(number: int, **other: Any) -> EtcdStatus:
    given: dict[str, Any] = {
        "instance": "etcd", "via": "gateway", "version": "3.5.16", "cluster_id": 9, "member_id": number, "leader": 1,
        "term": 4, "raft_index": 100, "applied_index": 100, "db_size": 10, "db_in_use": 10, "quota": 100,
        "is_learner": False, "members": MEMBERS, "alarms": (), "health_ms": 2.0,
    }  # fmt: skip
    return EtcdStatus(**given | other)


def cluster(**changed: EtcdStatus | None) -> Cluster:
    hosts = [
        EtcdHost(name, "etcd", {}, status=changed.get(name, status(number)))
        for number, name in enumerate(NAMES, 1)
    ]
    return Cluster("c", tuple(hosts))


def refused(checks: tuple[gates.Check, ...]) -> set[str]:
    return {check.name for check in checks if not check.passed}


BEFORE = [
    ("all healthy", "n2", {}, set()),
    ("the leader itself", "n1", {}, set()),
    ("another one is down", "n2", {"n3": None}, {"quorum without this member"}),
    ("another one lags", "n2", {"n3": status(3, applied_index=99)}, {"quorum without this member"}),
    ("another one cannot read", "n2", {"n3": status(3, health_ms=None)}, {"quorum without this member"}),
    ("another one is a learner", "n2", {"n3": status(3, is_learner=True)}, {"quorum without this member"}),
    ("it is down itself", "n2", {"n2": None}, {"member answers"}),
    ("a new alarm", "n2", {"n3": status(3, alarms=(Alarm(3, "NOSPACE"),))}, {"no new alarm"}),
    ("CORRUPT", "n2", {"n3": status(3, alarms=(Alarm(3, "CORRUPT"),))}, {"no CORRUPT alarm", "no new alarm"}),
    ("slow, but healthy", "n2", {"n3": status(3, health_ms=5000.0)}, set()),
]


@pytest.mark.parametrize(
    ("target", "changed", "expected"), [row[1:] for row in BEFORE], ids=[row[0] for row in BEFORE]
)
def test_before(target: str, changed: dict[str, EtcdStatus | None], expected: set[str]) -> None:
    now = cluster(**changed)
    host = next(h for h in now.hosts if h.name == target)
    checks = gates.before(now, host, gates.baseline(cluster()), Moment(4, 100), allow_outage=False)
    assert refused(checks) == expected


def test_a_member_that_lags_is_not_defragmented_but_may_be_restarted() -> None:
    now = cluster(n2=status(2, applied_index=99))
    base = gates.baseline(cluster())
    for blocked, expected in ((True, {"caught up"}), (False, set())):
        checks = gates.before(now, now.hosts[1], base, Moment(4, 100), allow_outage=False, blocked=blocked)
        assert refused(checks) == expected


def test_a_single_member_needs_allow_outage() -> None:
    alone = Cluster("c", (EtcdHost("n1", "etcd", {}, status=status(1, members=MEMBERS[:1])),))
    base = gates.baseline(alone)
    closed = gates.before(alone, alone.hosts[0], base, Moment(4, 100), allow_outage=False)
    opened = gates.before(alone, alone.hosts[0], base, Moment(4, 100), allow_outage=True)
    assert refused(closed) == {"quorum without this member"}
    assert refused(opened) == set()
    assert any("allowed by --allow-outage" in check.detail for check in opened)


def test_corrupt_is_refused_even_where_it_is_not_new_and_an_outage_is_allowed() -> None:
    ill = cluster(n3=status(3, alarms=(Alarm(3, "CORRUPT"),)))
    checks = gates.before(ill, ill.hosts[1], gates.baseline(ill), Moment(4, 100), allow_outage=True)
    assert refused(checks) == {"no CORRUPT alarm"}


def test_a_member_outside_the_inventory_is_not_counted_as_healthy() -> None:
    two = Cluster("c", cluster().hosts[:2])
    checks = gates.before(two, two.hosts[1], gates.baseline(two), Moment(4, 100), allow_outage=False)
    assert refused(checks) == {"quorum without this member"}


AFTER = [
    ("back", {}, set()),
    ("silent", {"n2": None}, {"member answers"}),
    ("another member ID", {"n2": status(7)}, {"same member and cluster"}),
    ("a new one-node cluster", {"n2": status(2, cluster_id=10)}, {"same member and cluster"}),
    ("not caught up", {"n2": status(2, applied_index=99)}, {"caught up"}),
    (
        "no linearizable read",
        {"n2": status(2, health_ms=None, health_error="deadline")},
        {"linearizable read"},
    ),
    (
        "left the others",
        {"n2": status(2, members=MEMBERS[1:2], applied_index=101)},
        {"same member list", "other members healthy"},
    ),
    ("hurt another one", {"n3": status(3, health_ms=None)}, {"other members healthy"}),
    ("another one is gone", {"n1": None}, {"other members healthy"}),
    ("knows no leader", {"n2": status(2, leader=0)}, {"a leader"}),
    ("raised an alarm", {"n2": status(2, alarms=(Alarm(2, "NOSPACE"),))}, {"no new alarm"}),
]


@pytest.mark.parametrize(("changed", "expected"), [row[1:] for row in AFTER], ids=[row[0] for row in AFTER])
def test_after(changed: dict[str, EtcdStatus | None], expected: set[str]) -> None:
    now = cluster(**changed)
    assert refused(gates.after(now, now.hosts[1], gates.baseline(cluster()), Moment(4, 100))) == expected


def test_after_expects_an_apiserver_only_where_there_was_a_ready_one() -> None:
    def with_api(ready: bool | None) -> Cluster:
        return Cluster("c", tuple(replace(host, apiserver_ready=ready) for host in cluster().hosts))

    base = gates.baseline(with_api(True))
    assert refused(gates.after(with_api(None), with_api(None).hosts[1], base, Moment(4, 100))) == {
        "kube-apiserver ready"
    }
    assert (
        refused(gates.after(with_api(None), with_api(None).hosts[1], gates.baseline(with_api(None)), None))
        == set()
    )


def test_where_the_quorum_was_lost_before_a_member_that_answers_is_enough() -> None:
    lost = Cluster("c", tuple(replace(host, status=None) for host in cluster().hosts))
    back = cluster(n2=status(2, leader=0, health_ms=None), n1=None, n3=None)
    assert refused(gates.after(back, back.hosts[1], gates.baseline(lost), None)) == set()


@pytest.mark.parametrize(
    ("earlier", "now", "passed"),
    [
        (Moment(4, 1), Moment(4, 9), True),
        (Moment(4, 1), Moment(5, 9), False),
        (None, Moment(4, 1), False),
        (None, None, True),
    ],
)
def test_stable_term(earlier: Moment | None, now: Moment | None, passed: bool) -> None:
    assert gates.stable(earlier, now).passed is passed


def test_a_gate_without_conditions_is_closed() -> None:
    assert not gates.passed(())
