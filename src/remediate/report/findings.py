"""Findings as an operator reads them at night: worst first, what, where, figure, threshold, remedy, source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from remediate.diagnosis.model import Finding, Severity
from remediate.report.text import EMPTY, Line, Span, joined, line, paragraph

_ORDER = tuple(Severity)
_LABEL = 10


def findings_lines(
    cluster: str,
    findings: Iterable[Finding],
    width: int | None,
    *,
    verbose: bool = False,
    again: bool = False,
) -> Iterator[Line]:
    """One block per kind of finding, worst first; one line for each host. Hints are short unless verbose.

    Args:
        again: the cluster was diagnosed before in this run.
    """
    found = sorted(findings, key=lambda f: _ORDER.index(f.severity))
    yield line(Span(f"Cluster {cluster}{' afterwards' if again else ''}", "heading"), f": {_counts(found)}")
    short = False
    for (severity, _), block in groupby(found, key=lambda f: (f.severity, f.id)):
        if not short:
            yield EMPTY
        short = severity is Severity.INFO and not verbose
        yield from _block(severity, tuple(block), width, short=short)
    yield EMPTY


def _counts(findings: Sequence[Finding]) -> str:
    counted = Counter(finding.severity for finding in findings)
    return (
        joined(f"{counted[severity]} {severity}" for severity in Severity if counted[severity])
        or "nothing found"
    )


def _block(severity: Severity, block: Sequence[Finding], width: int | None, *, short: bool) -> Iterator[Line]:
    first = block[0]
    yield line("  ", Span(severity.upper().ljust(_LABEL), severity), Span(first.id, "heading"))
    for message, same in _by_message(block):
        where = joined(finding.host for finding in same if finding.host)
        yield from paragraph(line(" " * (_LABEL + 2)), f"{where}: {message}" if where else message, width)
    if short:
        return
    for label, values in (("remedy", [f.remedy for f in block]), ("source", [f.source for f in block])):
        for value in dict.fromkeys(value for value in values if value):
            yield from paragraph(line("  ", Span(label.ljust(_LABEL), "dim")), value, width, "dim")


def _by_message(block: Sequence[Finding]) -> Iterator[tuple[str, list[Finding]]]:
    """Findings that say the same of several hosts are told once."""
    messages = dict.fromkeys(finding.message for finding in block)
    return ((message, [f for f in block if f.message == message]) for message in messages)
