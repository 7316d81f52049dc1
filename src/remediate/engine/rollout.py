"""Change the hosts of one domain: one member at a time behind gates, leader last, each confirmed or undone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

from remediate.engine.events import ChangeEnded, ChangeStarted, Note, Observer, Settling, Undoing
from remediate.engine.fold import Phase
from remediate.engine.gatekeeper import Gatekeeper
from remediate.engine.gates import refusals
from remediate.engine.order import arranged, batches
from remediate.engine.plan import Intent, pending
from remediate.engine.result import ChangeResult, GateResult, Problem, State
from remediate.engine.world import Fleet, World
from remediate.errors import ChangeFailed, Refused, RemediateError
from remediate.etcd.leadership import hand_over
from remediate.node import transaction
from remediate.node.api import Clock
from remediate.node.parallel import each
from remediate.node.transaction import Step, Transaction
from remediate.playbook.pace import Order, Serial
from remediate.task.base import Change, Disrupts, Irreversible

MAX_PHASES = 8
"""A plan that still wants changes after so many phases does not converge: a task contradicts its own facts."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a play and the command line say about changing hosts.

    Attributes:
        label: the play's place in the playbook, a plain word for folders and units on nodes.
        serial: hosts at once, where nothing is disrupted; members are always changed one by one.
        order: in which order members are changed.
        settle: seconds of rest between two disrupted members.
    """

    run: str
    label: str
    serial: Serial | None
    order: Order
    settle: float
    forks: int


@dataclass(slots=True)
class Ledger:
    """What became of the hosts of one domain."""

    changes: dict[str, list[ChangeResult]] = field(default_factory=dict)
    gates: list[GateResult] = field(default_factory=list)
    problems: dict[str, Problem] = field(default_factory=dict)

    @property
    def touched(self) -> bool:
        """Whether anything was written on any host."""
        return any(self.changes.values())


@dataclass(frozen=True, slots=True)
class Replanning:
    """How a rollout looks again and plans again; made by the run."""

    reread: Callable[[Sequence[str]], None]
    plan: Callable[[str], Intent]


class Rollout:
    """One play on one domain. `run` is called once."""

    def __init__(
        self,
        rules: Rules,
        fleet: Fleet,
        world: World,
        gatekeeper: Gatekeeper,
        replanning: Replanning,
        stopping: Event,
    ) -> None:
        self.ledger = Ledger()
        self._rules, self._fleet, self._world = rules, fleet, world
        self._gatekeeper, self._replanning, self._stopping = gatekeeper, replanning, stopping
        self._clock: Clock = gatekeeper.clock
        self._observer: Observer = gatekeeper.observer
        self._disturbed_at: float | None = None
        self._done: list[tuple[str, Transaction, Phase]] = []

    def run(self, intents: Mapping[str, Intent]) -> Ledger:
        """Change all hosts, phase by phase. What goes wrong is told by the ledger; nothing is raised for it."""
        approved = {host: intent.keys for host, intent in intents.items()}
        for number in range(1, MAX_PHASES + 1):
            phase = _next_phase(intents)
            if not phase or not self._phase(number, phase):
                return self.ledger
            intents = {host: self._plan_within(keys, host) for host, keys in approved.items()}
            if self.ledger.problems:
                return self.ledger
        return self._blame(
            next(iter(intents)), ChangeFailed("the plan does not converge: a task contradicts its facts")
        )

    def _plan_within(self, approved: frozenset[tuple[Hashable, Hashable]], host: str) -> Intent:
        """Plan a host again on its newest facts; it must want nothing that was not approved."""
        try:
            intent = self._replanning.plan(host)
            if intent.keys - approved:
                raise ChangeFailed("planning again wants more than was approved", where=host)
        except RemediateError as problem:
            self._blame(host, problem)
            return Intent(host, (), ())
        return intent

    def _blame(self, host: str, problem: RemediateError) -> Ledger:
        self.ledger.problems[host] = Problem.of(problem)
        return self.ledger

    def _phase(self, number: int, phase: Mapping[str, Phase]) -> bool:
        """One phase over all its hosts; False where the rollout must stop."""
        self._done.clear()
        quiet = [host for host, changes in phase.items() if not _instances(changes)]
        for batch in batches(quiet, self._rules.serial):
            each(batch, lambda host: self._guarded(host, number, phase[host]), self._rules.forks)
            if self.ledger.problems or self._stopping.is_set():
                return False
        left = [host for host, changes in phase.items() if _instances(changes)]
        while left:
            host = arranged(left, self._rules.order, self._world.clusters())[0]
            left.remove(host)
            self._rest(host)
            if self._stopping.is_set() or not self._guarded(host, number, phase[host]):
                return False
        return True

    def _guarded(self, host: str, number: int, changes: Phase) -> bool:
        try:
            self._change(
                host,
                Transaction(
                    self._rules.run, f"{self._rules.label}.{number}", _steps(changes), _limit(changes)
                ),
                changes,
            )
        except RemediateError as problem:
            self._blame(host, problem)
            return False
        return True

    def _rest(self, host: str) -> None:
        """Let the cluster settle since the last disturbed member; unchanged hosts cost no rest."""
        if self._disturbed_at is None:
            return
        left = self._rules.settle - (self._clock.now() - self._disturbed_at)
        if left > 0:
            self._observer.on(Settling(host, left))
            self._stopping.wait(0)
            end = self._clock.now() + left
            while self._clock.now() < end and not self._stopping.is_set():
                self._clock.sleep(min(1.0, end - self._clock.now()))

    def _change(self, host: str, work: Transaction, changes: Phase) -> None:
        """Gate, change, gate, confirm; or undo."""
        instances = _instances(changes)
        if instances:
            self._pass_before(host, changes)
            if all(change.hand_over for change in changes):
                self._hand_over(host, instances)
        for change in changes:
            self._observer.on(ChangeStarted(host, pending(change)))
        began = self._clock.now()
        state = transaction.apply(self._fleet.node(host), work, self._clock)
        if instances:
            self._disturbed_at = self._clock.now()
        if state.word == "moved":
            raise self._stop_error(f"not as it was planned on: {state.output}", "plan again", host)
        if state.word in ("undone", "held"):
            self._record(host, changes, state.word, began, state.output)
            raise ChangeFailed(f"the change failed on the node: {_last_line(state.output)}", where=host)
        why = (
            "the node's unit ended too early"
            if state.word != "await"
            else self._doubt(host, instances, changes)
        )
        if why:
            self._undo(host, work, changes, began, why)
        transaction.commit(self._fleet.node(host), work)
        self._record(host, changes, "committed", began, "")
        self._disturbed_at = self._clock.now() if instances else self._disturbed_at
        self._done.append((host, work, changes))

    def _stop_error(self, message: str, hint: str, host: str) -> RemediateError:
        """A refusal as long as nothing was touched, a failure from then on (DESIGN, exit codes)."""
        kind = ChangeFailed if self.ledger.touched else Refused
        return kind(message, where=host, hint=hint)

    def _pass_before(self, host: str, changes: Phase) -> None:
        blocked = any(change.disrupts is Disrupts.BLOCK for change in changes)
        gate = self._gatekeeper.before(host, _instances(changes), blocked=blocked)
        self.ledger.gates.append(gate)
        if not gate.passed:
            hint = outage_hint(gate)
            raise self._stop_error(f"the gate before it stays closed: {refusals(gate.checks)}", hint, host)

    def _hand_over(self, host: str, instances: Sequence[str]) -> None:
        finished = frozenset(name for name, _, _ in self._done)
        for instance in instances:
            place = self._world.instance(host, instance)
            if place and place[1].status and place[1].status.is_leader:
                to = hand_over(self._fleet.node(host), *place, finished)
                if to:
                    self._observer.on(Note(f"leadership moved to {to}", host))

    def _doubt(self, host: str, instances: Sequence[str], changes: Phase) -> str:
        """Why the change cannot be confirmed; empty where it can."""
        try:
            if instances:
                gate = self._gatekeeper.after(host, instances)
                self.ledger.gates.append(gate)
                if not gate.passed:
                    return f"the gate after it stays closed: {refusals(gate.checks)}"
            self._replanning.reread([host])
            left = _left(changes, self._replanning.plan(host))
        except Exception as problem:  # noqa: BLE001 - whatever it was: what is not confirmed is taken back
            return f"it cannot be verified: {problem}"
        return f"read again, this is still to be done: {'; '.join(left)}" if left else ""

    def _undo(self, host: str, work: Transaction, changes: Phase, began: float, why: str) -> None:
        """Take a host's changes back, say how that ended, and stop the rollout."""
        self._observer.on(Undoing(host, why))
        state = transaction.undo(self._fleet.node(host), work, self._clock)
        self._record(host, changes, state.word, began, why)
        self._return_to_health(host, _instances(changes))
        if any(change.uniform for change in changes):
            self._take_back_uniform()
        raise ChangeFailed(why, where=host)

    def _return_to_health(self, host: str, instances: Sequence[str]) -> None:
        if instances:
            gate = self._gatekeeper.after(host, instances)
            how = "is healthy again" if gate.passed else f"is NOT healthy: {refusals(gate.checks)}"
            self._observer.on(Note(f"after taking it back the member {how}", host, warning=not gate.passed))

    def _take_back_uniform(self) -> None:
        """What must be the same on every member is taken back where it was done already, one member at a time."""
        while self._done:
            host, work, changes = self._done.pop()
            self._observer.on(Undoing(host, "it must be the same on every member"))
            self._pass_before(host, changes)
            state = transaction.undo(self._fleet.node(host), work, self._clock)
            self.ledger.changes[host] = [
                c for c in self.ledger.changes[host] if c.summary not in {x.summary for x in changes}
            ]
            self._record(host, changes, state.word, self._clock.now(), "")
            self._return_to_health(host, _instances(changes))

    def _record(self, host: str, changes: Phase, word: str, began: float, error: str) -> None:
        for change in changes:
            result = pending(change, _state(change, word))
            self.ledger.changes.setdefault(host, []).append(result)
            self._observer.on(ChangeEnded(host, result, self._clock.now() - began, error))


def outage_hint(gate: GateResult) -> str:
    """Which option permits what the gate refuses, where one does."""
    names = {check.name for check in gate.checks if not check.passed}
    by_option = {"quorum without this member", "member answers", "a leader", "stable term"}
    return "--allow-outage permits it, and says so in the result" if names and names <= by_option else ""


def _next_phase(intents: Mapping[str, Intent]) -> dict[str, Phase]:
    """The earliest phase that any host still has work in: a barrier for those whose work comes later."""
    rows = (
        {host: intent.phases[number] for host, intent in intents.items() if number < len(intent.phases)}
        for number in range(MAX_PHASES)
    )
    return next(
        ({h: changes for h, changes in row.items() if changes} for row in rows if any(row.values())), {}
    )


def _left(made: Phase, intent: Intent) -> list[str]:
    """What was made and is planned again: the stale facts, read again, must ask for nothing of it."""
    keys = frozenset(key for change in made for key in change.keys)
    return [change.summary for change in intent.changes if change.keys & keys]


def _instances(changes: Phase) -> tuple[str, ...]:
    return tuple(dict.fromkeys(c.instance for c in changes if c.disrupts is not Disrupts.NOTHING))


def _steps(changes: Phase) -> tuple[Step, ...]:
    return tuple(
        Step(c.check, c.apply, None if isinstance(c.undo, Irreversible) else c.undo, dict(c.files))
        for c in changes
    )


def _limit(changes: Phase) -> float:
    return sum(change.estimate for change in changes)


def _state(change: Change, word: str) -> State:
    if word == "committed":
        return State.APPLIED
    if word == "undone":
        return State.FAILED if isinstance(change.undo, Irreversible) else State.UNDONE
    return State.HELD


def _last_line(output: str) -> str:
    return output.strip().rpartition("\n")[2] or "no output"
