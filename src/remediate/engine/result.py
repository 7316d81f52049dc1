"""What a run leaves behind: one typed tree, from which the JSON document and the exit code are derived.

The shape is DESIGN's contract ("The command line"): keys that scripts rely on keep their names and types.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from remediate.diagnosis.model import Finding, Severity
from remediate.engine.gates import Check
from remediate.engine.look import Json, Look, finding_json, measurements_json
from remediate.errors import RemediateError
from remediate.task.base import Disrupts


class Mode(StrEnum):
    """What a run was asked to do."""

    CHECK = "check"
    APPLY = "apply"
    DIAGNOSE = "diagnose"
    RESUME = "resume"
    ROLLBACK = "rollback"


class State(StrEnum):
    """What became of one change."""

    PENDING = "pending"
    APPLIED = "applied"
    UNDONE = "undone"
    FAILED = "failed"
    HELD = "held"


class Outcome(StrEnum):
    """What became of a host or of a run; worst first."""

    FAILED = "failed"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    PENDING = "pending"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


_SEVERITY_OF_OUTCOME = tuple(Outcome)
_OUTCOME_OF_EXIT_CODE = {2: Outcome.REFUSED, 3: Outcome.UNREACHABLE, 4: Outcome.REFUSED}
_TOUCHED = frozenset({State.APPLIED, State.UNDONE, State.FAILED, State.HELD})


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a host or a run did not get what it was asked for.

    Attributes:
        text: one line: what, where, what to do.
        outcome: failed, refused (only before the first change) or unreachable.
        usage: the playbook or inventory is at fault (two tasks that want different values of one thing).
    """

    text: str
    outcome: Outcome = Outcome.FAILED
    usage: bool = False

    @classmethod
    def of(cls, error: RemediateError) -> Problem:
        """The problem that an error tells, with the outcome that its exit code stands for."""
        outcome = _OUTCOME_OF_EXIT_CODE.get(error.exit_code, Outcome.FAILED)
        return cls(str(error), outcome, usage=error.exit_code == 2)


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """One change of one host: planned, made or taken back.

    Attributes:
        task: the playbook's name of the task (several joined with `, ` where they were folded).
        diff: unified diff, empty where there is none.
    """

    task: str
    summary: str
    state: State
    diff: str = ""
    disrupts: Disrupts = Disrupts.NOTHING

    def to_json(self) -> Json:
        """As in `hosts.NAME.changes[]`."""
        return {
            "task": self.task,
            "summary": self.summary,
            "state": self.state.value,
            "diff": self.diff,
            "disrupts": self.disrupts.value,
        }


@dataclass(frozen=True, slots=True)
class NoopResult:
    """A task that had nothing to do on a host, and why."""

    task: str
    why: str


@dataclass(frozen=True, slots=True)
class HostResult:
    """What became of one host (or `HOST/INSTANCE`).

    Attributes:
        cluster: name of its cluster, empty where it has none.
        problem: None where all went well.
    """

    host: str
    cluster: str = ""
    changes: tuple[ChangeResult, ...] = ()
    noops: tuple[NoopResult, ...] = ()
    problem: Problem | None = None

    @property
    def touched(self) -> bool:
        """Whether anything was done to it, even if it was taken back."""
        return any(change.state in _TOUCHED for change in self.changes)

    def outcome(self, mode: Mode) -> Outcome:
        """The worst of its problem and its changes; taking back is what a rollback is for, else a failure."""
        of_state = {
            State.PENDING: Outcome.PENDING,
            State.APPLIED: Outcome.CHANGED,
            State.UNDONE: Outcome.CHANGED if mode is Mode.ROLLBACK else Outcome.FAILED,
            State.FAILED: Outcome.FAILED,
            State.HELD: Outcome.FAILED,
        }
        outcomes = [of_state[change.state] for change in self.changes]
        return _worst([*outcomes, *([self.problem.outcome] if self.problem else [])])

    def to_json(self, mode: Mode) -> Json:
        """As in `hosts.NAME`."""
        return {
            "outcome": self.outcome(mode).value,
            "error": self.problem.text if self.problem else None,
            "changes": [change.to_json() for change in self.changes],
            "noops": [{"task": noop.task, "why": noop.why} for noop in self.noops],
        }


@dataclass(frozen=True, slots=True)
class GateResult:
    """A gate's last word on one host.

    Attributes:
        when: `before` or `after` the change.
        seconds: how long it was waited for.
    """

    host: str
    cluster: str
    when: str
    passed: bool
    seconds: float
    checks: tuple[Check, ...] = ()

    def to_json(self) -> Json:
        """As in `gates[]`."""
        checks = [{"name": c.name, "passed": c.passed, "detail": c.detail} for c in self.checks]
        seconds = round(self.seconds, 3)
        return {
            "host": self.host,
            "when": self.when,
            "passed": self.passed,
            "seconds": seconds,
            "checks": checks,
        }


@dataclass(frozen=True, slots=True)
class RunResult:
    """The whole run.

    Attributes:
        hosts: in inventory order.
        before: the first look at every cluster.
        after: the last look, None where nothing was changed.
        problem: what stopped the run as a whole (lock, consent, window).
        interrupted: a person stopped it; the nodes were left safe.
    """

    run: str
    playbook: str
    inventory: str
    mode: Mode
    seconds: float
    hosts: tuple[HostResult, ...] = ()
    gates: tuple[GateResult, ...] = ()
    before: tuple[Look, ...] = ()
    after: tuple[Look, ...] | None = None
    problem: Problem | None = None
    interrupted: bool = False

    @property
    def latest(self) -> tuple[Look, ...]:
        """The newest look."""
        return self.before if self.after is None else self.after

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong now."""
        return tuple(finding for look in self.latest for finding in look.findings)

    @property
    def outcome(self) -> Outcome:
        """The worst of the hosts, the gates and the run's own problem."""
        outcomes = [host.outcome(self.mode) for host in self.hosts]
        outcomes += [self._outcome_of_gate(gate) for gate in self.gates if not gate.passed]
        return _worst([*outcomes, *([self.problem.outcome] if self.problem else [])])

    def _outcome_of_gate(self, gate: GateResult) -> Outcome:
        """A closed gate refuses as long as its cluster was not touched, and is a failure from then on."""
        touched = any(host.touched for host in self.hosts if host.cluster == gate.cluster)
        return Outcome.FAILED if touched or gate.when == "after" else Outcome.REFUSED

    def to_json(self) -> Json:
        """The one document of `--output json`."""
        return {
            "run": self.run,
            "playbook": self.playbook,
            "inventory": self.inventory,
            "mode": self.mode.value,
            "outcome": self.outcome.value,
            "error": self.problem.text if self.problem else None,
            "interrupted": self.interrupted,
            "exit_code": exit_code(self),
            "seconds": round(self.seconds, 3),
            "hosts": {host.host: host.to_json(self.mode) for host in self.hosts},
            "measurements": measurements_json(self.latest),
            "findings": [finding_json(finding) for finding in self.findings],
            "gates": [gate.to_json() for gate in self.gates],
            "before": None if self.after is None else measurements_json(self.before),
            "after": None if self.after is None else measurements_json(self.after),
        }


def exit_code(result: RunResult) -> int:
    """The process' exit code (DESIGN): 1 outranks 4, 4 outranks 3, 3 outranks 5; 130 only when left safe."""
    if result.interrupted and result.outcome is not Outcome.FAILED:
        return 130
    problems = (result.problem, *(host.problem for host in result.hosts))
    if result.outcome is Outcome.REFUSED and any(problem.usage for problem in problems if problem):
        return 2
    worrying = any(finding.severity is not Severity.INFO for finding in result.findings)
    return {
        Outcome.FAILED: 1,
        Outcome.REFUSED: 4,
        Outcome.UNREACHABLE: 3,
        Outcome.PENDING: 5 if result.mode is Mode.CHECK else 1,
        Outcome.CHANGED: 0,
        Outcome.UNCHANGED: 5 if result.mode is Mode.DIAGNOSE and worrying else 0,
    }[result.outcome]


def _worst(outcomes: Iterable[Outcome]) -> Outcome:
    return min(outcomes, key=_SEVERITY_OF_OUTCOME.index, default=Outcome.UNCHANGED)
