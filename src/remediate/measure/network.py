"""The paths between control-plane nodes: every ordered pair by ping, and by iperf3 when that is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

from remediate.etcd.model import Cluster, EtcdHost
from remediate.measure.activity import perform
from remediate.measure.iperf import client_activity, iperf_path, rounds, server_activity
from remediate.measure.model import NetworkPath, NotMeasured
from remediate.measure.ping import ping_activity, ping_paths
from remediate.measure.together import together
from remediate.node.api import Node

V = TypeVar("V")
Paths = list[NetworkPath | NotMeasured]

_ADDRESS = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:%_-]*")
_UNSPECIFIED = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound


def peer_addresses(cluster: Cluster) -> dict[str, str]:
    """Address by host: that of its member's first peer URL, else `ansible_host`, else the inventory's name.

    What etcd says came from a host and is checked like any input; an address that looks like none is left out.
    """
    found = {host.host: _address(host) for host in cluster.hosts}
    return {host: address for host, address in found.items() if _ADDRESS.fullmatch(address)}


def _address(host: EtcdHost) -> str:
    status = host.status
    urls = [url for m in status.members if m.id == status.member_id for url in m.peer_urls] if status else []
    for url in urls:
        name = _hostname(url)
        if name and name not in _UNSPECIFIED:
            return name
    return str(host.variables.get("ansible_host", host.host))


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def ping_all(nodes: Mapping[str, Node], addresses: Mapping[str, str], token: str) -> Paths:
    """Every ordered pair by ping, all at once: some 20 packets a second and node is no load.

    Args:
        nodes: by host name.
        addresses: by host name; hosts without one are no targets.
        token: plain word of this run.
    """
    jobs = [partial(_ping_from, node, _without(addresses, host), token) for host, node in nodes.items()]
    return [path for paths in together(jobs) for path in paths]


def _ping_from(node: Node, targets: Mapping[str, str], token: str) -> Paths:
    if not targets:
        return []
    finished = perform(node, ping_activity(targets, token))
    if isinstance(finished, NotMeasured):
        return [finished]
    return ping_paths(finished, node.name, list(targets))


def _without(mapping: Mapping[str, V], key: str) -> dict[str, V]:
    return {name: value for name, value in mapping.items() if name != key}


def iperf_all(nodes: Mapping[str, Node], addresses: Mapping[str, str], pinged: Paths, token: str) -> Paths:
    """Every ordered pair by iperf3, in rounds of disjoint pairs; both directions of a pair at once.

    Args:
        nodes, addresses, token: as for `ping_all`.
        pinged: what `ping_all` found; gives the round-trip times.
    """
    rtt = {(p.source_host, p.target_host): p for p in pinged if isinstance(p, NetworkPath)}
    found: Paths = []
    for pairs in rounds([host for host in nodes if host in addresses]):
        ways = [way for one, other in pairs for way in ((one, other), (other, one))]
        jobs = [
            partial(
                _stream, nodes[source], nodes[target], addresses[target], rtt.get((source, target)), token
            )
            for source, target in ways
        ]
        found += together(jobs)
    return found


def _stream(
    source: Node, target: Node, address: str, rtt: NetworkPath | None, token: str
) -> NetworkPath | NotMeasured:
    served, sent = together(
        [
            partial(perform, target, server_activity(token)),
            partial(perform, source, client_activity(address, token)),
        ]
    )
    if isinstance(served, NotMeasured):
        return served
    if isinstance(sent, NotMeasured):
        return sent
    return iperf_path(sent, source.name, target.name, rtt)
