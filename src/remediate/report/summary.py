"""How a run ended: one line per host that is worth one, and one for the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from remediate.engine.result import HostResult, Mode, Outcome, RunResult, State
from remediate.report.text import Line, Span, counted_of, joined, line, paragraph, seconds

_ROLES = {
    Outcome.FAILED: "bad",
    Outcome.REFUSED: "bad",
    Outcome.UNREACHABLE: "bad",
    Outcome.PENDING: "warning",
    Outcome.CHANGED: "good",
    Outcome.UNCHANGED: "dim",
}
_DONE = {
    State.APPLIED: "made",
    State.UNDONE: "taken back",
    State.FAILED: "failed",
    State.HELD: "held",
    State.PENDING: "to make",
}
_WORDS = {
    Outcome.PENDING: {Mode.CHECK: "there are changes to make"},
    Outcome.UNCHANGED: {
        Mode.APPLY: "nothing to do",
        Mode.CHECK: "nothing to do",
        Mode.DIAGNOSE: "looked, changed nothing",
    },
}


def summary_lines(result: RunResult, width: int | None, *, verbose: bool = False) -> Iterator[Line]:
    """Every host that changed or failed, how many did not, and the run."""
    hosts = [(host, host.outcome(result.mode)) for host in result.hosts]
    shown = [(host, outcome) for host, outcome in hosts if verbose or outcome is not Outcome.UNCHANGED]
    longest = max((len(host.host) for host, _ in shown), default=0)
    for host, outcome in shown:
        head = line(f"  {host.host.ljust(longest)}  ", Span(outcome.ljust(13), _ROLES[outcome]))
        yield from paragraph(head, _what(host), width)
    quiet = len(hosts) - len(shown)
    if shown and quiet:
        yield line(Span(f"  {counted_of(quiet, 'other host')} unchanged", "dim"))
    yield _last(result)


def _what(host: HostResult) -> str:
    """`2 changes made, 1 change taken back: why`."""
    counted = Counter(change.state for change in host.changes)
    states = joined(
        f"{counted_of(n, 'change')} {word}" for state, word in _DONE.items() if (n := counted[state])
    )
    problem = host.problem.text.removeprefix(f"{host.host}: ") if host.problem else ""
    return ": ".join(part for part in (states, problem) if part)


def _last(result: RunResult) -> Line:
    outcome = result.outcome
    word = _WORDS.get(outcome, {}).get(result.mode, outcome.value)
    if result.interrupted:
        word = "interrupted"
    return line(
        Span(f"{result.playbook}: "),
        Span(word, _ROLES[outcome]),
        f" · {counted_of(len(result.hosts), 'host')} · {seconds(result.seconds)} · run {result.run}",
    )
