"""iperf3's report as a path, and the rounds in which hosts meet."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.measure.activity import Finished
from remediate.measure.iperf import iperf_path, rounds
from remediate.measure.model import NetworkPath, NotMeasured
from tests.unit.measure.data import captured

PING = NetworkPath("n1", "n2", 82.0, 100.0, 17.0, 35.0, 0.0, 20, "ping")


def test_jitter_at_the_server_without_the_first_second_and_the_stub_at_the_end() -> None:
    found = iperf_path(Finished(0, captured("iperf3-slow-network.json"), ""), "n1", "n2", PING)
    assert found == NetworkPath("n1", "n2", 82.0, 100.0, 7.014, 7.322, 0.0, 5, "iperf3")


def test_without_ping_there_is_jitter_and_no_effective_latency() -> None:
    found = iperf_path(Finished(0, captured("iperf3-slow-network.json"), ""), "n1", "n2", None)
    assert isinstance(found, NetworkPath)
    assert (found.rtt_avg_ms, found.effective_ms, found.jitter_max_ms) == (None, None, 7.322)


def test_a_refused_connection_is_the_reason() -> None:
    found = iperf_path(Finished(0, captured("iperf3-refused.json"), ""), "n1", "n2", PING)
    assert found == NotMeasured("iperf3", "n1", "to n2: unable to connect to server: Connection refused")


@pytest.mark.parametrize("out", ["", "{", "{}", '{"server_output_json": {"intervals": [], "end": {}}}'])
def test_half_a_report_is_no_path(out: str) -> None:
    assert isinstance(iperf_path(Finished(1, out, ""), "n1", "n2", PING), NotMeasured)


def test_a_stream_of_less_than_a_second_is_no_path() -> None:
    report = json.loads(captured("iperf3-slow-network.json"))
    del report["server_output_json"]["intervals"][1:]
    found = iperf_path(Finished(0, json.dumps(report), ""), "n1", "n2", PING)
    assert isinstance(found, NotMeasured)


@given(st.integers(min_value=0, max_value=12))
def test_every_two_hosts_meet_once_and_nobody_is_in_two_pairs_of_a_round(count: int) -> None:
    hosts = [f"n{number}" for number in range(count)]
    met = []
    for pairs in rounds(hosts):
        busy = [host for pair in pairs for host in pair]
        assert len(busy) == len(set(busy))
        met += [frozenset(pair) for pair in pairs]
    assert len(met) == len(set(met)) == count * (count - 1) // 2
