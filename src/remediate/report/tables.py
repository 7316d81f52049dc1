"""What was measured, and the table before/after with what became of each finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from remediate.diagnosis.case import size
from remediate.engine.look import Look
from remediate.etcd.model import EtcdHost
from remediate.measure.model import Rates
from remediate.report import readings
from remediate.report.compare import Comparison, Judged, Row, Verdict
from remediate.report.text import EMPTY, Cell, Line, Span, joined, line, paragraph, seconds, table

_CHANGE_ROLES = {"better": "good", "smaller": "good", "worse": "bad", "larger": "warning", "same": "dim"}
_VERDICT_ROLES = {Verdict.HELPED: "good", Verdict.NOT_HELPED: "bad", Verdict.NEW: "bad"}


def measured_lines(look: Look, width: int | None) -> Iterator[Line]:
    """One row per member, and why something was not measured."""
    cluster = look.cluster
    heading = ("member", "etcd", "role", "fsync p99", "commit p99", "health", "database", "effective latency")
    rows = [_measured_row(look, host) for host in cluster.hosts]
    yield line(Span(f"Measured in cluster {cluster.name}", "heading"))
    yield from table([tuple(Span(name, "dim") for name in heading), *rows], width)
    put = readings.put(look)
    yield line(f"  put p99: {put.text}{f' ({put.why})' if put.why else ''}")
    for name, rates in look.measured.rates.items():
        if rates.slow_applies or rates.failed_proposals or rates.slow_reads or rates.heartbeat_failures:
            yield from paragraph(line("  "), f"{name}: {_troubles(rates)}", width)
    for gap in look.measured.not_measured:
        yield from paragraph(line("  "), f"not measured: {gap.what} on {gap.host}: {gap.why}", width, "dim")
    yield EMPTY


def _measured_row(look: Look, host: EtcdHost) -> Sequence[Cell]:
    status = host.status
    if status is None:
        return (host.name, "?", Span("down", "bad"), *[readings.NOTHING] * 5)
    role = "leader" if status.is_leader else "learner" if status.is_learner else "follower"
    database = f"{size(status.db_size)} ({status.fragmentation:.0%} free)"
    read = (readings.fsync, readings.commit, readings.health)
    figures = [reader(look, host.name).text for reader in read]
    return (host.name, status.version, role, *figures, database, readings.effective(look, host.name).text)


def _troubles(rates: Rates) -> str:
    """Counts and rates of what went wrong while a member was watched."""
    counts = {
        "slow applies": rates.slow_applies,
        "failed proposals": rates.failed_proposals,
        "slow reads": rates.slow_reads,
        "heartbeat failures": rates.heartbeat_failures,
    }
    told = (f"{count} {what} ({rates.per_second(count):.1f}/s)" for what, count in counts.items() if count)
    return f"{joined(told)} in {seconds(rates.seconds)}"


def comparison_lines(comparison: Comparison, width: int | None) -> Iterator[Line]:
    """The table before/after, and a line per finding."""
    yield line(Span(f"Before and after, cluster {comparison.cluster}", "heading"))
    heading = [Span(name, "dim") for name in ("", "", "before", "after", "")]
    yield from table([heading, *_rows(comparison.rows)], width)
    if comparison.judged:
        yield EMPTY
        yield line(Span("What became of the findings", "heading"))
        yield from _verdict_lines(comparison.judged, width)
    yield EMPTY


def _rows(rows: Sequence[Row]) -> Iterator[Sequence[Cell]]:
    """The name of a figure stands at its first row only."""
    for what, same in groupby(rows, key=lambda row: row.what):
        for number, row in enumerate(same):
            role = _CHANGE_ROLES.get(row.change, "")
            yield (what if number == 0 else "", row.where, row.before, row.after, Span(row.change, role))


def _verdict_lines(judged: Sequence[Judged], width: int | None) -> Iterator[Line]:
    """Findings that ended alike on several hosts share a line."""
    alike: dict[tuple[str, Verdict, str, str], list[str]] = {}
    for one in judged:
        key = (one.finding.id, one.verdict, one.needs, one.why)
        alike.setdefault(key, []).append(one.finding.host or "")
    for (id, verdict, needs, why), hosts in alike.items():
        where = joined(host for host in hosts if host)
        what = f"  {id}{f' on {where}' if where else ''}: "
        rest = f": {needs}; {why}" if needs else f": {why}"
        role = _VERDICT_ROLES.get(verdict, "warning")
        if width is None or len(what + verdict + rest) <= width:
            yield line(what, Span(verdict, role), rest)
        else:
            yield line(what.rstrip())
            yield from paragraph(line("      "), f"{verdict}{rest}", width, role)
