"""The whole flow of a run: look, measure, say what is wrong, plan, ask, change, look again, compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from remediate.engine import gates
from remediate.engine.apply import Applier
from remediate.engine.changing import outage_hint
from remediate.engine.events import HostPlan, Note, Planned, PlayStarted, RunEnded, RunStarted
from remediate.engine.look import Look
from remediate.engine.order import arranged
from remediate.engine.plan import Intent, pending
from remediate.engine.progress import Progress
from remediate.engine.result import GateResult, Mode, Problem, RunResult
from remediate.engine.setup import Options, Stage, prepare
from remediate.engine.tools import Tools
from remediate.engine.world import Fleet, World
from remediate.errors import Refused, RemediateError
from remediate.etcd.assemble import etcd_facts, was_member
from remediate.facts.base import Fact
from remediate.inventory import Inventory
from remediate.playbook import Playbook

REST = 10.0
"""Seconds between the last change and the figures after it, at least: the length of one window of etcd's metrics, for
what a defragmentation left in the page cache to reach a slow disk."""


class Run:
    """One run of one playbook on one inventory. Making it checks all that needs no contact; `execute` is called once.

    Raises:
        UsageProblem, Refused: as `prepare` does.
    """

    def __init__(
        self, run: str, playbook: Playbook, inventory: Inventory, options: Options, tools: Tools
    ) -> None:
        asked = [play.measure for play in playbook.plays if play.measure is not None]
        options = replace(
            options,
            fio=options.fio or any(words.fio for words in asked),
            iperf3=options.iperf3 or any(words.iperf3 for words in asked),
            probe_writes=options.probe_writes or any(words.probe_writes for words in asked),
        )
        self._id, self._playbook, self._source, self._options = run, playbook, inventory.source, options
        self._tools, self._clock, self._observer = tools, tools.clock, tools.observer
        self._stages = prepare(playbook, inventory, options)
        self._context = self._named(inventory, [name for stage in self._stages for name in stage.context])
        self._hosts = self._named(inventory, [name for stage in self._stages for name in stage.hosts])
        hosts = {name: inventory.hosts[name] for name in self._context}
        self._fleet = Fleet(hosts, tools.connect, tools.clock, tools.observer, options.forks)
        self._world = World({name: {**h.variables, **options.extra_vars} for name, h in hosts.items()})
        self._measures = bool(asked)
        self._diagnoses = self._measures or any(
            call.uses_findings for stage in self._stages for call in stage.calls
        )
        self._clustered = self._diagnoses or any(stage.wants_cluster for stage in self._stages)
        self._always: tuple[Fact[Any], ...] = etcd_facts() if self._clustered else ()
        self._progress = Progress()
        self._applier = Applier(
            run,
            options,
            self._fleet,
            self._world,
            self._progress,
            tools.clock,
            tools.observer,
            self._always,
        )

    @staticmethod
    def _named(inventory: Inventory, names: list[str]) -> tuple[str, ...]:
        wanted = set(names)
        return tuple(name for name in inventory.hosts if name in wanted)

    def execute(self) -> RunResult:
        """Do all of it. What went wrong is in the result and is not raised."""
        began = self._clock.now()
        problem: Problem | None = None
        interrupted = False
        self._observer.on(
            RunStarted(self._id, self._playbook.name, self._source, self._hosts, self._options.mode)
        )
        try:
            self._flow()
        except KeyboardInterrupt:
            interrupted = True
        except RemediateError as error:
            problem = Problem.of(error)
        finally:
            self._fleet.close()
            self._tools.done()
        clusters = {member.host: c.name for c in self._world.clusters() for member in c.hosts}
        progress = self._progress
        result = RunResult(
            self._id,
            self._playbook.name,
            self._source,
            self._options.mode,
            self._clock.now() - began,
            tuple(progress.host_result(host, clusters.get(host, "")) for host in self._hosts),
            progress.gates(),
            progress.before,
            progress.after,
            problem,
            interrupted or self._applier.stopping.is_set(),
        )
        self._observer.on(RunEnded(result))
        return result

    def _flow(self) -> None:
        self._look()
        if self._diagnoses:
            self._progress.before = self._survey()
        if self._options.mode is Mode.DIAGNOSE:
            return
        self._plan()
        if any(intent.disrupts for intent in self._progress.all_intents()):
            # Only now etcd itself is asked on every member: guards need its version, gates its health.
            self._applier.look_at_gates(self._context)
            self._plan()
        self._tell_plan()
        if self._options.mode is Mode.APPLY and any(i.changes for i in self._progress.all_intents()):
            self._refuse()
            self._consent()
            self._apply()
            self._compare()

    def _look(self) -> None:
        """One exec per host for the facts of all plays."""
        hosts = self._context if self._clustered else self._hosts
        wanted = {host: tuple(dict.fromkeys((*self._wanted(host), *self._always))) for host in hosts}
        last = self._options.mode is Mode.CHECK and not self._diagnoses  # nothing follows but planning
        self._world.learn(self._fleet.look(wanted, last=last))
        for host in hosts:
            error = self._world.error(host)
            if error:
                self._progress.blame(host, error)

    def _wanted(self, host: str) -> tuple[Fact[Any], ...]:
        return tuple(fact for stage in self._stages if host in stage.hosts for fact in stage.facts(host))

    def _survey(self) -> tuple[Look, ...]:
        from remediate.engine.survey import survey  # thresholds and measurements: most runs need none of them

        return survey(
            self._world,
            self._fleet,
            self._options,
            self._clock,
            self._observer,
            self._id,
            measured=self._measures,
        )

    def _plan(self) -> None:
        """Plan every play on what the plays before it will leave behind."""
        world = self._world
        for stage in self._stages:
            intents: dict[str, Intent] = {}
            for host in stage.hosts:
                if host in self._progress.problems:
                    continue
                try:
                    intents[host] = self._applier.plan(stage, host, world)
                except Refused as problem:
                    self._progress.blame(host, problem)
                    continue
                for change in intents[host].changes:
                    world = world.predict(host, change.predicts)
            self._progress.intents[stage.number] = intents

    def _tell_plan(self) -> None:
        for stage in self._stages:
            intents = self._progress.intents[stage.number]
            if intents or not self._progress.problems:
                self._observer.on(self._planned(stage, intents))

    def _planned(self, stage: Stage, intents: dict[str, Intent]) -> Planned:
        pace = stage.play.pace(disrupts=any(intent.disrupts for intent in intents.values()))
        hosts = arranged(tuple(intents), pace.order, self._world.clusters())
        clusters = {m.host: c.name for c in self._world.clusters() for m in c.hosts}
        leaders = {c.leader.host for c in self._world.clusters() if c.leader and len(c.hosts) > 1}
        plans = tuple(
            HostPlan(
                host,
                clusters.get(host, ""),
                batch,
                tuple(pending(change) for change in intents[host].changes),
                intents[host].noops,
                "leads now: hands its leadership over first"
                if host in leaders and intents[host].disrupts
                else "",
            )
            for batch, host in enumerate(hosts, 1)
        )
        gate = "" if pace.gate == "none" else pace.gate
        advice = _merged([c.advice for host in hosts for c in intents[host].changes])
        settle = stage.setting("remediate_settle", pace.settle)
        return Planned(stage.play.name, plans, gate, settle, advice)

    def _refuse(self) -> None:
        """Refuse what would be refused later anyway, before a person is asked (exit 4, nothing changed)."""
        refused = [host for host, problem in self._progress.problems.items() if problem.outcome == "refused"]
        if refused:
            raise Refused(f"nothing was changed, because {', '.join(refused)} cannot be")
        for stage in self._stages:
            if stage.play.gate == "none" and any(
                i.disrupts for i in self._progress.intents[stage.number].values()
            ):
                raise Refused("`gate: none` is only for plays that disrupt no member", where=stage.play.where)
        self._refuse_corrupt()
        for intent in self._progress.all_intents():
            for instance in dict.fromkeys(c.instance for c in intent.changes if c.instance):
                self._refuse_closed(intent.host, instance)

    def _refuse_corrupt(self) -> None:
        """A cluster that says that its data is corrupt is not touched at all, not even by what disrupts nothing."""
        changing = {intent.host for intent in self._progress.all_intents() if intent.changes}
        for cluster in self._world.clusters():
            corrupt = gates.corrupt(cluster)
            if corrupt and changing & {member.host for member in cluster.hosts}:
                raise Refused(
                    f"CORRUPT is raised by member {', '.join(corrupt)}",
                    where=cluster.name,
                    hint="compare the members' hashes and replace the corrupt one; nothing is changed until then",
                )

    def _refuse_closed(self, host: str, instance: str) -> None:
        place = self._world.instance(host, instance)
        if place is None:
            return
        cluster, member = place
        if was_member(cluster, member):
            raise Refused(
                "it is not a member any more",
                where=host,
                hint="wipe and add it again, or take it out of the inventory",
            )
        now = gates.moment(cluster)
        start = (
            gates.Moment(now.term, 0) if now else None
        )  # hosts answer in turn: one look cannot tell who lags
        base = gates.baseline(cluster)
        checks = gates.before(cluster, member, base, start, allow_outage=self._options.allow_outage)
        if not gates.passed(checks):
            gate = GateResult(host, cluster.name, "before", False, 0.0, checks)
            self._progress.refused.append(gate)
            raise Refused(f"its gate is closed: {gates.refusals(checks)}", where=host, hint=outage_hint(gate))

    def _consent(self) -> None:
        if self._options.yes:
            return
        if self._tools.ask is None:
            raise Refused(
                "there are changes to make and no terminal to ask on",
                hint="read them with --check --diff, then say --yes",
            )
        if not self._tools.ask():
            raise Refused("not wanted; nothing was changed")

    def _apply(self) -> None:
        self._applier.remember()
        for position, stage in enumerate(self._stages):
            intents = self._applier.plan_again(stage) if position else self._progress.intents[stage.number]
            changing = tuple(host for host, intent in intents.items() if intent.changes)
            if changing:
                self._observer.on(PlayStarted(stage.play.name, changing))
            if not self._applier.apply(stage, intents):
                return

    def _compare(self) -> None:
        """Measure again where the run measured; also after a failure, when the figures are wanted most."""
        if self._diagnoses and not self._applier.stopping.is_set():
            self._rest()
            self._world.learn(self._fleet.look({host: self._always for host in self._context}, quiet=True))
            self._progress.after = self._survey()

    def _rest(self) -> None:
        """Let the disks write out what the changes wrote, so that the figures after are not theirs."""
        settle = max(
            stage.setting("remediate_settle", stage.play.pace(disrupts=False).settle)
            for stage in self._stages
        )
        seconds = max(settle, REST) if self._measures else 0.0
        if seconds:
            self._observer.on(Note(f"{seconds:.0f} s of rest before the figures are taken again"))
            self._clock.sleep(seconds)


def _merged(advice: Iterable[Mapping[str, tuple[str, ...]]]) -> tuple[str, ...]:
    """Lines under the same heading once, in order: a play of several rounds gives one piece of advice."""
    found: dict[str, dict[str, None]] = {}
    for one in advice:
        for heading, lines in one.items():
            found.setdefault(heading, {}).update(dict.fromkeys(lines))
    return tuple("\n".join([heading, *lines]) for heading, lines in found.items())
