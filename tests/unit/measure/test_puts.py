"""curl's lines as a latency."""

from __future__ import annotations

import base64
import json
import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.measure.activity import Finished
from remediate.measure.model import Latency, NotMeasured
from remediate.measure.puts import put_latency, puts_activity, quantile


def test_the_connection_s_first_moments_do_not_count() -> None:
    out = "200 0.009375 0.013441\n200 0.000125 0.001538\n200 0.000121 0.001574"
    assert put_latency(Finished(0, out, ""), "n1") == Latency(1.453, 4.066, None, "probe", 3)


def test_what_was_had_when_the_time_was_over_counts() -> None:
    out = "200 0.010 0.710\n200 0.000 0.700\n200 0.0"
    assert put_latency(Finished(0, out, ""), "n1") == Latency(700.0, 700.0, None, "probe", 2)


def test_refused_puts_are_no_latency_and_the_answer_is_the_reason() -> None:
    said = '{"error":"etcdserver: mvcc: database space exceeded","code":8}'
    found = put_latency(Finished(0, "503 0.010 0.011\n503 0.000 0.001", said), "n1")
    assert found == NotMeasured("puts", "n1", f"no put was acknowledged: {said}")


@pytest.mark.parametrize("line", ["", "000", "200", "noise 200 1 2", "200 a b c"])
def test_noise_is_no_put(line: str) -> None:
    assert isinstance(put_latency(Finished(0, line, "curl: (7) refused"), "n1"), NotMeasured)


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1), st.sampled_from([0.5, 0.99, 1.0]))
def test_a_quantile_is_an_observed_value_that_enough_values_do_not_exceed(
    values: list[float], share: float
) -> None:
    ordered = sorted(values)
    found = quantile(ordered, share)
    assert found in values
    assert sum(value <= found for value in ordered) >= share * len(ordered)
    assert sum(value < found for value in ordered) < share * len(ordered)


def test_what_is_erased_is_the_run_s_prefix_and_nothing_beside_it() -> None:
    load = puts_activity("etcd", "run-7", "").load
    body, erase = (json.loads(shlex.split(match)[0]) for match in re.findall(r"(?:body|erase)=('.*?')", load))
    key, start, end = (base64.b64decode(text) for text in (body["key"], erase["key"], erase["range_end"]))
    assert start == b"remediate/probe/run-7/"
    assert start <= key < end
    assert not start <= b"remediate/probe/run-70/put" < end
