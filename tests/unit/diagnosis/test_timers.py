"""Timers that a network needs, and releases that must not be defragmented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.diagnosis.timers import Timers, proposed_timers
from remediate.diagnosis.versions import safe_to_defragment
from remediate.measure.model import NetworkPath


def path(rtt: float | None, jitter: float | None) -> NetworkPath:
    """A path of which only the average RTT and the maximum jitter matter."""
    return NetworkPath("n1", "n2", rtt, rtt, jitter, jitter, 0.0, 20, "ping")


@pytest.mark.parametrize(
    ("paths", "heartbeat", "election"),
    [
        ([], 100, 1000),
        ([path(None, None)], 100, 1000),
        ([path(0.3, 0.2)], 100, 1000),
        ([path(60.0, 39.9)], 100, 1000),
        ([path(60.0, 40.0)], 150, 1500),
        ([path(60.0, 60.0)], 150, 1500),
        ([path(120.0, 80.0)], 250, 2500),
        ([path(1.0, 1.0), path(180.0, 21.0)], 250, 2500),
        ([path(1200.0, 50.0)], 1300, 13000),
        ([path(3000.0, 1999.0)], 5000, 50000),
        ([path(9000.0, 9000.0)], 5000, 50000),
    ],
)
def test_proposed_timers(paths: list[NetworkPath], heartbeat: int, election: int) -> None:
    """Heartbeat above the effective latency in steps of 50 ms, election ten times that, at most 50 s."""
    assert proposed_timers(paths) == Timers(heartbeat, election)


def test_flags() -> None:
    """As the task takes them."""
    assert Timers(250, 2500).flags == {"heartbeat-interval": 250, "election-timeout": 2500}


@given(st.floats(0, 2000), st.floats(0, 2000))
def test_etcd_accepts_what_is_proposed(rtt: float, jitter: float) -> None:
    """Election at least five heartbeats and at most 50 s (config.go), heartbeat above the effective latency."""
    timers = proposed_timers([path(rtt, jitter)])
    assert timers.heartbeat_ms >= 100
    assert 5 * timers.heartbeat_ms <= timers.election_ms <= 50_000
    assert rtt + jitter < timers.heartbeat_ms
    assert timers.election_ms >= 10 * rtt


@pytest.mark.parametrize(
    ("version", "safe"),
    [("3.5.0", False), ("3.5.5", False), ("3.5.6", True), ("3.4.23", True), ("3.6.0", True), ("", False)],
)
def test_safe_to_defragment(version: str, safe: bool) -> None:
    """etcd#14733; a version that is not known is not called safe."""
    assert safe_to_defragment(version) is safe
