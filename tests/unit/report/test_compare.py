"""Before against after, as data: never kinder than what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from remediate.diagnosis import diagnose
from remediate.engine.look import Look
from remediate.report.compare import compare

from ..diagnosis.cases import situation

CASES = yaml.safe_load((Path(__file__).parents[2] / "data/report/compare.yml").read_text(encoding="utf-8"))


def look(given: dict[str, Any]) -> Look:
    """A look at the healthy cluster with these differences."""
    cluster, measured = situation(given)
    return Look(cluster, measured, diagnose(cluster, measured))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    """Exactly these verdicts, with these words, and these rows of the table."""
    found = compare(look(case["before"]), look(case["after"]))
    judged = {f"{one.finding.id} {one.finding.host or ''}".strip(): one for one in found.judged}
    assert {key: one.verdict.value for key, one in judged.items()} == {
        key: words[0] for key, words in case["verdicts"].items()
    }
    for key, (_, *words) in case["verdicts"].items():
        for word in words:
            assert word in f"{judged[key].why} / {judged[key].needs}"
    rows = {f"{row.what} {row.where}": [row.before, row.after, row.change] for row in found.rows}
    for key, row in case.get("rows", {}).items():
        assert rows[key] == row


def test_every_host_has_every_row() -> None:
    """What is missing is shown as missing."""
    found = compare(look({}), look({}))
    assert [(row.what, row.where) for row in found.rows] == [
        *(
            (what, host)
            for what in ("fsync p99", "health", "database", "effective latency")
            for host in ("n1", "n2", "n3")
        ),
        ("put p99", "cluster"),
    ]
