"""The exact plan: hosts in their order, what changes, what that disrupts, which gate stands around it."""

from __future__ import annotations

from collections.abc import Iterator

from remediate.engine.events import HostPlan, Planned
from remediate.engine.result import ChangeResult
from remediate.report.redact import redact
from remediate.report.text import EMPTY, Line, Span, line, named, paragraph, seconds
from remediate.task.base import Disrupts

_DIFF_ROLES = (("+++", "heading"), ("---", "heading"), ("+", "added"), ("-", "removed"), ("@@", "range"))


def plan_lines(planned: Planned, width: int | None, *, diff: bool, verbose: bool = False) -> Iterator[Line]:
    """The plan of one play.

    Args:
        diff: show what changes in files, line by line.
        verbose: say of each task without anything to do why that is so.
    """
    changing = [host for host in planned.hosts if host.changes]
    head = line(Span(f"Play «{planned.play}»: ", "heading"))
    yield from paragraph(head, _pace(planned) if changing else "nothing to do", width)
    shown: dict[str, str] = {}
    for number, host in enumerate(changing, 1):
        yield from _host_lines(number, host, width, shown if diff else None)
    yield from _idle_lines(planned, width, verbose)
    for text in planned.advice:
        yield from (line("  ", Span(part, "dim")) for part in text.rstrip("\n").split("\n"))
    yield EMPTY


def _pace(planned: Planned) -> str:
    """How the changes are made, in words."""
    disrupting = any(c.disrupts is not Disrupts.NOTHING for host in planned.hosts for c in host.changes)
    if not disrupting:
        return "changes that disrupt no member"
    gate = f"gate {planned.gate} before and after each" if planned.gate else "NO gate"
    rest = f", {seconds(planned.settle)} of rest after each" if planned.settle else ""
    return f"one member after another, {gate}{rest}"


def _host_lines(
    number: int, host: HostPlan, width: int | None, shown: dict[str, str] | None
) -> Iterator[Line]:
    """One host's changes. `shown`: the diffs shown so far and where; None where none is wanted."""
    yield line(f"  {number}. ", Span(host.host, "heading"), f"  ({host.note})" if host.note else "")
    for change in host.changes:
        yield from paragraph(line("     ~ "), f"{change.summary}{_disrupts(change)}", width)
        if shown is not None and change.diff:
            first = shown.setdefault(change.diff, host.host)
            same = line("       ", Span(f"the same lines as on {first}", "dim"))
            yield from diff_lines(change.diff, indent=7) if first == host.host else [same]


def _disrupts(change: ChangeResult) -> str:
    return "" if change.disrupts is Disrupts.NOTHING else f"  [{change.disrupts}]"


def diff_lines(diff: str, indent: int = 0) -> Iterator[Line]:
    """A unified diff, coloured by its first characters; secrets of several lines are cut out while it is whole."""
    for text in redact(diff).rstrip("\n").split("\n"):
        role = next((role for start, role in _DIFF_ROLES if text.startswith(start)), "")
        yield line(" " * indent, Span(text, role))


def _idle_lines(planned: Planned, width: int | None, verbose: bool) -> Iterator[Line]:
    """Hosts without changes in one line; with -v, the reason of every task."""
    idle = [host.host for host in planned.hosts if not host.changes]
    if idle and len(idle) < len(planned.hosts):
        yield from paragraph(line("  "), f"nothing to do on {named(idle)}", width, "dim")
    if verbose:
        for host in planned.hosts:
            for noop in host.noops:
                yield from paragraph(line("  = "), f"{host.host}: {noop.task}: {noop.why}", width, "dim")
