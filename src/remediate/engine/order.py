"""In which order hosts are changed: per cluster, members that are down first, the leader last. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

from remediate.etcd.model import Cluster
from remediate.playbook.pace import Order, Serial


def domains(hosts: Sequence[str], clusters: Iterable[Cluster]) -> tuple[tuple[str, ...], ...]:
    """Split hosts into groups that may be changed side by side.

    Hosts whose instances belong to one cluster are one group; a node that runs instances of two clusters joins
    them, since one member down counts per node too (DESIGN, identity). Hosts without etcd are one group.
    """
    groups: list[set[str]] = []
    for cluster in clusters:
        joined = {member.host for member in cluster.hosts}
        apart = []
        for group in groups:
            if group & joined:
                joined |= group
            else:
                apart.append(group)
        groups = [*apart, joined]
    rest = set(hosts) - set().union(*groups)
    found = [tuple(host for host in hosts if host in group) for group in [*groups, rest]]
    return tuple(sorted((group for group in found if group), key=lambda group: hosts.index(group[0])))


def leader_last(hosts: Sequence[str], clusters: Iterable[Cluster]) -> tuple[str, ...]:
    """Members that are down first (nothing is lost by touching them), then followers, then leaders."""
    state: dict[str, int] = {}
    for cluster in clusters:
        for member in cluster.hosts:
            rank = 0 if member.status is None else 2 if member.status.is_leader else 1
            state[member.host] = max(rank, state.get(member.host, 0))
    return tuple(sorted(hosts, key=lambda host: state.get(host, 1)))


def arranged(hosts: Sequence[str], order: Order, clusters: Iterable[Cluster]) -> tuple[str, ...]:
    """Hosts of a play in the order that it asks for; the inventory's is how they come."""
    if order == "leader-last":
        return leader_last(hosts, clusters)
    if order.endswith("sorted"):
        hosts = sorted(hosts)
    return tuple(reversed(hosts) if order.startswith("reverse") else hosts)


def batches(hosts: Sequence[str], serial: Serial | None) -> tuple[tuple[str, ...], ...]:
    """Hosts in batches of `serial`; None for all at once."""
    sizes = serial.batches(len(hosts)) if serial else (len(hosts),)
    ends = tuple(accumulate(sizes))
    return tuple(tuple(hosts[end - size : end]) for end, size in zip(ends, sizes, strict=True) if size)
