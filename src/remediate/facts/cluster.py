"""The whole cluster as a fact: for tasks whose plan on one host depends on the others."""

from __future__ import annotations

from dataclasses import dataclass

from remediate.etcd.model import Cluster, EtcdHost
from remediate.facts.base import Fact
from remediate.measure.model import Measurements


@dataclass(frozen=True, slots=True)
class ClusterView:
    """A host's cluster, the host's own instances in it, and what was measured (None where nothing was)."""

    cluster: Cluster
    own: tuple[EtcdHost, ...]
    measured: Measurements | None


@dataclass(frozen=True)
class ClusterSeen(Fact[ClusterView]):
    """No probe of its own: the engine makes it from the etcd facts of all hosts in the cluster."""
