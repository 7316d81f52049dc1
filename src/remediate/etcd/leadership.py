"""Move the leadership away from a member before it is disturbed."""

from __future__ import annotations

from collections.abc import Collection

from remediate.etcd import actions
from remediate.etcd.model import Cluster, EtcdHost
from remediate.node.api import Node


def successor(cluster: Cluster, leader: EtcdHost, finished: Collection[str]) -> EtcdHost | None:
    """Who is to lead: a healthy voter, of those the one that is done already and knows most.

    Args:
        cluster: as last seen.
        leader: who leads now.
        finished: hosts whose change is done, so that the leadership need not move twice.

    Returns:
        None where no other voter is healthy (a single member).
    """
    fit = [
        member
        for member in cluster.hosts
        if member.name != leader.name
        and member.status
        and not member.status.is_learner
        and member.status.health_ms is not None
    ]
    return max(
        fit, key=lambda m: (m.host in finished, m.status.applied_index if m.status else 0), default=None
    )


def hand_over(node: Node, cluster: Cluster, leader: EtcdHost, finished: Collection[str]) -> str | None:
    """Move the leadership and return who got it; None where there is nobody else.

    Raises:
        ChangeFailed: the transfer failed. It counts: a rollout must not go on as if it had worked (FIELD-NOTES, traps).
    """
    chosen = successor(cluster, leader, finished)
    if chosen is None or chosen.status is None:
        return None
    node.run(actions.move_leader(leader.instance, chosen.status.member_id), timeout=30)
    return chosen.name
