"""What has come to light so far in a run, and the result tree that is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from remediate.engine.ledger import Ledger
from remediate.engine.look import Look
from remediate.engine.plan import Intent, pending
from remediate.engine.result import ChangeResult, GateResult, HostResult, Problem
from remediate.errors import RemediateError


@dataclass(slots=True)
class Progress:
    """Everything by play number and host; written by the run's own thread only."""

    before: tuple[Look, ...] = ()
    after: tuple[Look, ...] | None = None
    intents: dict[int, dict[str, Intent]] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)
    ledgers: dict[int, list[Ledger]] = field(default_factory=dict)
    refused: list[GateResult] = field(default_factory=list)

    def all_intents(self) -> tuple[Intent, ...]:
        """What every play wants of every host."""
        return tuple(intent for intents in self.intents.values() for intent in intents.values())

    def all_ledgers(self) -> tuple[Ledger, ...]:
        """What became of every domain in every play."""
        return tuple(ledger for ledgers in self.ledgers.values() for ledger in ledgers)

    def blame(self, host: str, problem: RemediateError) -> None:
        """Remember why a host cannot be worked on."""
        self.problems[host] = Problem.of(problem)

    def findings(self, host: str) -> frozenset[str]:
        """Identifiers of what was found on a host or on its whole cluster, at the run's start."""
        return frozenset(
            finding.id
            for look in self.before
            for finding in look.findings
            if (own := {member.name for member in look.cluster.hosts if member.host == host})
            and (finding.host is None or finding.host in own)
        )

    def gates(self) -> tuple[GateResult, ...]:
        """Every gate's last word, in order."""
        return (*self.refused, *(gate for ledger in self.all_ledgers() for gate in ledger.gates))

    def host_result(self, host: str, cluster: str) -> HostResult:
        """What became of one host in all plays."""
        result = HostResult(host, cluster, problem=self.problems.get(host))
        for number, intents in self.intents.items():
            if host in intents:
                result = replace(
                    result,
                    changes=(*result.changes, *self._changes(number, intents[host])),
                    noops=(*result.noops, *intents[host].noops),
                )
        problems = [ledger.problems[host] for ledger in self.all_ledgers() if host in ledger.problems]
        return replace(result, problem=problems[0]) if problems else result

    def _changes(self, number: int, intent: Intent) -> Iterator[ChangeResult]:
        """What was tried, then what was planned and never tried."""
        made = [
            change
            for ledger in self.ledgers.get(number, [])
            for change in ledger.changes.get(intent.host, [])
        ]
        tried = {change.summary for change in made}
        yield from made
        yield from (pending(change) for change in intent.changes if change.summary not in tried)
