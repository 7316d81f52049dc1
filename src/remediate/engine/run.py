"""The whole flow of a run: look, measure, say what is wrong, plan, ask, change, look again, compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event
from typing import Any

from remediate.engine import gates
from remediate.engine.events import HostPlan, Note, Observer, Planned, PlayStarted, RunEnded, RunStarted
from remediate.engine.gatekeeper import Gatekeeper
from remediate.engine.look import Look
from remediate.engine.order import domains, leader_last
from remediate.engine.plan import Intent, pending, plan_host
from remediate.engine.result import GateResult, HostResult, Mode, Problem, RunResult
from remediate.engine.rollout import Ledger, Replanning, Rollout, Rules, outage_hint
from remediate.engine.setup import Options, Stage, prepare
from remediate.engine.survey import survey
from remediate.engine.world import Connect, Fleet, World
from remediate.errors import Refused, RemediateError
from remediate.facts.base import Fact
from remediate.facts.etcd import etcd_facts, gate_facts
from remediate.inventory import Inventory
from remediate.node.api import Clock
from remediate.playbook import Playbook

DEADLINE = 60.0
"""Seconds that a gate is waited for, unless the inventory's `remediate_deadline` says otherwise (SAFETY: longer than
the kubelet's reaction of up to 20 s plus the member's catch-up)."""

Intents = dict[str, Intent]


@dataclass(frozen=True, slots=True)
class Tools:
    """The run's way to machines, time and people.

    Attributes:
        ask: shows nothing, only asks: is the plan that the observer was told wanted? None where nobody can be asked.
    """

    connect: Connect
    clock: Clock
    observer: Observer
    ask: Callable[[], bool] | None


@dataclass(slots=True)
class _Progress:
    """What has come to light so far; the result is made of it."""

    before: tuple[Look, ...] = ()
    after: tuple[Look, ...] | None = None
    intents: dict[int, Intents] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)
    ledgers: dict[int, list[Ledger]] = field(default_factory=dict)
    gates: list[GateResult] = field(default_factory=list)
    problem: Problem | None = None
    interrupted: bool = False


class Run:
    """One run of one playbook. `execute` is called once."""

    def __init__(
        self,
        run: str,
        playbook: Playbook,
        inventory: Inventory,
        source: str,
        options: Options,
        tools: Tools,
    ) -> None:
        self._id, self._playbook, self._source, self._options = run, playbook, source, options
        self._tools, self._clock, self._observer = tools, tools.clock, tools.observer
        self._stages = prepare(playbook, inventory, options)
        names = dict.fromkeys(name for stage in self._stages for name in stage.context)
        self._context = tuple(name for name in inventory.hosts if name in names)
        self._hosts = tuple(
            name for name in self._context if any(name in stage.hosts for stage in self._stages)
        )
        everyone = {name: inventory.hosts[name] for name in self._context}
        variables = {name: {**host.variables, **options.extra_vars} for name, host in everyone.items()}
        self._fleet = Fleet(everyone, tools.connect, tools.clock, tools.observer, options.forks)
        self._world = World(variables)
        self._progress = _Progress()
        self._stopping = Event()

    def execute(self) -> RunResult:
        """Do all of it.

        Returns:
            The result tree; what went wrong on hosts is in it and is not raised.
        """
        began = self._clock.now()
        mode = self._options.mode
        self._observer.on(RunStarted(self._id, self._playbook.name, self._source, self._hosts, mode))
        try:
            self._flow()
        except KeyboardInterrupt:
            self._progress.interrupted = True
        except RemediateError as problem:
            self._progress.problem = Problem.of(problem)
        finally:
            self._fleet.close()
        result = self._result(self._clock.now() - began)
        self._observer.on(RunEnded(result))
        return result

    def _flow(self) -> None:
        self._look()
        if self._playbook.diagnoses:
            self._progress.before = self._survey()
        if self._options.mode is Mode.DIAGNOSE:
            return
        self._plan()
        if self._options.mode is Mode.APPLY and any(i.changes for i in self._all_intents()):
            self._check_gates()
            self._consent()
            self._apply()
            self._compare()

    # --- look -------------------------------------------------------------------------------------

    def _look(self) -> None:
        hosts = self._context if self._playbook.diagnoses else self._hosts
        extra: tuple[Fact[Any], ...] = etcd_facts() if self._playbook.diagnoses else ()
        wanted = {host: tuple(dict.fromkeys((*self._wanted(host), *extra))) for host in hosts}
        last = self._options.mode is Mode.CHECK and not self._playbook.diagnoses
        self._world.learn(self._fleet.look(wanted, last=last))
        for host in hosts:
            error = self._world.error(host)
            if error:
                self._progress.problems[host] = Problem.of(error)

    def _wanted(self, host: str) -> tuple[Fact[Any], ...]:
        return tuple(fact for stage in self._stages if host in stage.hosts for fact in stage.facts(host))

    def _survey(self) -> tuple[Look, ...]:
        return survey(
            self._world,
            self._fleet,
            self._options,
            self._clock,
            self._observer,
            self._id,
            measured=self._playbook.measures,
        )

    def _findings(self, host: str) -> frozenset[str]:
        """Identifiers of what was found on a host or on its whole cluster, at the run's start."""
        names = {
            look.cluster.name: {m.name for m in look.cluster.hosts if m.host == host}
            for look in self._progress.before
        }
        return frozenset(
            finding.id
            for look in self._progress.before
            for finding in look.findings
            if names[look.cluster.name] and (finding.host is None or finding.host in names[look.cluster.name])
        )

    # --- plan -------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Plan every play on what the plays before it will leave behind."""
        world = self._world
        for stage in self._stages:
            intents: Intents = {}
            for host in stage.hosts:
                if not world.knows(host) or host in self._progress.problems:
                    continue
                try:
                    intents[host] = self._plan_host(stage, host, world)
                except Refused as problem:
                    self._progress.problems[host] = Problem.of(problem)
                    continue
                for change in intents[host].changes:
                    world = world.predict(host, change.predicts)
            self._progress.intents[stage.number] = intents
            self._observer.on(self._planned(stage, intents))

    def _plan_host(self, stage: Stage, host: str, world: World) -> Intent:
        return plan_host(stage.calls, stage.variables[host], world.seen(host), self._findings(host))

    def _planned(self, stage: Stage, intents: Mapping[str, Intent]) -> Planned:
        hosts = tuple(intents)
        if stage.play.order == "leader-last":
            hosts = leader_last(hosts, self._world.clusters())
        clusters = {m.host: c.name for c in self._world.clusters() for m in c.hosts}
        plans = tuple(
            HostPlan(
                host,
                clusters.get(host, ""),
                batch,
                tuple(pending(change) for change in intents[host].changes),
                intents[host].noops,
            )
            for batch, host in enumerate(hosts, 1)
        )
        return Planned(stage.play.name, plans, stage.play.gate or "", self._settle(stage))

    def _settle(self, stage: Stage) -> float:
        """Seconds of rest: the inventory's `remediate_settle` outranks the play, as any variable of a lab may."""
        values = [v["remediate_settle"] for v in stage.variables.values() if "remediate_settle" in v]
        return float(max(values)) if values else stage.play.settle

    def _all_intents(self) -> list[Intent]:
        return [intent for intents in self._progress.intents.values() for intent in intents.values()]

    # --- refuse or ask ------------------------------------------------------------------------------

    def _check_gates(self) -> None:
        """Refuse what no gate would let through before a person is asked (exit 4, nothing changed)."""
        if self._progress.problems:
            worst = next(iter(self._progress.problems.items()))
            if worst[1].outcome == "refused":
                raise Refused(f"nothing was changed, because {worst[0]} was refused")
        if not any(intent.disrupts for intent in self._all_intents()):
            return
        self._gate_look(self._context)
        for stage in self._stages:
            for host, intent in self._progress.intents[stage.number].items():
                for instance in dict.fromkeys(c.instance for c in intent.changes if c.instance):
                    self._refuse_closed(host, instance)

    def _refuse_closed(self, host: str, instance: str) -> None:
        place = self._world.instance(host, instance)
        if place is None:
            return
        cluster, member = place
        now = gates.moment(cluster)
        start = (
            gates.Moment(now.term, 0) if now else None
        )  # one look cannot tell who lags: hosts answer in turn
        checks = gates.before(
            cluster, member, gates.baseline(cluster), start, allow_outage=self._options.allow_outage
        )
        if not gates.passed(checks):
            gate = GateResult(host, cluster.name, "before", False, 0.0, checks)
            self._progress.gates.append(gate)
            raise Refused(
                f"the gate before it is closed: {gates.refusals(checks)}", where=host, hint=outage_hint(gate)
            )

    def _gate_look(self, hosts: Sequence[str]) -> None:
        self._world.learn(self._fleet.look({host: gate_facts() for host in hosts}, quiet=True))

    def _consent(self) -> None:
        if self._options.yes:
            return
        if self._tools.ask is None:
            raise Refused(
                "there are changes to make and nobody to ask: no terminal",
                hint="read them with --check --diff, then say --yes",
            )
        if not self._tools.ask():
            raise Refused("not wanted: nothing was changed")

    # --- change -------------------------------------------------------------------------------------

    def _apply(self) -> None:
        approved = {
            n: {h: i.keys for h, i in intents.items()} for n, intents in self._progress.intents.items()
        }
        for position, stage in enumerate(self._stages):
            intents = self._progress.intents[stage.number]
            if position:
                intents = self._plan_again(stage, approved[stage.number])
            changing = {host: intent for host, intent in intents.items() if intent.changes}
            if not changing:
                continue
            self._observer.on(PlayStarted(stage.play.name, tuple(changing)))
            ledgers = self._side_by_side(stage, changing)
            self._progress.ledgers[stage.number] = ledgers
            if self._stopping.is_set() or any(ledger.problems for ledger in ledgers):
                return

    def _plan_again(self, stage: Stage, approved: Mapping[str, frozenset[Any]]) -> Intents:
        """Facts moved on with the plays before; what is planned now must be within what was approved."""
        hosts = [host for host, keys in approved.items() if keys]
        self._reread(stage, hosts)
        intents = {host: self._plan_host(stage, host, self._world) for host in hosts}
        for host, intent in intents.items():
            if intent.keys - approved[host]:
                raise Refused("planning again wants more than was approved", where=host, hint="run it again")
        self._progress.intents[stage.number] |= intents
        return intents

    def _reread(self, stage: Stage, hosts: Sequence[str]) -> None:
        """Look again. Raises the error of a host that does not answer any more."""
        surveyed = etcd_facts() if self._playbook.diagnoses else ()
        wanted = {host: tuple(dict.fromkeys((*stage.facts(host), *surveyed))) for host in hosts}
        self._world.learn(self._fleet.look(wanted, quiet=True))
        for host in hosts:
            error = self._world.error(host)
            if error:
                raise error

    def _side_by_side(self, stage: Stage, intents: Intents) -> list[Ledger]:
        """Clusters side by side, each under its own gates. Ctrl-C lets the member in work end safely, then stops."""
        groups = domains(self._context, self._world.clusters())
        with ThreadPoolExecutor(max(1, len(groups))) as pool:
            futures = [
                pool.submit(self._rollout(stage, group).run, {h: intents[h] for h in group if h in intents})
                for group in groups
                if any(h in intents for h in group)
            ]
            self._await(futures)
            return [future.result() for future in futures]

    def _await(self, futures: Sequence[Future[Ledger]]) -> None:
        """Wait for all; the first Ctrl-C asks the rollouts to stop after the member in work, it kills nothing."""
        while True:
            try:
                if not wait(futures, timeout=0.5).not_done:
                    return
            except KeyboardInterrupt:
                self._stopping.set()
                self._observer.on(
                    Note("stopping: the member in work is brought to a safe end first", warning=True)
                )

    def _rollout(self, stage: Stage, group: tuple[str, ...]) -> Rollout:
        deadlines = [v["remediate_deadline"] for v in stage.variables.values() if "remediate_deadline" in v]
        keeper = Gatekeeper(
            self._world,
            partial(self._gate_look, group),
            self._clock,
            self._observer,
            float(max(deadlines, default=DEADLINE)),
            {cluster.name: gates.baseline(cluster) for cluster in self._world.clusters()},
            self._options.allow_outage,
        )
        rules = Rules(
            self._id,
            str(stage.number),
            stage.play.serial,
            stage.play.order == "leader-last",
            self._settle(stage),
            self._options.forks,
        )
        again = Replanning(
            partial(self._reread, stage), lambda host: self._plan_host(stage, host, self._world)
        )
        return Rollout(rules, self._fleet, self._world, keeper, again, self._stopping)

    def _compare(self) -> None:
        """Look and measure again where the run measured; also after a failure: the figures are wanted most then."""
        if self._playbook.diagnoses and not self._stopping.is_set():
            self._world.learn(self._fleet.look({host: etcd_facts() for host in self._context}, quiet=True))
            self._progress.after = self._survey()

    # --- result -------------------------------------------------------------------------------------

    def _result(self, seconds: float) -> RunResult:
        progress = self._progress
        return RunResult(
            self._id,
            self._playbook.name,
            self._source,
            self._options.mode,
            seconds,
            tuple(self._host_result(host) for host in self._hosts),
            (
                *progress.gates,
                *(g for ls in progress.ledgers.values() for ledger in ls for g in ledger.gates),
            ),
            progress.before,
            progress.after,
            progress.problem,
            progress.interrupted or self._stopping.is_set(),
        )

    def _host_result(self, host: str) -> HostResult:
        clusters = {m.host: c.name for c in self._world.clusters() for m in c.hosts}
        result = HostResult(host, clusters.get(host, ""), problem=self._progress.problems.get(host))
        for number, intents in self._progress.intents.items():
            intent = intents.get(host)
            if intent is None:
                continue
            made = [
                c for ledger in self._progress.ledgers.get(number, []) for c in ledger.changes.get(host, [])
            ]
            tried = {change.summary for change in made}
            waiting = [pending(change) for change in intent.changes if change.summary not in tried]
            result = replace(
                result,
                changes=(*result.changes, *made, *waiting),
                noops=(*result.noops, *intent.noops),
            )
        problems = [
            p for ls in self._progress.ledgers.values() for ledger in ls if (p := ledger.problems.get(host))
        ]
        return replace(result, problem=problems[0]) if problems else result
