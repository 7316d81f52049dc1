"""A play on one domain: phase by phase, one member at a time, the leader last, and a stop at the first that fails."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from threading import Event

from remediate.engine.changing import Changer, Work, work_on
from remediate.engine.events import Note, Settling
from remediate.engine.fold import Phase
from remediate.engine.ledger import Ledger
from remediate.engine.order import arranged, batches
from remediate.engine.plan import Intent
from remediate.errors import ChangeFailed, RemediateError
from remediate.node.parallel import each
from remediate.playbook.pace import Order, Serial

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


class Rollout:
    """One play on one domain. `run` is called once."""

    def __init__(self, rules: Rules, changer: Changer, stopping: Event) -> None:
        self._rules, self._changer, self._stopping = rules, changer, stopping
        self._clock, self._observer = changer.keeper.clock, changer.keeper.observer
        self._disturbed_at: float | None = None
        self._done: list[Work] = []

    @property
    def ledger(self) -> Ledger:
        """What became of the hosts, also while it goes on."""
        return self._changer.ledger

    def run(self, intents: Mapping[str, Intent]) -> None:
        """Change all hosts, phase by phase. What goes wrong stands in the ledger; nothing is raised for it."""
        approved = {host: intent.keys for host, intent in intents.items()}
        for number in range(1, MAX_PHASES + 1):
            phase = _next_phase(intents)
            if not phase:
                return
            if not self._phase(number, phase):
                self._end_uniform(phase)
                return
            intents = {host: self._plan_within(keys, host) for host, keys in approved.items()}
            if self.ledger.problems:
                return
        for host in _next_phase(intents):
            self.ledger.blame(host, ChangeFailed("the plan does not converge: a task contradicts its facts"))

    def _plan_within(self, approved: frozenset[tuple[Hashable, Hashable]], host: str) -> Intent:
        """Plan a host again on its newest facts; it must want nothing that was not approved."""
        try:
            intent = self._changer.replanning.plan(host)
            if intent.keys - approved:
                raise ChangeFailed("planning again wants more than was approved", where=host)
        except RemediateError as problem:
            self.ledger.blame(host, problem)
            return Intent(host, (), ())
        return intent

    def _phase(self, number: int, phase: Mapping[str, Phase]) -> bool:
        """One phase over all its hosts; False where the rollout must stop."""
        self._done.clear()
        label = f"{self._rules.label}.{number}"
        works = {host: work_on(host, self._rules.run, label, changes) for host, changes in phase.items()}
        quiet = [host for host, work in works.items() if not work.instances]
        for batch in batches(quiet, self._rules.serial):
            each(batch, lambda host: self._make(works[host]), self._rules.forks)
            if self.ledger.problems or self._stopping.is_set():
                return False
        left = [host for host, work in works.items() if work.instances]
        while left:
            # Asked anew each time: the leadership may have moved meanwhile.
            host = arranged(left, self._rules.order, self._changer.keeper.world.clusters())[0]
            left.remove(host)
            self._rest(host)
            if self._stopping.is_set() or not self._make(works[host]):
                return False
        return True

    def _make(self, work: Work) -> bool:
        made = self._changer.make(work, frozenset(done.host for done in self._done))
        if work.instances:
            self._disturbed_at = self._clock.now()
        if made:
            self._done.append(work)
        return made

    def _rest(self, host: str) -> None:
        """Let the cluster settle since the last disturbed member; unchanged hosts cost no rest."""
        if self._disturbed_at is None:
            return
        end = self._disturbed_at + self._rules.settle
        if end > self._clock.now():
            self._observer.on(Settling(host, end - self._clock.now()))
        while (left := end - self._clock.now()) > 0 and not self._stopping.is_set():
            self._clock.sleep(min(1.0, left))

    def _end_uniform(self, phase: Mapping[str, Phase]) -> None:
        """What must be the same on every member is taken back where it was done, wherever the phase stopped.

        After Ctrl-C nothing more is restarted; a person is told that members differ.
        """
        works = [work for work in self._done if work.uniform]
        if not works or len(works) == len(phase):
            return
        if self._stopping.is_set() and not self.ledger.problems:
            names = ", ".join(work.host for work in works)
            self._observer.on(
                Note(f"only {names} have the new timers; run it again to make members alike", warning=True)
            )
            return
        for work in reversed(works):
            self._changer.take_back(work, "it must be the same on every member")


def _next_phase(intents: Mapping[str, Intent]) -> dict[str, Phase]:
    """The earliest phase that any host still has work in: a barrier for those whose work comes later."""
    rows = (
        {host: intent.phases[number] for host, intent in intents.items() if number < len(intent.phases)}
        for number in range(MAX_PHASES)
    )
    return next(
        ({h: changes for h, changes in row.items() if changes} for row in rows if any(row.values())), {}
    )
