"""The result tree: outcomes, exit codes, and the JSON document's contract."""

from __future__ import annotations

import json

import pytest

from remediate.diagnosis import diagnose
from remediate.engine.gates import Check
from remediate.engine.look import Look
from remediate.engine.result import (
    ChangeResult,
    GateResult,
    HostResult,
    Mode,
    NoopResult,
    Outcome,
    Problem,
    RunResult,
    State,
    exit_code,
)
from remediate.errors import ChangeFailed, Refused, Unreachable, UsageProblem
from remediate.task.base import Disrupts

from ..diagnosis.cases import situation

UNREACHABLE = Problem("n9 does not answer", Outcome.UNREACHABLE)
REFUSED = Problem("no terminal to ask on", Outcome.REFUSED)
FAILED = Problem("read again, it is not as planned")
USAGE = Problem.of(UsageProblem("two tasks want different values"))
ILL = {"hosts": {"n1": {"status": {"health_ms": 70.0}}}}
HINT = {"hosts": {"n1": {"disk": {"shared_with_root": True}}}}


def host(name: str, *states: State, problem: Problem | None = None) -> HostResult:
    """A host of cluster `lab` with changes in these states."""
    return HostResult(name, "lab", tuple(ChangeResult("t", "s", state) for state in states), problem=problem)


def gate(when: str, *, passed: bool = False, cluster: str = "lab") -> GateResult:
    """A gate's last word."""
    return GateResult("n1", cluster, when, passed, 0.0)


def looks(given: dict[str, object]) -> tuple[Look, ...]:
    """One look with its findings."""
    cluster, measured = situation(given)
    return (Look(cluster, measured, diagnose(cluster, measured)),)


@pytest.mark.parametrize(
    ("mode", "facts", "outcome", "code"),
    [
        (Mode.APPLY, {}, "unchanged", 0),
        (Mode.APPLY, {"hosts": (host("n1"),)}, "unchanged", 0),
        (Mode.APPLY, {"hosts": (host("n1", State.APPLIED), host("n2"))}, "changed", 0),
        (Mode.APPLY, {"hosts": (host("n1", State.APPLIED), host("n2", State.PENDING))}, "pending", 1),
        (Mode.APPLY, {"hosts": (host("n1", State.APPLIED, State.FAILED),)}, "failed", 1),
        (Mode.APPLY, {"hosts": (host("n1", State.HELD),)}, "failed", 1),
        (Mode.APPLY, {"hosts": (host("n1", State.UNDONE),)}, "failed", 1),
        (Mode.ROLLBACK, {"hosts": (host("n1", State.UNDONE),)}, "changed", 0),
        (Mode.ROLLBACK, {"hosts": (host("n1", State.HELD),)}, "failed", 1),
        (Mode.APPLY, {"hosts": (host("n1", problem=FAILED),)}, "failed", 1),
        (Mode.APPLY, {"hosts": (host("n1"), host("n9", problem=UNREACHABLE))}, "unreachable", 3),
        (
            Mode.APPLY,
            {"hosts": (host("n1", State.APPLIED), host("n9", problem=UNREACHABLE))},
            "unreachable",
            3,
        ),
        (Mode.APPLY, {"hosts": (host("n1", problem=REFUSED), host("n9", problem=UNREACHABLE))}, "refused", 4),
        (Mode.APPLY, {"hosts": (host("n1", problem=FAILED), host("n2", problem=REFUSED))}, "failed", 1),
        (Mode.APPLY, {"problem": REFUSED, "hosts": (host("n1", State.PENDING),)}, "refused", 4),
        (Mode.APPLY, {"problem": USAGE}, "refused", 2),
        (Mode.APPLY, {"hosts": (host("n1", problem=USAGE), host("n2", problem=REFUSED))}, "refused", 2),
        (Mode.APPLY, {"problem": USAGE, "hosts": (host("n1", State.FAILED),)}, "failed", 1),
        (Mode.CHECK, {"hosts": (host("n1"),)}, "unchanged", 0),
        (Mode.CHECK, {"hosts": (host("n1", State.PENDING),)}, "pending", 5),
        (
            Mode.CHECK,
            {"hosts": (host("n1", State.PENDING), host("n9", problem=UNREACHABLE))},
            "unreachable",
            3,
        ),
        (Mode.CHECK, {"before": looks(ILL)}, "unchanged", 0),
        (Mode.DIAGNOSE, {"before": looks({})}, "unchanged", 0),
        (Mode.DIAGNOSE, {"before": looks(HINT)}, "unchanged", 0),
        (Mode.DIAGNOSE, {"before": looks(ILL)}, "unchanged", 5),
        (
            Mode.DIAGNOSE,
            {"before": looks(ILL), "hosts": (host("n9", problem=UNREACHABLE),)},
            "unreachable",
            3,
        ),
        (Mode.APPLY, {"gates": (gate("before", passed=True),)}, "unchanged", 0),
        (Mode.APPLY, {"gates": (gate("before"),)}, "refused", 4),
        (Mode.APPLY, {"gates": (gate("before"),), "hosts": (host("n1", State.APPLIED),)}, "failed", 1),
        (
            Mode.APPLY,
            {"gates": (gate("before", cluster="b"),), "hosts": (host("n1", State.APPLIED),)},
            "refused",
            4,
        ),
        (Mode.APPLY, {"gates": (gate("after"),)}, "failed", 1),
        (
            Mode.APPLY,
            {"interrupted": True, "hosts": (host("n1", State.APPLIED, State.PENDING),)},
            "pending",
            130,
        ),
        (Mode.APPLY, {"interrupted": True, "hosts": (host("n1", State.UNDONE),)}, "failed", 1),
        (Mode.APPLY, {"interrupted": True, "hosts": (host("n1", State.HELD),)}, "failed", 1),
        (Mode.APPLY, {"interrupted": True, "hosts": (host("n1", State.FAILED),)}, "failed", 1),
    ],
)
def test_outcome_and_exit_code(mode: Mode, facts: dict[str, object], outcome: str, code: int) -> None:
    """1 outranks 4, 4 outranks 3, 3 outranks 5; 130 only where nothing is broken."""
    result = RunResult("r", "incident", "lab", mode, 1.0, **facts)  # type: ignore[arg-type]
    assert (result.outcome.value, exit_code(result)) == (outcome, code)
    assert result.to_json()["exit_code"] == code


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ChangeFailed("x", where="n1", hint="y"), Outcome.FAILED),
        (Refused("x", where="n1", hint="y"), Outcome.REFUSED),
        (Unreachable("x", where="n1", hint="y"), Outcome.UNREACHABLE),
    ],
)
def test_problem_of_an_error(error: Refused, outcome: Outcome) -> None:
    """The whole line of the error, and the outcome that its exit code stands for."""
    assert Problem.of(error) == Problem("n1: x (y)", outcome)


def test_the_document_keeps_its_contract() -> None:
    """Keys and types that scripts rely on (DESIGN), with IDs as hexadecimal strings."""
    fsync = {
        "n1": {"p50_ms": None, "p99_ms": None, "p99_bucket_ms": [8, None], "source": "etcd", "samples": 7}
    }
    put = {"p50_ms": 2.0, "p99_ms": 9.0, "p99_bucket_ms": None, "source": "probe", "samples": 100}
    path = {
        "source_host": "n1", "target_host": "n2", "rtt_avg_ms": 1.0, "rtt_max_ms": 2.0, "jitter_avg_ms": 0.5,
        "jitter_max_ms": 3.0, "loss": 0.0, "samples": 20, "source": "ping",
    }  # fmt: skip
    before = looks(
        {
            "hosts": {
                "n2": {
                    "instance": "etcd-events",
                    "status": {"alarms": [{"member_id": 0xB2, "kind": "NOSPACE"}]},
                },
                "n3": {"process": None, "status": None, "status_error": "connection refused"},
            },
            "measured": {
                "fsync": fsync,
                "put": put,
                "network": [path],
                "leader_changes": {"n1": 2},
                "not_measured": [{"what": "fio", "host": "n1", "why": "w"}],
            },
        }
    )
    change = ChangeResult("Timers", "flag x: 1 → 2", State.APPLIED, "-a\n+b\n", Disrupts.RESTART)
    result = RunResult(
        "20261122-1", "incident", "inventory/lab.yml", Mode.APPLY, 1.23456,
        hosts=(HostResult("n1", "lab", (change,), (NoopResult("Kernel", "is so already"),), Problem("why")),),
        gates=(GateResult("n1", "lab", "before", True, 0.12345, (Check("a leader", True, "n2"),)),),
        before=before, after=before,
    )  # fmt: skip
    document = json.loads(json.dumps(result.to_json()))
    assert {key: document[key] for key in ("run", "playbook", "inventory", "mode", "outcome", "seconds")} == {
        "run": "20261122-1",
        "playbook": "incident",
        "inventory": "inventory/lab.yml",
        "mode": "apply",
        "outcome": "failed",
        "seconds": 1.235,
    }
    assert document["hosts"]["n1"] == {
        "outcome": "failed",
        "error": "why",
        "changes": [
            {
                "task": "Timers",
                "summary": "flag x: 1 → 2",
                "state": "applied",
                "diff": "-a\n+b\n",
                "disrupts": "restarts a member",
            }
        ],
        "noops": [{"task": "Kernel", "why": "is so already"}],
    }
    measured = document["measurements"]
    assert measured["fsync"] == fsync
    assert measured["put"] == put
    assert measured["commit"] == {}
    assert measured["network"][0] == {
        "from": "n1", "to": "n2", "rtt_avg_ms": 1.0, "rtt_max_ms": 2.0, "jitter_avg_ms": 0.5, "jitter_max_ms": 3.0,
        "effective_ms": 4.0, "loss": 0.0, "samples": 20, "source": "ping",
    }  # fmt: skip
    assert measured["not_measured"] == [{"what": "fio", "host": "n1", "why": "w"}]
    etcd = measured["etcd"]
    assert set(etcd) == {"n1", "n2/etcd-events", "n3"}
    assert etcd["n1"]["member_id"] == "a1"
    assert etcd["n1"]["leader"] == "a1"
    assert etcd["n1"]["cluster_id"] == "cdf818194e3a8c32"
    assert etcd["n1"]["leader_changes"] == 2
    assert etcd["n1"]["fragmentation"] == 0.0463
    assert etcd["n2/etcd-events"]["alarms"] == [{"member_id": "b2", "kind": "NOSPACE"}]
    assert etcd["n3"]["version"] is None
    assert etcd["n3"]["error"] == "connection refused"
    assert etcd["n1"]["error"] is None
    assert set(etcd["n3"]) == set(etcd["n1"])
    assert document["gates"] == [
        {
            "host": "n1",
            "when": "before",
            "passed": True,
            "seconds": 0.123,
            "checks": [{"name": "a leader", "passed": True, "detail": "n2"}],
        }
    ]
    first = document["findings"][0]
    assert set(first) >= {"id", "host", "severity", "message", "remedy", "source"}
    assert first["severity"] == "critical"
    assert document["before"] == document["after"] == measured


def test_why_a_member_is_not_healthy_is_its_error() -> None:
    """It answers, and cannot read."""
    given = {"hosts": {"n1": {"status": {"health_ms": None, "health_error": "deadline exceeded"}}}}
    document = RunResult("r", "diagnose", "lab", Mode.DIAGNOSE, 1.0, before=looks(given)).to_json()
    assert document["measurements"]["etcd"]["n1"]["error"] == "deadline exceeded"


def test_before_and_after_are_null_where_nothing_was_changed() -> None:
    """`measurements` is then the only look."""
    document = RunResult("r", "diagnose", "lab", Mode.DIAGNOSE, 1.0, before=looks({})).to_json()
    assert document["before"] is None
    assert document["after"] is None
    assert set(document["measurements"]["etcd"]) == {"n1", "n2", "n3"}


def test_puts_of_several_clusters_are_told_apart() -> None:
    """One `put` would have to be one of them."""
    put = {"p50_ms": 2.0, "p99_ms": 9.0, "p99_bucket_ms": None, "source": "probe", "samples": 100}
    both = (
        *looks({"measured": {"put": put}}),
        *looks({"name": "other", "measured": {"put": put | {"p99_ms": 7.0}}}),
    )
    measured = RunResult("r", "diagnose", "lab", Mode.DIAGNOSE, 1.0, before=both).to_json()["measurements"]
    assert measured["put"] is None
    assert {name: value["p99_ms"] for name, value in measured["puts"].items()} == {"lab": 9.0, "other": 7.0}
