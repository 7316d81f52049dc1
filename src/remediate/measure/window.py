"""etcd's own view of its disk: two scrapes of its metrics in one exec, and what happened between them.

The histograms count since the process started and their buckets double, so a figure for now is the difference of two
scrapes, and p99 is a bucket, not a number (FIELD-NOTES, traps).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import ClassVar

from remediate.etcd.parse import reason
from remediate.facts.base import Fact, FactError, Frame
from remediate.facts.blocks import Block, blocks, servers
from remediate.measure.hints import how_to_install
from remediate.measure.model import Latency, Rates
from remediate.node.shell import sh

FSYNC = "etcd_disk_wal_fsync_duration_seconds"
COMMIT = "etcd_disk_backend_commit_duration_seconds"

_HAS_LEADER = "etcd_server_has_leader{}"
_LEADER_CHANGES = "etcd_server_leader_changes_seen_total{}"

LONGEST_S = 30
"""Seconds; a look must not last longer than its own time-out."""

_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?")
_EDGE = re.compile(r'[{,]le="([^"]+)"')


@dataclass(frozen=True, slots=True)
class MetricsWindow:
    """One member between two scrapes.

    Attributes:
        instance: as in EtcdProcess.
        fsync: of its log; no samples where nothing was synced.
        commit: of its database.
        rates: what went wrong meanwhile.
        error: why there are no figures: no answer, or the process was a new one at the end. Empty where there are.
    """

    instance: str
    fsync: Latency | None = None
    commit: Latency | None = None
    rates: Rates | None = None
    error: str = ""


@dataclass(frozen=True)
class EtcdMetricsWindow(Fact[tuple[MetricsWindow, ...]]):
    """The local servers' metrics over some seconds.

    Attributes:
        seconds: between the two scrapes, 0…30.
    """

    seconds: int = 10
    needs: ClassVar[tuple[str, ...]] = ("etcd", "etcdctl")
    timeout: ClassVar[int] = LONGEST_S + 15

    def __post_init__(self) -> None:
        """Refuse a window that outlasts the look. Raises ValueError."""
        if not 0 <= self.seconds <= LONGEST_S:
            raise ValueError(f"a window of {self.seconds} s; 0 to {LONGEST_S} are possible")

    def probe(self) -> str:
        """Scrape every server, wait, scrape again; only the series that are judged leave the node."""
        return _script() + sh("window_scrape before; sleep {}; window_scrape after\n", self.seconds)

    def parse(self, frame: Frame) -> tuple[MetricsWindow, ...]:
        """One window per server. Raises FactError where the node lacks curl."""
        _require_curl(frame.out)
        scrapes: dict[str, dict[str, Block]] = {}
        for _, instance, parts in servers(frame.out):
            scrapes.setdefault(instance, {}).update((part.name, part) for part in parts)
        return tuple(_window(instance, both) for instance, both in scrapes.items())


@dataclass(frozen=True)
class LeadersSeen(Fact[Mapping[str, "tuple[bool, int]"]]):
    """By instance: whether the local server has a leader now, and how often it saw one change. Asks no quorum."""

    needs: ClassVar[tuple[str, ...]] = ("etcd", "etcdctl")
    timeout: ClassVar[int] = 10

    def probe(self) -> str:
        """Scrape every server once."""
        return _script() + "window_scrape now\n"

    def parse(self, frame: Frame) -> Mapping[str, tuple[bool, int]]:
        """Servers that do not answer are left out. Raises FactError where the node lacks curl."""
        _require_curl(frame.out)
        found = ((name, dict(_samples(part.text))) for _, name, parts in servers(frame.out) for part in parts)
        return {
            name: (values[_HAS_LEADER] > 0, round(values.get(_LEADER_CHANGES, 0)))
            for name, values in found
            if _HAS_LEADER in values
        }


def _script() -> str:
    return files("remediate.measure").joinpath("window.sh").read_text("utf-8")


def _require_curl(out: str) -> None:
    for block in blocks(out):
        if block.name == "missing":
            program, *identifiers = block.words
            hint = how_to_install(program, " ".join(identifiers))
            raise FactError(f"{program} is not installed: {hint}")


def _window(instance: str, scrapes: Mapping[str, Block]) -> MetricsWindow:
    if len(scrapes) < 2:
        return MetricsWindow(instance, error="it ended while its metrics were watched")
    texts = scrapes["before"].text, scrapes["after"].text
    before, after = (dict(_samples(text)) for text in texts)
    silent = next((text for text, found in zip(texts, (before, after), strict=True) if len(found) < 2), None)
    if silent is not None:
        return MetricsWindow(instance, error=f"its metrics cannot be read: {reason(_without_uptime(silent))}")
    return between(instance, before, after)


def _without_uptime(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("node_uptime"))


def _samples(text: str) -> Iterator[tuple[str, float]]:
    """Value by series, in Prometheus' text format; lines that are something else are skipped."""
    for line in text.splitlines():
        match = _SAMPLE.fullmatch(line)
        if match:
            try:
                yield f"{match[1]}{{{match[2] or ''}}}", float(match[3])
            except ValueError:
                continue


def between(instance: str, before: Mapping[str, float], after: Mapping[str, float]) -> MetricsWindow:
    """What happened between two scrapes, given as value by series (`name{labels}`)."""
    if _restarted(before, after):
        return MetricsWindow(instance, error="it was restarted while its metrics were watched")

    def grown(series: str) -> int:
        return round(after.get(series, 0.0) - before.get(series, 0.0))

    rates = Rates(
        seconds=after["node_uptime{}"] - before["node_uptime{}"],
        leader_changes=grown(_LEADER_CHANGES),
        failed_proposals=grown("etcd_server_proposals_failed_total{}"),
        slow_applies=grown("etcd_server_slow_apply_total{}"),
        slow_reads=grown("etcd_server_slow_read_indexes_total{}"),
        heartbeat_failures=grown("etcd_server_heartbeat_send_failures_total{}"),
    )
    return MetricsWindow(instance, _latency(FSYNC, before, after), _latency(COMMIT, before, after), rates)


def _restarted(before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    """Another start time, beyond what a corrected clock does to it, or a histogram that has fallen."""
    started = "process_start_time_seconds{}"
    fallen = any(after.get(series, 0.0) < count for series, count in before.items() if _is_bucket(series))
    return fallen or abs(after.get(started, 0.0) - before.get(started, 0.0)) > 1


def _is_bucket(series: str) -> bool:
    return series.startswith((f"{FSYNC}_bucket", f"{COMMIT}_bucket"))


def _latency(name: str, before: Mapping[str, float], after: Mapping[str, float]) -> Latency:
    """The bucket that holds p99 of what was observed between two scrapes; milliseconds."""
    buckets = _grown(name, before, after)
    samples = buckets[-1][1] if buckets else 0
    if samples == 0:
        return Latency(None, None, None, "etcd", 0)
    holder = next(n for n, (_, count) in enumerate(buckets) if count >= math.ceil(0.99 * samples))
    lower = buckets[holder - 1][0] if holder else 0.0
    upper = buckets[holder][0]
    return Latency(None, None, (lower, None if math.isinf(upper) else upper), "etcd", samples)


def _grown(name: str, before: Mapping[str, float], after: Mapping[str, float]) -> list[tuple[float, int]]:
    """Upper edge in milliseconds, and how many observations up to there came between two scrapes; by edge."""
    found = []
    for series, count in after.items():
        edge = _EDGE.search(series) if series.startswith(f"{name}_bucket") else None
        if edge:
            found.append((1000 * float(edge[1]), round(count - before.get(series, 0.0))))
    return sorted(found)
