"""Give every member of a cluster the heartbeat and election timeout that its network was measured to need.

Heartbeat: the effective latency (average RTT + maximum jitter), rounded up to 50 ms, at least etcd's default of 100 ms.
Election timeout: ten heartbeats or ten round trips, whichever is more. Members end with the same values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from remediate.diagnosis.timers import proposed_timers
from remediate.facts.base import Fact, Seen
from remediate.facts.cluster import ClusterSeen, ClusterView
from remediate.task.base import Noop, Operation, Task
from remediate.task.flagplaces import FACTS, running
from remediate.task.flags import SetFlag

DEFAULTS = {"heartbeat-interval": "100", "election-timeout": "1000"}
"""Milliseconds (etcd, tuning)."""


class EtcdTimers(Task, frozen=True):
    """Timers from measurement; the play needs `measure`."""

    def facts(self) -> Sequence[Fact[Any]]:
        """What SetFlag needs, and the cluster with its measurements."""
        return (*FACTS, ClusterSeen())

    def plan(self, seen: Seen) -> Iterator[Operation | Noop]:
        """Set what differs from the proposal on each of the host's members."""
        view = seen.known(ClusterSeen())
        if view is None:
            yield Noop("no etcd runs here")
        elif view.measured is None or not any(p.effective_ms is not None for p in view.measured.network):
            yield Noop("the network between the members was not measured")
        else:
            yield from _wishes(view, seen)


def _wishes(view: ClusterView, seen: Seen) -> Iterator[Operation | Noop]:
    proposal = proposed_timers(view.measured.network if view.measured else ())
    for member in view.own:
        flags = running(seen, member.instance)
        for name, wish in proposal.flags.items():
            now = flags.get(name, DEFAULTS[name])
            if now == str(wish):
                yield Noop(f"{name} is {now} ms, as the network needs")
            else:
                yield SetFlag(member.instance, name, str(wish), flags.get(name))
