"""Every finding, with data on both sides of its thresholds."""

from __future__ import annotations

from typing import Any

import pytest

from remediate.diagnosis.model import Finding
from remediate.diagnosis.rules import FINDING_IDS, RULES, diagnose

from .cases import case_files, situation

CASES = list(case_files())


def shape(finding: Finding) -> tuple[str, str | None, str]:
    """What a case always tells of a finding."""
    return finding.id, finding.host, finding.severity.value


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES])
def test_case(case: dict[str, Any]) -> None:
    """Exactly these findings, in this order, with these figures and words."""
    found = diagnose(*situation(case["given"]))
    wanted = case["found"]
    assert [shape(f) for f in found] == [(w["id"], w.get("host"), w["severity"]) for w in wanted]
    for finding, want in zip(found, wanted, strict=True):
        assert finding.cluster == "lab"
        assert finding.source
        assert finding.source.startswith(want.get("source", ""))
        assert want.get("remedy", "") in (finding.remedy or "")
        if "figure" in want:
            assert finding.figure == pytest.approx(want["figure"])
        for words in want.get("says", ()):
            assert words in finding.message
        for words in want.get("never", ()):
            assert words not in finding.message
        assert "\n" not in finding.message


def test_every_rule_has_a_case_that_fires_and_one_that_does_not() -> None:
    """A rule without data on both sides is a rule that nobody tested."""
    fired = {finding["id"] for _, case in CASES for finding in case["found"]}
    assert fired == FINDING_IDS
    assert len(FINDING_IDS) == len(RULES)


def test_the_healthy_cluster_has_no_finding() -> None:
    """What every case starts from."""
    assert diagnose(*situation({})) == ()


def test_expected_flags_outrank_the_manifest() -> None:
    """Layouts that keep their flags elsewhere say them from outside."""
    cluster, measured = situation({})
    flags = {"data-dir": "/var/lib/etcd", "snapshot-count": "10000", "heartbeat-interval": "500"}
    found = diagnose(cluster, measured, expected_flags={"n1": flags})
    assert [(f.id, f.host) for f in found] == [("flags-not-live", "n1")]
