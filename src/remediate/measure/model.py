"""What measurements yield; the JSON document's `measurements` are these values (DESIGN, contracts)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Latency:
    """A latency distribution.

    Attributes:
        p50_ms, p99_ms: milliseconds; None from etcd's histogram, which only knows buckets.
        p99_bucket_ms: edges of the bucket that holds p99, upper edge None for +Inf; None from exact sources.
        source: `etcd`, `fio`, `probe` or `apiserver`.
        samples: observations in the window.
    """

    p50_ms: float | None
    p99_ms: float | None
    p99_bucket_ms: tuple[float, float | None] | None
    source: str
    samples: int


@dataclass(frozen=True, slots=True)
class NetworkPath:
    """One ordered pair of nodes; milliseconds, loss 0…1.

    `jitter` is the difference of successive round-trip times; `effective_ms` = average RTT + maximum jitter (OKD).
    """

    source_host: str
    target_host: str
    rtt_avg_ms: float | None
    rtt_max_ms: float | None
    jitter_avg_ms: float | None
    jitter_max_ms: float | None
    loss: float | None
    samples: int
    source: str

    @property
    def effective_ms(self) -> float | None:
        """Average RTT plus maximum jitter."""
        if self.rtt_avg_ms is None or self.jitter_max_ms is None:
            return None
        return round(self.rtt_avg_ms + self.jitter_max_ms, 3)


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """What could not be measured, where, why, and how to make it possible (`apt-get install fio`)."""

    what: str
    host: str
    why: str


@dataclass(frozen=True, slots=True)
class Rates:
    """What went wrong in a member while its metrics were watched.

    Attributes:
        seconds: how long it was watched.
        leader_changes: times that it saw the leader change.
        failed_proposals: writes that the cluster did not take.
        slow_applies: writes that took longer than 100 ms to apply (etcd, "apply request took too long").
        slow_reads: linearizable reads that waited too long for the leader.
        heartbeat_failures: heartbeats that it could not send in time as the leader.
    """

    seconds: float
    leader_changes: int
    failed_proposals: int
    slow_applies: int
    slow_reads: int
    heartbeat_failures: int

    def per_second(self, count: int) -> float:
        """A count of this window as a rate."""
        return count / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Measurements:
    """One side (before or after) of a run. Keys are `EtcdHost.name`.

    A latency without samples says that there was nothing to measure: an idle member, or one that does not sync.
    """

    fsync: Mapping[str, Latency] = field(default_factory=dict)
    commit: Mapping[str, Latency] = field(default_factory=dict)
    put: Latency | None = None
    network: tuple[NetworkPath, ...] = ()
    not_measured: tuple[NotMeasured, ...] = ()
    leader_changes: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[str, Rates] = field(default_factory=dict)
