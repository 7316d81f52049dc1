"""Medians, bounds, and the verdict."""

from __future__ import annotations

import pytest

from comparison.result import Comparison, Series, Size, Verdict


def comparison(
    hosts: int, floor: float, ours: float, *, version: float = 0.1, peak: float = 60.0
) -> Comparison:
    series = {
        "floor": Series((floor, floor * 9, floor * 0.5), 40.0),
        "remediate": Series((ours * 0.5, ours, ours * 9), peak),
        "pyinfra": Series((floor * 3,), 70.0),
    }
    return Comparison({}, Series((version,), 20.0), (Size(hosts, series),))


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (comparison(3, 0.5, 0.8), Verdict.MET),
        (comparison(3, 0.5, 0.801), Verdict.MISSED),
        (comparison(30, 1.0, 1.5), Verdict.MET),
        (comparison(30, 1.0, 1.501), Verdict.MISSED),
        (comparison(100, 2.0, 3.0), Verdict.MET),
        (comparison(100, 2.0, 3.002), Verdict.MISSED),
        (comparison(100, 2.0, 2.0, version=0.201), Verdict.MISSED),
        (comparison(100, 2.0, 2.0, peak=80.0), Verdict.MET),
        (comparison(100, 2.0, 2.0, peak=80.1), Verdict.MISSED),
        (comparison(300, 2.0, 2.0, peak=80.1), Verdict.MET),
        (comparison(100, 5.0, 5.0), Verdict.MET),
        (comparison(100, 5.01, 5.01), Verdict.VOID),
        (comparison(100, 5.01, 50.0), Verdict.VOID),
        (comparison(300, 9.0, 9.0), Verdict.MET),
    ],
)
def test_verdict(found: Comparison, verdict: Verdict) -> None:
    assert found.verdict is verdict
    assert found.document()["verdict"] == verdict.value


def test_only_kept_bounds_end_with_0() -> None:
    assert [verdict.exit_code for verdict in Verdict] == [0, 1, 3]


def test_the_table_tells_what_was_missed_and_what_is_void() -> None:
    missed = comparison(30, 1.0, 1.75).table()
    assert "MISSED remediate / floor at 30 hosts: 1.750, at most 1.5" in missed
    assert "remediate   1.75 s   1.75 ×" in missed
    assert "pyinfra     3.00 s   3.00 ×   70 MB" in missed
    assert "void: the floor took 6.0 s at 100 hosts" in comparison(100, 6.0, 6.0).table()


def test_the_document_has_every_round() -> None:
    document = comparison(30, 1.0, 1.4).document()
    [size] = document["sizes"]
    ours = size["contenders"]["remediate"]
    assert ours["seconds"] == [0.7, 1.4, 12.6]
    assert (ours["median_s"], ours["ratio"], ours["peak_mb"]) == (1.4, 1.4, 60.0)
    assert document["void"] is None
    assert all(bound["met"] for bound in document["bounds"])
