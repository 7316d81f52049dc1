"""Findings about who is there, who leads, how quickly they answer, and what the next failure would do."""

from __future__ import annotations

from collections.abc import Iterator

from remediate.diagnosis import remedies
from remediate.diagnosis import thresholds as limit
from remediate.diagnosis.case import Case, Rule, ms
from remediate.diagnosis.model import Finding, Severity
from remediate.etcd.model import EtcdHost, quorum


def _voters(case: Case) -> int:
    """How many members vote; as many as the inventory has hosts where nobody tells the member list."""
    return len(case.cluster.voters) or len(case.hosts)


def _down(host: EtcdHost) -> str:
    """Why a host's member does not serve; empty where it does. Learners refuse linearizable reads."""
    if host.process is None and host.status is None:
        return "etcd does not run"
    if host.status is None:
        return f"etcd runs but does not answer: {host.status_error or 'no reason given'}"
    if host.status.health_ms is None and not host.status.is_learner:
        return f"etcd answers but a linearizable read fails: {host.status.health_error or 'no reason given'}"
    return ""


def member_down(case: Case) -> Iterator[Finding]:
    """A member that does not run, does not answer, or cannot read."""
    for host in case.hosts:
        why = _down(host)
        if why:
            yield case.found(
                "member-down",
                Severity.CRITICAL,
                why,
                host=host,
                remedy=remedies.REPAIR,
                source="etcd failure modes guide",
            )


def member_removed(case: Case) -> Iterator[Finding]:
    """A host of the inventory whose member was removed: down for good, and nobody's loss."""
    for host in case.removed:
        yield case.found(
            "member-removed",
            Severity.WARNING,
            "is not a member any more: its configuration names members of this cluster, the member list not it",
            host=host,
            remedy=remedies.REJOIN,
            source="etcd runtime reconfiguration guide",
        )


def no_leader(case: Case) -> Iterator[Finding]:
    """Nobody who answers knows a leader, or a single member does not."""
    answering = [host for host in case.hosts if host.status]
    blind = [host for host in answering if host.status and not host.status.leader]
    if blind and len(blind) == len(answering):
        yield _no_leader(case, None, f"no leader: none of the {len(answering)} answering members knows one")
        return
    for host in blind:
        yield _no_leader(case, host, "knows no leader, while other members do")


def _no_leader(case: Case, host: EtcdHost | None, message: str) -> Finding:
    remedy = "bring members back until a majority runs; look at the network between them"
    return case.found(
        "no-leader", Severity.CRITICAL, message, host=host, remedy=remedy, source=limit.ETCD_MIXIN
    )


def quorum_at_risk(case: Case) -> Iterator[Finding]:
    """Members that are down have lost the quorum, or leave no further failure tolerance."""
    voters = _voters(case)
    needed = quorum(voters)
    down = [host.name for host in case.hosts if _down(host) and not (host.status and host.status.is_learner)]
    left = voters - len(down)
    if not down or left > needed:
        return
    what = "quorum is lost" if left < needed else "the next failure loses quorum"
    yield case.found(
        "quorum-at-risk",
        Severity.CRITICAL,
        f"{what}: {left} of {voters} voters serve, {needed} are needed (down: {', '.join(down)})",
        remedy=remedies.REPAIR,
        source="etcd FAQ (failure tolerance)",
        figure=float(left - needed),
    )


def even_members(case: Case) -> Iterator[Finding]:
    """An even number of voters tolerates no more failures than one less."""
    voters = len(case.cluster.voters)
    if voters and voters % 2 == 0:
        spare = voters - quorum(voters)
        failures = "1 failure" if spare == 1 else f"{spare} failures"
        yield case.found(
            "even-members",
            Severity.WARNING,
            f"{voters} voters tolerate {failures}, no more than {voters - 1} would",
            remedy="add a member, or remove one",
            source="etcd FAQ (odd number of members)",
            figure=float(voters),
        )


def learner(case: Case) -> Iterator[Finding]:
    """A member that does not vote yet: its joining did not end."""
    for member in case.cluster.members:
        if member.is_learner:
            host = next((h for h in case.hosts if h.status and h.status.member_id == member.id), None)
            yield case.found(
                "learner",
                Severity.WARNING,
                f"member {member.id:x} ({member.name or 'not started'}) is a learner: it does not vote",
                host=host,
                remedy=f"etcdctl member promote {member.id:x} once it has caught up, or member remove",
                source="etcd learner design",
            )


def slow_health(case: Case) -> Iterator[Finding]:
    """The time of a linearizable read against 66 and 100 ms."""
    for host in case.hosts:
        health = host.status.health_ms if host.status else None
        if health is None or health < limit.HEALTH_WARNING_MS:
            continue
        critical = health >= limit.HEALTH_CRITICAL_MS
        yield case.found(
            "slow-health",
            Severity.CRITICAL if critical else Severity.WARNING,
            f"a linearizable read took {ms(health)}; watch from 66 ms, critical from 100 ms",
            host=host,
            remedy=remedies.CAUSES_OF_SLOW_READS,
            source=limit.OKD,
            figure=health,
        )


def leader_changes(case: Case) -> Iterator[Finding]:
    """Leader changes while the cluster was measured, the most that any member saw."""
    seen = max((case.measured.leader_changes.get(host.name, 0) for host in case.hosts), default=0)
    watched = max((rates.seconds for rates in case.measured.rates.values()), default=0.0)
    if seen > 0:
        many = seen >= limit.LEADER_CHANGES_WARNING
        yield case.found(
            "leader-changes",
            Severity.WARNING if many else Severity.INFO,
            f"leader changes within the {watched:.0f} s of measuring: {seen}; "
            f"{limit.LEADER_CHANGES_WARNING} in 15 min are too many",
            remedy=remedies.CAUSES_OF_ELECTIONS,
            source=limit.ETCD_MIXIN,
            figure=float(seen),
        )


RULES: tuple[Rule, ...] = (
    quorum_at_risk,
    no_leader,
    member_down,
    member_removed,
    even_members,
    learner,
    slow_health,
    leader_changes,
)
