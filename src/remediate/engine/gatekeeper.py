"""Wait at a gate: look at the cluster again and again until the verdict is good or the time is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from remediate.engine import gates
from remediate.engine.events import GateChecked, Observer
from remediate.engine.gates import Baseline, Check, Moment
from remediate.engine.result import GateResult
from remediate.engine.world import World
from remediate.etcd.model import Cluster, EtcdHost
from remediate.node.api import Clock
from remediate.node.waiting import wait_until

POLL = 0.25
"""Seconds between two looks of a gate; a member run as a unit is back in well under a second (LAB-NOTES)."""

Verdict = Callable[[Cluster, EtcdHost, Baseline, "Moment | None"], "tuple[Check, ...]"]


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """The gates of one domain.

    Attributes:
        look: reads what gates need on every host of the domain into the world.
        deadline: seconds that a gate is waited for.
        base: the clusters at the start, by name.
    """

    world: World
    look: Callable[[], None]
    clock: Clock
    observer: Observer
    deadline: float
    base: dict[str, Baseline]
    allow_outage: bool

    def before(self, host: str, instances: Sequence[str], *, blocked: bool) -> GateResult:
        """May these instances of a host be stopped, or blocked?"""

        def verdict(
            cluster: Cluster, member: EtcdHost, base: Baseline, start: Moment | None
        ) -> tuple[Check, ...]:
            return gates.before(cluster, member, base, start, allow_outage=self.allow_outage, blocked=blocked)

        return self._wait(host, instances, "before", verdict)

    def after(self, host: str, instances: Sequence[str]) -> GateResult:
        """Are these instances of a host back?"""
        return self._wait(host, instances, "after", gates.after)

    def _wait(self, host: str, instances: Sequence[str], when: str, verdict: Verdict) -> GateResult:
        began = self.clock.now()
        watch = _Watch(self.world, self.base, host, instances, verdict)

        def good() -> bool:
            self.look()
            return gates.passed(watch.checks())

        wait_until(self.clock, good, timeout=self.deadline, every=POLL)
        seconds = self.clock.now() - began
        passed = gates.passed(watch.latest)
        self.observer.on(GateChecked(host, when, passed, watch.latest, seconds))
        return GateResult(host, watch.cluster, when, passed, seconds, watch.latest)


class _Watch:
    """Successive looks of one gate: the first one fixes the commit index to reach, two together show a stable term."""

    def __init__(
        self, world: World, base: dict[str, Baseline], host: str, instances: Sequence[str], verdict: Verdict
    ) -> None:
        self.latest: tuple[Check, ...] = ()
        self.cluster = ""
        self._world, self._base = world, base
        self._host, self._instances, self._verdict = host, instances, verdict
        self._start: dict[str, Moment] = {}
        self._last: dict[str, Moment | None] = {}

    def checks(self) -> tuple[Check, ...]:
        """The conditions as of the newest look."""
        self.latest = tuple(check for name in self._instances for check in self._one(name))
        return self.latest

    def _one(self, instance: str) -> tuple[Check, ...]:
        place = self._world.instance(self._host, instance)
        if place is None:
            return (Check("member known", False, f"no etcd «{instance}» is seen on {self._host}"),)
        cluster, member = place
        self.cluster = cluster.name
        base = self._base.get(cluster.name) or gates.baseline(cluster)
        now = gates.moment(cluster)
        if now is not None:
            self._start.setdefault(cluster.name, now)
        first = cluster.name not in self._last
        steady = (
            Check("stable term", False, "one look only")
            if first
            else gates.stable(self._last[cluster.name], now)
        )
        self._last[cluster.name] = now
        return (*self._verdict(cluster, member, base, self._start.get(cluster.name)), steady)
