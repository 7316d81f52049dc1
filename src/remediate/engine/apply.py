"""Apply what was approved: play by play, clusters side by side, each under its own gates."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from threading import Event
from typing import Any

from remediate.engine import gates
from remediate.engine.changing import Changer, Replanning
from remediate.engine.events import Note, Observer
from remediate.engine.gatekeeper import Gatekeeper
from remediate.engine.ledger import Ledger
from remediate.engine.order import domains
from remediate.engine.plan import Intent, plan_host
from remediate.engine.progress import Progress
from remediate.engine.rollout import Rollout, Rules
from remediate.engine.setup import Options, Stage
from remediate.engine.world import Fleet, World
from remediate.errors import Refused, RemediateError
from remediate.etcd.assemble import gate_facts
from remediate.facts.base import Fact
from remediate.node.api import Clock

DEADLINE = 60.0
"""Seconds that a gate is waited for, unless the inventory's `remediate_deadline` says otherwise (SAFETY: longer than
the kubelet's reaction of up to 20 s plus the member's catch-up)."""


class Applier:
    """The changing part of one run."""

    def __init__(
        self,
        run: str,
        options: Options,
        fleet: Fleet,
        world: World,
        progress: Progress,
        clock: Clock,
        observer: Observer,
        always: tuple[Fact[Any], ...],
    ) -> None:
        self.stopping = Event()
        self._base: dict[str, gates.Baseline] = {}
        self._run, self._options, self._fleet, self._world = run, options, fleet, world
        self._progress, self._clock, self._observer, self._always = progress, clock, observer, always

    def plan(self, stage: Stage, host: str, world: World | None = None) -> Intent:
        """What a play wants of a host now, or in a world to come. Raises Refused or UsageProblem."""
        seen = (world or self._world).seen(host)
        return plan_host(stage.calls, stage.variables[host], seen, self._progress.findings(host))

    def remember(self) -> None:
        """Keep how the clusters are before the first change: every gate of the run compares with that."""
        self._base = {cluster.name: gates.baseline(cluster) for cluster in self._world.clusters()}

    def look_at_gates(self, hosts: Sequence[str]) -> None:
        """Read what gates need; hosts that do not answer count as unhealthy."""
        self._world.learn(self._fleet.look({host: gate_facts() for host in hosts}, quiet=True))

    def plan_again(self, stage: Stage) -> dict[str, Intent]:
        """Plan on what earlier plays left behind; it must stay within what was approved.

        Raises:
            Refused: it does not.
        """
        approved = {host: i.keys for host, i in self._progress.intents[stage.number].items() if i.changes}
        self._reread(stage, tuple(approved))
        intents = {host: self.plan(stage, host) for host in approved}
        for host, intent in intents.items():
            if intent.keys - approved[host]:
                raise Refused("planning again wants more than was approved", where=host, hint="run it again")
        self._progress.intents[stage.number] |= intents
        return intents

    def apply(self, stage: Stage, intents: dict[str, Intent]) -> bool:
        """Change all hosts of a play; False where the run must not go on."""
        changing = {host: intent for host, intent in intents.items() if intent.changes}
        if not changing:
            return True
        disrupts = any(intent.disrupts for intent in changing.values())
        groups = [
            group for group in domains(stage.context, self._world.clusters()) if set(group) & set(changing)
        ]
        rollouts = {group: self._rollout(stage, group, disrupts=disrupts) for group in groups}
        self._progress.ledgers[stage.number] = ledgers = [rollout.ledger for rollout in rollouts.values()]
        with ThreadPoolExecutor(max(1, len(groups))) as pool:
            futures = [
                pool.submit(rollout.run, {host: changing[host] for host in group if host in changing})
                for group, rollout in rollouts.items()
            ]
            self._await(futures)
        for future in futures:
            future.result()  # a defect in a thread is one here; what it did stands in the ledger
        return not self.stopping.is_set() and not any(ledger.problems for ledger in ledgers)

    def _await(self, futures: Sequence[Future[None]]) -> None:
        """Wait for all; Ctrl-C asks the rollouts to stop after the member in work, it kills nothing."""
        while True:
            try:
                if not wait(futures, timeout=0.5).not_done:
                    return
            except KeyboardInterrupt:
                self.stopping.set()
                self._observer.on(
                    Note("stopping: the member in work is brought to a safe end first", warning=True)
                )

    def _reread(self, stage: Stage, hosts: Sequence[str]) -> None:
        """Look again. Raises the error of a host that does not answer any more."""
        wanted = {host: tuple(dict.fromkeys((*stage.facts(host), *self._always))) for host in hosts}
        self._world.learn(self._fleet.look(wanted, quiet=True))
        for host in hosts:
            error: RemediateError | None = self._world.error(host)
            if error:
                raise error

    def _rollout(self, stage: Stage, group: tuple[str, ...], *, disrupts: bool) -> Rollout:
        pace = stage.play.pace(disrupts=disrupts)
        keeper = Gatekeeper(
            self._world,
            partial(self.look_at_gates, group),
            self._clock,
            self._observer,
            stage.setting("remediate_deadline", DEADLINE),
            self._base,
            self._options.allow_outage,
        )
        rules = Rules(
            self._run,
            str(stage.number),
            pace.serial,
            pace.order,
            stage.setting("remediate_settle", pace.settle),
            self._options.forks,
        )
        again = Replanning(partial(self._reread, stage), partial(self.plan, stage))
        return Rollout(rules, Changer(self._fleet, keeper, again, Ledger()), self.stopping)
