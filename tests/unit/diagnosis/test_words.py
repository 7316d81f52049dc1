"""How figures are written for people."""

from __future__ import annotations

import pytest

from remediate.diagnosis.case import ms, size
from remediate.diagnosis.disk import shown
from remediate.measure.model import Latency


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 ms"),
        (0.44, "0.4 ms"),
        (9.96, "10.0 ms"),
        (5, "5 ms"),
        (10.0, "10 ms"),
        (65.66, "65.7 ms"),
        (100.4, "100 ms"),
        (10.4, "10.4 ms"),
        (1234.5, "1234 ms"),
    ],
)
def test_milliseconds(value: float, text: str) -> None:
    """One decimal below 100 ms, none above."""
    assert ms(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (104857600, "100 MiB"),
        (2**31, "2.0 GiB"),
        (2**43, "8192.0 GiB"),
    ],
)
def test_sizes(value: int, text: str) -> None:
    """Powers of 1024."""
    assert size(value) == text


@pytest.mark.parametrize(
    ("latency", "text"),
    [
        (Latency(None, None, (8.0, 16.0), "etcd", 312), "8–16 ms (etcd, 312 samples)"),
        (Latency(None, None, (0.5, 1.0), "etcd", 1), "0.5–1 ms (etcd, 1 samples)"),
        (Latency(None, None, (8192.0, None), "etcd", 2), "above 8192 ms (etcd, 2 samples)"),
        (Latency(1.0, 12.4, None, "fio", 9000), "12.4 ms (fio, 9000 samples)"),
        (Latency(None, None, None, "etcd", 0), "no data"),
        (Latency(None, None, (8.0, 16.0), "etcd", 0), "no data"),
    ],
)
def test_p99(latency: Latency, text: str) -> None:
    """A bucket is told as its edges; without observations there is nothing to tell."""
    assert shown(latency) == text
