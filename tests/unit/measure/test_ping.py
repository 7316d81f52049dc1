"""Ping's lines as paths."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.lab.forwarder import DELAYS_MS
from remediate.measure.activity import Finished
from remediate.measure.model import NetworkPath, NotMeasured
from remediate.measure.ping import COUNT, ping_activity, ping_path, ping_paths
from tests.unit.measure.data import captured


def path(name: str) -> NetworkPath:
    found = ping_path(captured(name), "n1", "n2")
    assert isinstance(found, NetworkPath)
    return found


def test_a_lan_without_the_first_answer_that_waited_for_the_hardware_address() -> None:
    assert path("ping-lan.txt") == NetworkPath(
        source_host="n1",
        target_host="n2",
        rtt_avg_ms=0.065,
        rtt_max_ms=0.076,
        jitter_avg_ms=0.011,
        jitter_max_ms=0.022,
        loss=0.0,
        samples=4,
        source="ping",
    )


def test_a_slow_network_gives_the_figures_of_its_delays() -> None:
    found = path("ping-slow-network.txt")
    jitter = [abs(after - before) for before, after in pairwise(DELAYS_MS)]
    assert found.rtt_avg_ms == pytest.approx(fmean(DELAYS_MS), rel=0.02)
    assert found.rtt_max_ms == pytest.approx(max(DELAYS_MS), rel=0.02)
    assert found.jitter_max_ms == pytest.approx(max(jitter), rel=0.05)
    assert found.jitter_avg_ms == pytest.approx(fmean([*jitter, 12]), rel=0.05)  # 82 → 70 around the cycle
    assert found.effective_ms == pytest.approx(fmean(DELAYS_MS) + max(jitter), rel=0.02)


def test_lost_packets_count_and_jitter_goes_over_the_gap() -> None:
    found = path("ping-loss.txt")
    assert found.loss == pytest.approx(5 / 21)
    assert found.samples == 15
    assert found.jitter_max_ms == 0.017


def test_busybox_counts_from_zero() -> None:
    found = path("ping-busybox.txt")
    assert (found.samples, found.rtt_max_ms, found.jitter_max_ms) == (3, 0.072, 0.015)


def test_a_host_that_never_answers_is_a_path_with_nothing_but_loss() -> None:
    found = path("ping-unreachable.txt")
    assert (found.loss, found.samples) == (1.0, 0)
    assert found.rtt_avg_ms is found.rtt_max_ms is found.jitter_avg_ms is found.jitter_max_ms is None
    assert found.effective_ms is None


def test_an_answer_that_comes_twice_or_late_counts_once_and_in_order() -> None:
    lines = [
        "64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=9.0 ms",
        "64 bytes from 10.0.0.2: icmp_seq=3 ttl=64 time=4.0 ms",
        "64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=300 ms",
        "64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=700 ms (DUP!)",
        "64 bytes from 10.0.0.2: icmp_seq=4 ttl=64 time=5.0 ms",
        "4 packets transmitted, 4 received, +1 duplicates, 0% packet loss, time 2002ms",
    ]
    found = ping_path("\n".join(lines), "n1", "n2")
    assert isinstance(found, NetworkPath)
    assert (found.rtt_avg_ms, found.jitter_avg_ms, found.loss) == (103.0, 148.5, 0.0)


@pytest.mark.parametrize("line", captured("ping-errors.txt").splitlines())
def test_what_ping_complains_about_is_the_reason(line: str) -> None:
    assert ping_path(line, "n1", "n2") == NotMeasured("ping", "n1", f"to n2: {line}")


def test_the_series_of_one_node_are_told_apart() -> None:
    out = f"path 0\n{captured('ping-lan.txt')}path 1\n{captured('ping-loss.txt')}"
    paths = ping_paths(Finished(0, out.rstrip("\n"), ""), "n1", ["n2", "n3"])
    assert [(p.source_host, p.target_host, p.samples) for p in paths if isinstance(p, NetworkPath)] == [
        ("n1", "n2", 4),
        ("n1", "n3", 15),
    ]


def test_output_that_ends_early_is_no_path() -> None:
    gap = ping_paths(Finished(2, "path 0\n", "sh: cannot fork"), "n1", ["n2", "n3"])
    assert gap == [NotMeasured("ping", "n1", "sh: cannot fork")]


@given(st.lists(st.floats(min_value=0.01, max_value=5000), min_size=2, max_size=COUNT))
def test_effective_latency_is_never_below_the_average_nor_above_what_was_seen(times: list[float]) -> None:
    lines = [f"64 bytes from ::1: icmp_seq={n} ttl=64 time={ms:.3f} ms" for n, ms in enumerate(times, 1)]
    found = ping_path("\n".join([*lines, f"{len(times)} packets transmitted, …"]), "n1", "n2")
    assert isinstance(found, NetworkPath)
    assert found.rtt_avg_ms is not None
    assert found.rtt_max_ms is not None
    assert found.samples == len(times) - 1
    assert found.rtt_avg_ms <= found.rtt_max_ms + 0.001
    if found.jitter_max_ms is not None and found.jitter_avg_ms is not None:
        assert found.jitter_avg_ms <= found.jitter_max_ms + 0.001
        assert found.jitter_max_ms <= max(times[1:]) - min(times[1:]) + 0.002


def test_an_address_reaches_ping_as_one_word_behind_the_options() -> None:
    load = ping_activity({"n2": "-f; reboot"}, "run").load
    assert "-- '-f; reboot' >0" in load
