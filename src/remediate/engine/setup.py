"""From playbook, inventory and options to stages: which tasks on which hosts with which variables. No contact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from remediate.engine.plan import facts_of, guard
from remediate.engine.result import Mode
from remediate.errors import UsageProblem
from remediate.facts.base import Fact
from remediate.facts.cluster import ClusterSeen
from remediate.inventory import Host, Inventory
from remediate.playbook import Play, Playbook, TaskCall
from remediate.task.units import Duration


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about a run.

    Attributes:
        yes: consent given beforehand.
        forks: hosts at once.
        fio, iperf3, probe_writes: measurements that put load on the nodes, asked for.
        allow_outage: a member may be stopped although the others make no quorum.
    """

    mode: Mode = Mode.APPLY
    limit: str | None = None
    tags: frozenset[str] = frozenset()
    skip_tags: frozenset[str] = frozenset()
    extra_vars: Mapping[str, Any] = field(default_factory=dict)
    yes: bool = False
    forks: int = 16
    fio: bool = False
    iperf3: bool = False
    probe_writes: bool = False
    allow_outage: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """One play, prepared.

    Attributes:
        number: 1, 2, … in the playbook.
        hosts: names that the pattern and `--limit` leave.
        context: names that the pattern alone matches: the other members, which gates look at.
        calls: tasks that the tags leave.
        variables: of every host in `context`: inventory, then play, then `--extra-vars`.
    """

    number: int
    play: Play
    hosts: tuple[str, ...]
    context: tuple[str, ...]
    calls: tuple[TaskCall, ...]
    variables: Mapping[str, Mapping[str, Any]]

    def setting(self, name: str, default: float) -> float:
        """A number of seconds that the inventory may set (SAFETY); where hosts differ, the longest."""
        return max((_seconds(v, name) for v in self.variables.values() if name in v), default=default)

    def facts(self, host: str) -> tuple[Fact[Any], ...]:
        """What this play's tasks must be told by a host."""
        wanted = facts_of(self.calls, self.variables[host])
        return tuple(fact for fact in wanted if fact != ClusterSeen())

    @property
    def wants_cluster(self) -> bool:
        """Whether a task's plan on one host depends on the others."""
        return any(ClusterSeen() in facts_of(self.calls, self.variables[host]) for host in self.hosts)


def prepare(playbook: Playbook, inventory: Inventory, options: Options) -> tuple[Stage, ...]:
    """Everything that can be checked before a host is contacted.

    Raises:
        UsageProblem: a pattern names nothing, or a variable is undefined.
        Refused: a task is refused by what the inventory says.
    """
    stages = tuple(_stage(number, play, inventory, options) for number, play in enumerate(playbook.plays, 1))
    if not any(stage.hosts for stage in stages):
        raise UsageProblem(
            "no host is left", hint=f"the plays' `hosts` and --limit {options.limit} have none in common"
        )
    for stage in stages:
        _refuse_promises(stage.play)
        for host in stage.hosts:
            guard(stage.calls, stage.variables[host])
            stage.facts(host)  # an undefined variable must show before any contact
    return stages


def _variables(host: Host, play: Play, options: Options) -> dict[str, Any]:
    """A host's variables. What may be lost there is the inventory's word alone: no play and no option can say it."""
    found = play.variables(host.name, host.variables, options.extra_vars)
    found.pop("remediate_environment", None)
    if "remediate_environment" in host.variables:
        found["remediate_environment"] = host.variables["remediate_environment"]
    for name in ("remediate_deadline", "remediate_settle"):
        if name in found:
            _seconds(found, name)
    return found


def _seconds(variables: Mapping[str, Any], name: str) -> float:
    """A variable that is a duration. Raises UsageProblem where it is none."""
    try:
        return float(Duration.parse(variables[name]))
    except ValueError as problem:
        raise UsageProblem(f"{name}: {problem}", where=str(variables.get("inventory_hostname", ""))) from None


def _refuse_promises(play: Play) -> None:
    """A word that would be ignored must not be taken for a protection."""
    promised = {"window": play.window is not None, "on_failure: rollback": play.on_failure == "rollback"}
    for word in (word for word, said in promised.items() if said):
        raise UsageProblem(f"`{word}` is not in this version yet", where=play.where, hint="leave it out")


def _stage(number: int, play: Play, inventory: Inventory, options: Options) -> Stage:
    everyone = inventory.select(play.hosts)
    chosen = inventory.select(play.hosts, options.limit) if options.limit is not None else everyone
    return Stage(
        number,
        play,
        tuple(host.name for host in chosen),
        tuple(host.name for host in everyone),
        tuple(call for call in play.tasks if call.selected(options.tags, options.skip_tags)),
        {host.name: _variables(host, play, options) for host in everyone},
    )
