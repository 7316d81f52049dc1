"""The run as a person reads it: what goes on and what went on to standard error, the result to standard output."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatchmethod
from threading import Lock
from typing import TextIO

from remediate.engine import events
from remediate.engine.result import Mode, RunResult, State
from remediate.report.findings import findings_lines
from remediate.report.paper import Clean, paper
from remediate.report.plan import plan_lines
from remediate.report.progress import Progress
from remediate.report.summary import summary_lines
from remediate.report.text import Line, Span, line, named, seconds

_STATE_ROLES = {State.APPLIED: "good", State.UNDONE: "warning", State.FAILED: "bad", State.HELD: "bad"}


class Console:
    """An observer for people.

    Args:
        out: where findings, plan and result go.
        err: where progress goes; the same stream where a machine reads the other one.
        diff: show what changes in files.
        verbosity: 1 and more tells every no-op, every host's look and every check of every gate.
    """

    def __init__(self, out: TextIO, err: TextIO, clean: Clean, *, diff: bool, verbosity: int) -> None:
        self._err = paper(err, clean)
        self._out = self._err if out is err else paper(out, clean)
        self._asked_blind = self._err.width is not None and self._out.width is None
        self._progress = Progress(self._err)
        self._diff, self._verbose = diff, verbosity > 0
        self._diagnosed: set[str] = set()
        self._lock = Lock()

    def on(self, event: events.Event) -> None:
        """Take one event; may be called from several threads at once."""
        with self._lock:
            self._on(event)

    def _show(self, lines: Iterable[Line]) -> None:
        self._progress.still()
        self._out.write(lines)

    @singledispatchmethod
    def _on(self, event: object) -> None:
        """An event that this observer does not know is none of its business."""

    @_on.register
    def _(self, event: events.RunStarted) -> None:
        mode = "" if event.mode in (Mode.APPLY, event.playbook) else f" ({event.mode})"
        self._progress.log(f"{event.playbook}{mode} on {event.inventory}, run {event.run}")

    @_on.register
    def _(self, event: events.PlayStarted) -> None:
        self._progress.muted = False
        self._progress.log(f"play «{event.play}»: {named(event.hosts)}", "heading")

    @_on.register
    def _(self, event: events.Looking) -> None:
        self._progress.going("look", f"looking at {named(event.hosts)}")

    @_on.register
    def _(self, event: events.Looked) -> None:
        if event.error:
            self._progress.log(f"{event.host}: {event.error}", "bad")
        elif self._verbose:
            self._progress.log(f"{event.host}: looked at in {seconds(event.seconds)}")

    @_on.register
    def _(self, event: events.Measuring) -> None:
        share = f" {event.progress:.0%}" if event.progress else ""
        detail = f" ({event.detail})" if event.detail else ""
        where = f" on {event.host}" if event.host else ""
        self._progress.going(f"{event.what}{where}", f"measuring {event.what}{where}{share}{detail}")

    @_on.register
    def _(self, event: events.Found) -> None:
        again = event.cluster in self._diagnosed
        self._diagnosed.add(event.cluster)
        width = self._out.width
        self._show(findings_lines(event.cluster, event.findings, width, verbose=self._verbose, again=again))

    @_on.register
    def _(self, event: events.Planned) -> None:
        self._progress.muted = True
        self._show(plan_lines(event, self._out.width, diff=self._diff, verbose=self._verbose))
        if self._asked_blind:  # whoever is asked on this terminal must see what for
            self._err.write(plan_lines(event, self._err.width, diff=self._diff))

    @_on.register
    def _(self, event: events.GateChecked) -> None:
        word = "open" if event.passed else "closed"
        took = f" after {seconds(event.seconds)}" if event.seconds >= 1 else ""
        self._progress.log(f"{event.host}: gate {event.when} is {word}{took}", "" if event.passed else "bad")
        for check in event.checks:
            if self._verbose or not check.passed:
                role = "dim" if check.passed else "bad"
                self._progress.log(f"  {'ok ' if check.passed else 'NOT'} {check.name}: {check.detail}", role)

    @_on.register
    def _(self, event: events.ChangeStarted) -> None:
        self._progress.going(f"{event.host} {event.change.summary}", f"{event.host}: {event.change.summary}")

    @_on.register
    def _(self, event: events.ChangeEnded) -> None:
        state, why = event.change.state, f": {event.error}" if event.error else ""
        text = f"{event.host}: {state} in {seconds(event.seconds)}: {event.change.summary}{why}"
        self._progress.log(text, _STATE_ROLES.get(state, ""))

    @_on.register
    def _(self, event: events.Settling) -> None:
        self._progress.going(f"rest {event.host}", f"{event.host}: {seconds(event.seconds)} of rest")

    @_on.register
    def _(self, event: events.Undoing) -> None:
        self._progress.log(f"{event.host}: taking it back, because {event.why}", "warning")

    @_on.register
    def _(self, event: events.Note) -> None:
        where = f"{event.host}: " if event.host else ""
        self._progress.log(f"{where}{event.message}", "warning" if event.warning else "")

    @_on.register
    def _(self, event: events.RunEnded) -> None:
        result = event.result
        self._show(self._figures(result))
        self._show(summary_lines(result, self._out.width, verbose=self._verbose))
        if result.problem:
            self._err.write([line(Span(f"remediate: {result.problem.text}", "bad"))])

    def _figures(self, result: RunResult) -> Iterable[Line]:
        """The table before/after where something was changed, else what was measured where that was the wish."""
        if not result.before:
            return
        from remediate.report.compare import compare
        from remediate.report.tables import comparison_lines, measured_lines

        if result.after is not None:
            after = {look.cluster.name: look for look in result.after}
            for look in result.before:
                if look.cluster.name in after:
                    yield from comparison_lines(compare(look, after[look.cluster.name]), self._out.width)
        elif result.mode is Mode.DIAGNOSE or self._verbose:
            for look in result.before:
                yield from measured_lines(look, self._out.width)
