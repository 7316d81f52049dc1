"""fio's JSON as a latency."""

from __future__ import annotations

import json

import pytest

from remediate.measure.activity import Finished
from remediate.measure.fio import fio_activity, fio_latency
from remediate.measure.model import Latency, NotMeasured
from tests.unit.measure.data import captured


def latency(report: str) -> Latency:
    found = fio_latency(Finished(0, report, ""), "n1")
    assert isinstance(found, Latency)
    return found


def test_a_healthy_disk() -> None:
    assert latency(captured("fio-healthy-disk.json")) == Latency(0.618496, 17.432576, None, "fio", 10029)


def test_a_disk_with_40_operations_a_second_gives_fewer_samples_in_its_time() -> None:
    assert latency(captured("fio-slow-disk.json")) == Latency(98.041856, 123.20768, None, "fio", 235)


@pytest.mark.parametrize(
    ("p50_us", "p99_us", "p99_ms"),
    [
        (2147, 299893, 299.893),
        (1844, 5145, 5.145),
    ],  # two published reports: a slow virtual disk, a cloud volume
)
def test_published_reports(p50_us: int, p99_us: int, p99_ms: float) -> None:
    report = json.loads(captured("fio-healthy-disk.json"))
    percentile = report["jobs"][0]["sync"]["lat_ns"]["percentile"]
    percentile |= {"50.000000": p50_us * 1000, "99.000000": p99_us * 1000}
    found = latency(json.dumps(report))
    assert (found.p50_ms, found.p99_ms) == (p50_us / 1000, p99_ms)


def test_what_fio_says_before_its_report_is_skipped() -> None:
    noise = "fio: this platform does not support process shared mutexes\n"
    assert latency(noise + captured("fio-healthy-disk.json")).samples == 10029


def test_a_report_without_fdatasync_names_the_version_that_has_it() -> None:
    report = json.loads(captured("fio-healthy-disk.json"))
    del report["jobs"][0]["sync"]
    found = fio_latency(Finished(0, json.dumps(report), ""), "n1")
    assert isinstance(found, NotMeasured)
    assert "fio 3.5" in found.why


@pytest.mark.parametrize("out", ["", "no report", "{}", '{"jobs": []}', "{"])
def test_no_report_is_no_figure(out: str) -> None:
    assert isinstance(fio_latency(Finished(0, out, ""), "n1"), NotMeasured)


def test_a_failure_is_told_in_its_last_words() -> None:
    why = "less than 110 MiB free on the disk of /var/lib/etcd"
    assert fio_latency(Finished(71, "", f"noise\n{why}\n"), "n1") == NotMeasured("fio", "n1", why)


def test_the_load_is_etcds_profile() -> None:
    words = "--rw=write --ioengine=sync --fdatasync=1 --size=22m --bs=2300"
    assert words in fio_activity("/var/lib/etcd").load
