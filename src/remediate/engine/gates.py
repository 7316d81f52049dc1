"""Health gates: may this member be stopped, and is it back? Pure verdicts over one look at a cluster.

Latency alone never refuses: a slow cluster is why we are here (DESIGN, gates).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from remediate.etcd.model import Cluster, EtcdHost, quorum

LOST = "the quorum is lost already"
"""Said where stopping a member takes nothing away that is not gone."""


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of a gate, with the figures that it stands on."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """The cluster at the run's start, which later looks are compared with.

    Attributes:
        alarms: (member ID, kind) of alarms that were raised already.
        identity: member and cluster ID by `EtcdHost.name`.
        apiservers: hosts whose own kube-apiserver was ready.
        led: whether there was a leader, so that writes were possible at all.
        members: IDs of the member list.
        healthy: names of the voters that answered a linearizable read.
    """

    alarms: frozenset[tuple[int, str]]
    identity: dict[str, tuple[int, int]]
    apiservers: frozenset[str]
    led: bool
    members: frozenset[int]
    healthy: frozenset[str]


@dataclass(frozen=True, slots=True)
class Moment:
    """What a gate reads when it starts: the term, and the leader's commit index that members must reach."""

    term: int
    commit: int


def baseline(cluster: Cluster) -> Baseline:
    """What holds before anything is changed."""
    answering = [h for h in cluster.hosts if h.status]
    return Baseline(
        alarms=frozenset((a.member_id, a.kind) for h in answering if h.status for a in h.status.alarms),
        identity={h.name: (h.status.member_id, h.status.cluster_id) for h in answering if h.status},
        apiservers=frozenset(h.host for h in cluster.hosts if h.apiserver_ready),
        led=cluster.leader is not None,
        members=frozenset(member.id for member in cluster.members),
        healthy=frozenset(host.name for host in healthy_voters(cluster, 0)),
    )


def moment(cluster: Cluster) -> Moment | None:
    """Term and commit index as the leader says them; None where no member of the inventory leads."""
    leader = cluster.leader
    return Moment(leader.status.term, leader.status.raft_index) if leader and leader.status else None


def healthy_voters(cluster: Cluster, commit: int, *, without: str = "") -> tuple[EtcdHost, ...]:
    """Voters that answer a linearizable read and have applied what was committed when the gate began.

    A member that is not in the inventory cannot be asked, so it does not count; nor does one that no list names.
    """
    listed = {member.id for member in cluster.voters}
    return tuple(
        h
        for h in cluster.hosts
        if h.name != without
        and h.status
        and h.status.member_id in listed
        and not h.status.is_learner
        and h.status.health_ms is not None
        and h.status.applied_index >= commit
    )


def before(
    cluster: Cluster,
    target: EtcdHost,
    base: Baseline,
    start: Moment | None,
    *,
    allow_outage: bool,
    blocked: bool = False,
) -> tuple[Check, ...]:
    """May this member be stopped now? (SAFETY, I2)

    Args:
        cluster: as just seen.
        target: the member.
        base: the cluster at the run's start.
        start: what the gate read first.
        allow_outage: it may be stopped although the others make no quorum.
        blocked: a defragmentation blocks it instead, which must not meet an incoming snapshot (etcd#20653).
    """
    checks = tuple(_before(cluster, target, base, start, allow_outage))
    if blocked and start and target.status:
        applied = target.status.applied_index
        return (
            *checks,
            Check("caught up", applied >= start.commit, f"applied {applied}, committed {start.commit}"),
        )
    return checks


def _before(
    cluster: Cluster, target: EtcdHost, base: Baseline, start: Moment | None, allow_outage: bool
) -> Iterator[Check]:
    if target.status is None:
        detail = f"it is down: {target.status_error or 'no answer'}"
        yield Check("member answers", allow_outage, _allowed(detail, False, allow_outage))
    yield _distinct(cluster)
    count = len(cluster.voters)
    others = healthy_voters(cluster, start.commit if start else 0, without=target.name)
    if target.status and target.status.is_learner:
        yield Check("quorum without this member", True, "a learner does not count for the quorum")
    else:
        detail = f"{len(others)} of {count} voters healthy and caught up without it, {quorum(count)} needed"
        if len(healthy_voters(cluster, 0)) < quorum(count):
            detail += f"; {LOST}"
        enough = count > 0 and len(others) >= quorum(count)
        yield Check(
            "quorum without this member", enough or allow_outage, _allowed(detail, enough, allow_outage)
        )
    if start or not allow_outage:
        yield Check("a leader", start is not None, "there is none" if start is None else "there is one")
    yield from _alarms(cluster, base)


def _distinct(cluster: Cluster) -> Check:
    """Two names of one machine would be counted as two healthy members (SAFETY: inventory points at the wrong node)."""
    names: dict[int, list[str]] = {}
    for host in cluster.hosts:
        if host.status:
            names.setdefault(host.status.member_id, []).append(host.name)
    twice = [f"{' and '.join(same)} are member {member:x}" for member, same in names.items() if len(same) > 1]
    return Check("one member per host", not twice, "; ".join(twice) or f"{len(names)} members answer")


def _allowed(detail: str, enough: bool, allow_outage: bool) -> str:
    return detail if enough or not allow_outage else f"{detail}; allowed by --allow-outage"


def after(cluster: Cluster, target: EtcdHost, base: Baseline, start: Moment | None) -> tuple[Check, ...]:
    """Is this member back, the same member, caught up, in a cluster no worse than before?"""
    return tuple(_after(cluster, target, base, start))


def _after(cluster: Cluster, target: EtcdHost, base: Baseline, start: Moment | None) -> Iterator[Check]:
    status = target.status
    if status is None:
        yield Check("member answers", False, target.status_error or "no answer")
        return
    yield Check("member answers", True, f"etcd {status.version}")
    known = base.identity.get(target.name)
    if known:
        same = known == (status.member_id, status.cluster_id)
        yield Check(
            "same member and cluster", same, f"member {status.member_id:x}, cluster {status.cluster_id:x}"
        )
    yield from _alarms(cluster, base)
    if not base.led and cluster.leader is None:
        return  # the quorum was lost before we came: a member that answers is all that one repair can bring
    read = status.health_ms is not None
    yield Check("linearizable read", read, f"{status.health_ms:.1f} ms" if read else status.health_error)
    commit = start.commit if start else 0
    yield Check(
        "caught up", status.applied_index >= commit, f"applied {status.applied_index}, committed {commit}"
    )
    yield from _no_worse(cluster, target, base)
    led = status.leader != 0
    yield Check("a leader", led, f"{status.leader:x}" if led else "there is none")
    if target.host in base.apiservers:
        ready = bool(target.apiserver_ready)
        yield Check("kube-apiserver ready", ready, "ready" if ready else "not ready, and it was before")


def _no_worse(cluster: Cluster, target: EtcdHost, base: Baseline) -> Iterator[Check]:
    """A member can be well and have hurt the others: by leaving them, or by answers that they cannot live with."""
    members = frozenset(member.id for member in cluster.members)
    if base.members:
        same = members == base.members
        yield Check(
            "same member list",
            same,
            f"{len(members)} members" + ("" if same else f", {len(base.members)} before"),
        )
    well = {host.name for host in healthy_voters(cluster, 0)} | {target.name}
    hurt = sorted(base.healthy - well)
    yield Check("other members healthy", not hurt, f"{', '.join(hurt)} not any more" if hurt else "as before")


def corrupt(cluster: Cluster) -> tuple[str, ...]:
    """Members, in hexadecimal, whose data is said to be corrupt."""
    alarms = {a.member_id for h in cluster.hosts if h.status for a in h.status.alarms if a.kind == "CORRUPT"}
    return tuple(sorted(f"{member:x}" for member in alarms))


def _alarms(cluster: Cluster, base: Baseline) -> Iterator[Check]:
    if broken := corrupt(cluster):
        yield Check("no CORRUPT alarm", False, f"raised by member {', '.join(broken)}")
    raised = {(a.member_id, a.kind) for h in cluster.hosts if h.status for a in h.status.alarms}
    fresh = sorted(f"{kind} by {member:x}" for member, kind in raised - base.alarms)
    yield Check("no new alarm", not fresh, ", ".join(fresh) or "none")


def stable(earlier: Moment | None, now: Moment | None) -> Check:
    """Did two successive looks see the same term? Nobody may be stopped in the middle of an election."""
    if earlier is None or now is None:
        return Check("stable term", earlier is now, "no leader was seen in one of two looks")
    return Check("stable term", earlier.term == now.term, f"{earlier.term}, then {now.term}")


def passed(checks: Iterable[Check]) -> bool:
    """Whether every condition holds; a gate without conditions does not pass."""
    found = tuple(checks)
    return bool(found) and all(check.passed for check in found)


def refusals(checks: Iterable[Check]) -> str:
    """The conditions that do not hold, in one line."""
    return "; ".join(f"{check.name}: {check.detail}" for check in checks if not check.passed)
