"""One figure of one look: how it is written, between which values it lies, and why it is missing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from remediate.diagnosis import thresholds as limit
from remediate.diagnosis.case import ms, size
from remediate.diagnosis.disk import interval
from remediate.diagnosis.flags import live_flags
from remediate.engine.look import Look
from remediate.etcd.model import EtcdHost
from remediate.measure.model import Latency

NOISE: Final = 0.8
"""At most this share of the old figure counts as better: measurements are held to an accuracy of 20 %."""

ENOUGH_SAMPLES: Final = 10
"""Fewer observations than this say nothing about a 99th percentile."""

NOTHING: Final = "n/a"

Interval = tuple[float, float | None]


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure for people and for comparison.

    Attributes:
        text: `8–16 ms (etcd)`, or `n/a`.
        edges: between which values it lies; None where there is nothing to compare.
        why: why it is missing or cannot be compared.
        target: below this all is well, and what moves there is not worth a word.
    """

    text: str
    edges: Interval | None = None
    why: str = ""
    target: float = 0.0

    @property
    def fine(self) -> bool:
        """Whether it is below its target for sure."""
        return self.edges is not None and self.edges[1] is not None and self.edges[1] < self.target


def clearly_better(before: Interval, after: Interval) -> bool:
    """Whether even the worst reading afterwards is at least 20 % below the best reading before.

    For etcd's histogram, whose buckets are powers of two, at least one whole bucket lies in between.
    """
    return after[1] is not None and after[1] <= NOISE * before[0]


def host_of(look: Look, name: str | None) -> EtcdHost | None:
    """An instance by its name in reports."""
    return next((host for host in look.cluster.hosts if host.name == name), None)


def fsync(look: Look, name: str) -> Reading:
    """WAL fsync p99; never a figure under `--unsafe-no-fsync`, where etcd's histogram stops filling."""
    host, latency = host_of(look, name), look.measured.fsync.get(name)
    live = (live_flags(host) or {}) if host else {}
    if latency and latency.source == "etcd" and live.get("unsafe-no-fsync", "false") != "false":
        return Reading(NOTHING, why="no data: without fsync etcd's histogram stops filling")
    return _latency(latency, _why(look, name, {"fio", "fsync", "metrics"}), limit.FSYNC_P99_WARNING_MS)


def commit(look: Look, name: str) -> Reading:
    """Backend commit p99."""
    why = _why(look, name, {"commit", "metrics"})
    return _latency(look.measured.commit.get(name), why, limit.COMMIT_P99_WARNING_MS)


def put(look: Look) -> Reading:
    """Put p99 of the cluster."""
    why = [gap.why for gap in look.measured.not_measured if gap.what == "puts"]
    return _latency(look.measured.put, why[0] if why else "not measured: ask for --probe-writes")


def _latency(latency: Latency | None, why: str, target: float = 0.0) -> Reading:
    edges = interval(latency) if latency else None
    if latency is None or edges is None:
        return Reading(NOTHING, why=why)
    low, high = edges
    text = ms(low) if low == high else f"{low:g}–{high:g} ms" if high is not None else f"> {low:g} ms"
    if latency.samples < ENOUGH_SAMPLES:
        return Reading(f"{text} ({latency.source})", why=f"too few observations to tell ({latency.samples})")
    return Reading(f"{text} ({latency.source})", edges, target=target)


def _why(look: Look, name: str, whats: Collection[str]) -> str:
    """What the measurement itself said about its failure on a host."""
    host = host_of(look, name)
    names = {name, host.host if host else name}
    told = [gap.why for gap in look.measured.not_measured if gap.host in names and gap.what in whats]
    return f"no data: {told[0]}" if told else "no data: nothing was observed"


def health(look: Look, name: str) -> Reading:
    """The time of a linearizable read, as `endpoint health` measures it."""
    host = host_of(look, name)
    if host is None or host.status is None:
        return Reading(NOTHING, why=(host.status_error if host else "") or "does not answer")
    value = host.status.health_ms
    if value is None:
        return Reading(NOTHING, why=host.status.health_error or "the read failed")
    return Reading(ms(value), (value, value), target=limit.HEALTH_WARNING_MS)


def database(look: Look, name: str) -> Reading:
    """The size of the database file."""
    host = host_of(look, name)
    if host is None or host.status is None:
        return Reading(NOTHING, why=(host.status_error if host else "") or "does not answer")
    value = float(host.status.db_size)
    return Reading(size(value), (value, value))


def effective(look: Look, name: str) -> Reading:
    """The worst effective latency to any other host: average RTT + maximum jitter."""
    host = host_of(look, name)
    own = [p for p in look.measured.network if host and p.source_host == host.host]
    known = [p.effective_ms for p in own if p.effective_ms is not None]
    if not known:
        return Reading(NOTHING, why=_why(look, name, {"ping", "iperf3", "network"}))
    target = limit.HEARTBEAT_DEFAULT_MS * limit.RTT_AVG_PER_HEARTBEAT
    return Reading(ms(max(known)), (max(known), max(known)), target=target)


PER_HOST: Final[Mapping[str, Callable[[Look, str], Reading]]] = {
    "fsync p99": fsync,
    "health": health,
    "database": database,
    "effective latency": effective,
}
"""The table before/after, in this order; the cluster's `put p99` stands below it."""
