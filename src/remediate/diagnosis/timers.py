"""Heartbeat and election timeout: what the network needs. Pure; playbooks' variables use it too."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from remediate.diagnosis import thresholds as limit
from remediate.measure.model import NetworkPath


@dataclass(frozen=True, slots=True)
class Timers:
    """etcd's two timers, milliseconds."""

    heartbeat_ms: int
    election_ms: int

    @property
    def flags(self) -> dict[str, int]:
        """As `etcd_flags: {set: …}` takes them."""
        return {"heartbeat-interval": self.heartbeat_ms, "election-timeout": self.election_ms}


def worst_effective_ms(paths: Iterable[NetworkPath]) -> float | None:
    """The highest effective latency (average RTT + maximum jitter) of all paths, None where none is known."""
    return max((path.effective_ms for path in paths if path.effective_ms is not None), default=None)


def worst_rtt_ms(paths: Iterable[NetworkPath]) -> float | None:
    """The highest average RTT of all paths, None where none is known."""
    return max((path.rtt_avg_ms for path in paths if path.rtt_avg_ms is not None), default=None)


def proposed_timers(paths: Iterable[NetworkPath]) -> Timers:
    """The timers that these paths between members need; etcd's defaults where nothing was measured.

    Heartbeat: the next multiple of 50 ms above the worst effective latency, at least etcd's 100 ms.
    Election timeout: the more of 10 × heartbeat and 10 × RTT, at most 50 000 ms (etcd tuning, config.go).
    """
    paths = tuple(paths)
    effective, rtt = worst_effective_ms(paths) or 0.0, worst_rtt_ms(paths) or 0.0
    step = limit.HEARTBEAT_STEP_MS
    heartbeat = max(limit.HEARTBEAT_DEFAULT_MS, (math.floor(effective / step) + 1) * step)
    heartbeat = min(heartbeat, limit.ELECTION_MAX_MS // limit.ELECTION_PER_HEARTBEAT)
    election = max(limit.ELECTION_PER_HEARTBEAT * heartbeat, math.ceil(limit.ELECTION_PER_RTT * rtt))
    return Timers(heartbeat, min(election, limit.ELECTION_MAX_MS))
