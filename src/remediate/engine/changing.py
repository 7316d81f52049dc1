"""Change one host: gate, transaction, gate, confirm; or take it back. How it ended is always written down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from remediate.engine.events import ChangeEnded, ChangeStarted, Note, Undoing
from remediate.engine.fold import Phase
from remediate.engine.gatekeeper import Gatekeeper
from remediate.engine.gates import LOST, refusals
from remediate.engine.ledger import Ledger
from remediate.engine.plan import Intent, pending
from remediate.engine.result import GateResult
from remediate.engine.world import Fleet
from remediate.errors import ChangeFailed, Refused, RemediateError
from remediate.etcd.leadership import hand_over
from remediate.node import transaction
from remediate.node.transaction import Step, Transaction
from remediate.task.base import Disrupts, Irreversible


@dataclass(frozen=True, slots=True)
class Work:
    """The changes of one host in one phase."""

    host: str
    transaction: Transaction
    changes: Phase

    @property
    def instances(self) -> tuple[str, ...]:
        """etcd instances that stand still meanwhile."""
        return tuple(dict.fromkeys(c.instance for c in self.changes if c.disrupts is not Disrupts.NOTHING))

    @property
    def reversible(self) -> bool:
        """Whether there is anything that can be taken back."""
        return not all(isinstance(change.undo, Irreversible) for change in self.changes)

    @property
    def uniform(self) -> bool:
        """Whether all members must end the same."""
        return any(change.uniform for change in self.changes)


def work_on(host: str, run: str, label: str, changes: Phase) -> Work:
    """The transaction that some changes are made by."""
    steps = tuple(
        Step(c.check, c.apply, None if isinstance(c.undo, Irreversible) else c.undo, dict(c.files))
        for c in changes
    )
    limit = sum(change.estimate for change in changes)
    return Work(host, Transaction(run, label, steps, limit), changes)


@dataclass(frozen=True, slots=True)
class Replanning:
    """How a host is looked at again and planned again; made by the run."""

    reread: Callable[[Sequence[str]], None]
    plan: Callable[[str], Intent]


@dataclass(frozen=True, slots=True)
class Changer:
    """Changes the hosts of one domain, one call per host."""

    fleet: Fleet
    keeper: Gatekeeper
    replanning: Replanning
    ledger: Ledger

    def make(self, work: Work, finished: Collection[str]) -> bool:
        """Make and confirm the changes of a host, or leave it as it was. False where they were not made.

        Args:
            work: what to do.
            finished: hosts that are done, one of which should lead afterwards.
        """
        try:
            self._open(work, finished)
        except RemediateError as problem:
            self.ledger.blame(work.host, problem)
            return False
        clock = self.keeper.clock
        began = clock.now()
        for change in work.changes:
            self.keeper.observer.on(ChangeStarted(work.host, pending(change)))
        word, why = self._change(work)
        if word == "moved":
            self.ledger.blame(
                work.host, self._stop(f"not as it was planned on: {why}", work.host, "plan again")
            )
            return False
        if word == "doubt":
            word = self._undo(work, why)
        for result in self.ledger.record(work.host, work.changes, word):
            self.keeper.observer.on(ChangeEnded(work.host, result, clock.now() - began, why))
        if why:
            self.ledger.blame(work.host, ChangeFailed(why, where=work.host, hint=self._way_out(work, word)))
            self._return_to_health(work, word)
        return not why

    def take_back(self, work: Work, why: str) -> None:
        """Take a confirmed change of a host back, behind a gate of its own."""
        try:
            self._pass_before(work)
        except RemediateError as problem:
            self.ledger.blame(
                work.host,
                ChangeFailed(f"it keeps what other members do not have: {problem}", where=work.host),
            )
            return
        began = self.keeper.clock.now()
        word = self._undo(work, why)
        for result in self.ledger.record(work.host, work.changes, word):
            self.keeper.observer.on(ChangeEnded(work.host, result, self.keeper.clock.now() - began, why))
        self._return_to_health(work, word)

    def _open(self, work: Work, finished: Collection[str]) -> None:
        """All that can refuse before anything is changed: the gate, staging, the hand-over of the leadership."""
        if work.instances:
            self._pass_before(work)
        try:
            transaction.stage(self.fleet.node(work.host), work.transaction)
        except ChangeFailed as problem:
            hint = f"nothing was changed; look at {transaction.ROOT} there"
            raise self._stop(f"the change cannot be staged: {problem.message}", work.host, hint) from None
        if all(change.hand_over for change in work.changes) and self._hand_over(work, finished):
            # The cluster is given time to get over the election before its old leader goes: two gaps, not one long one.
            self.ledger.gates.pop()
            self._pass_before(work)

    def _stop(self, message: str, host: str, hint: str) -> RemediateError:
        """A refusal as long as nothing was touched, a failure from then on (DESIGN, exit codes)."""
        kind = ChangeFailed if self.ledger.touched else Refused
        return kind(message, where=host, hint=hint)

    def _pass_before(self, work: Work) -> None:
        blocked = any(change.disrupts is Disrupts.BLOCK for change in work.changes)
        gate = self.keeper.before(work.host, work.instances, blocked=blocked)
        self.ledger.gates.append(gate)
        if not gate.passed:
            text = f"the gate before it stays closed: {refusals(gate.checks)}"
            raise self._stop(text, work.host, outage_hint(gate))

    def _hand_over(self, work: Work, finished: Collection[str]) -> bool:
        """Give the leadership away where this host has it; whether it had."""
        moved = False
        for instance in work.instances:
            place = self.keeper.world.instance(work.host, instance)
            if place and place[1].status and place[1].status.is_leader:
                to = hand_over(self.fleet.node(work.host), *place, finished)
                if to:
                    self.keeper.observer.on(Note(f"leadership moved to {to}", work.host))
                    moved = True
        return moved

    def _change(self, work: Work) -> tuple[str, str]:
        """The last word on a change and why it is not good; `doubt` must be taken back. Raises nothing."""
        try:
            node = self.fleet.node(work.host)
            state = transaction.start(node, work.transaction, self.keeper.clock)
            if state.word in ("moved", "undone", "held"):
                return state.word, f"the change failed on the node: {_last_line(state.output)}"
            why = "the node's unit ended too early" if state.word != "await" else self._not_confirmed(work)
            if why:
                return "doubt", why
            transaction.commit(node, work.transaction, self.keeper.clock)
        except Exception as problem:  # noqa: BLE001 - whatever it was: a change that is not confirmed is taken back
            return "doubt", f"it cannot be confirmed: {problem}"
        return "committed", ""

    def _not_confirmed(self, work: Work) -> str:
        """Why the change cannot be confirmed; empty where it can."""
        if work.instances:
            gate = self.keeper.after(work.host, work.instances)
            self.ledger.gates.append(gate)
            if not gate.passed:
                return f"the gate after it stays closed: {refusals(gate.checks)}"
        self.replanning.reread([work.host])
        intent = self.replanning.plan(work.host)
        keys = frozenset(key for change in work.changes for key in change.keys)
        left = [change.summary for change in intent.changes if change.keys & keys]
        return f"read again, this is still to be done: {'; '.join(left)}" if left else ""

    def _undo(self, work: Work, why: str) -> str:
        """Take it back on the node; the word that its journal ends with, `held` where that cannot be known."""
        if not work.reversible:
            return "undone"
        self.keeper.observer.on(Undoing(work.host, why))
        try:
            return transaction.undo(self.fleet.node(work.host), work.transaction, self.keeper.clock).word
        except Exception as problem:  # noqa: BLE001 - the node is told of as held, and its journal says the rest
            self.keeper.observer.on(Note(f"it could not be taken back: {problem}", work.host, warning=True))
            return "held"

    def _way_out(self, work: Work, word: str) -> str:
        if word != "held":
            return ""
        return f"NOT taken back; old files and journal are in {work.transaction.folder} there"

    def _return_to_health(self, work: Work, word: str) -> None:
        """Say how the member is after a change went wrong."""
        if not work.instances:
            return
        try:
            gate = self.keeper.after(work.host, work.instances)
        except RemediateError as problem:
            self.keeper.observer.on(
                Note(f"the member cannot be looked at: {problem}", work.host, warning=True)
            )
            return
        state = "is healthy" if gate.passed else f"is NOT healthy: {refusals(gate.checks)}"
        undone = word == "undone" and work.reversible
        how = "taken back" if undone else "NOT taken back" if work.reversible else "it cannot be taken back"
        self.keeper.observer.on(
            Note(f"{how}; the member {state}", work.host, warning=not (gate.passed and undone))
        )


def outage_hint(gate: GateResult) -> str:
    """Which option permits what the gate refuses: only where nothing is lost by it that is not lost already.

    A second member is never to be stopped because another one is down for a moment.
    """
    names = {check.name for check in gate.checks if not check.passed}
    by_option = {"quorum without this member", "member answers", "a leader", "stable term"}
    lost = names & {"member answers", "a leader"} or any(
        check.detail.startswith("0 of 1 ") or LOST in check.detail for check in gate.checks
    )
    if names and names <= by_option and lost:
        return "--allow-outage permits it, and says so in the result"
    return "look at the other members first: `remediate diagnose`" if names <= by_option else ""


def _last_line(output: str) -> str:
    return output.strip().rpartition("\n")[2] or "no output"
