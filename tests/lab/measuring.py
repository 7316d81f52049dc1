"""Measuring lab nodes: connections, what a load leaves on a node, and a controller that can be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from remediate.etcd.assemble import assemble, clusters, etcd_facts
from remediate.etcd.model import Cluster
from remediate.facts.look import look
from remediate.inventory import load
from remediate.inventory.connection import ConnectionSettings
from remediate.lab.inside import inside
from remediate.measure.activity import perform
from remediate.measure.fio import fio_activity
from remediate.node.api import Node
from remediate.node.connector import Connector
from tests.lab.labs import RunningLab

LEFT = """
systemctl list-units --all --plain --no-legend 'remediate-*'
ls -d /run/remediate/* /var/lib/etcd/.remediate* /var/lib/.remediate* 2>/dev/null
pgrep -a 'fio|iperf3|ping'
exit 0
"""
"""Prints every unit, folder and load of ours that a node still has."""


def connect(inventory: Path, **more: str) -> dict[str, Node]:
    """Connections to all nodes; `more` are variables that outrank the inventory's."""
    connector = Connector()
    hosts = load(inventory).select("all")
    return {host.name: connector.connect(ConnectionSettings.from_host(host, more)) for host in hosts}


def cluster_of(inventory: Path, nodes: dict[str, Node]) -> Cluster:
    """The lab's cluster as the facts see it."""
    hosts = load(inventory).select("all")
    seen = [(host, look(nodes[host.name], etcd_facts())) for host in hosts]
    (found,) = clusters(one for host, facts in seen for one in assemble(facts, host.variables, host.name))
    return found


def left(lab: RunningLab, node: str) -> str:
    """What of ours is on a node, seen past its network."""
    spec = next(one for one in lab.spec.nodes if one.name == node)
    return inside(spec, "sh", "-c", LEFT).strip()


if __name__ == "__main__":
    sys.stdout.write(f"{perform(connect(Path(sys.argv[1]))[sys.argv[2]], fio_activity('/var/lib/etcd'))}\n")
