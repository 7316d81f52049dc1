"""A run as the engine tells it: a sick cluster, one change that holds, one that is taken back, one never tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from remediate.diagnosis import diagnose
from remediate.engine import events
from remediate.engine.gates import Check
from remediate.engine.look import Look
from remediate.engine.result import (
    ChangeResult,
    HostResult,
    Mode,
    NoopResult,
    Outcome,
    Problem,
    RunResult,
    State,
)
from remediate.task.base import Disrupts

from ..diagnosis.cases import situation

HOSTS = ("n1", "n2", "n3")
RUN = ("20261122-031200-ab12", "incident", "inventory/lab.yml")
DIFF = """\
--- /etc/kubernetes/manifests/etcd.yaml
+++ /etc/kubernetes/manifests/etcd.yaml
@@ -14,6 +14,8 @@
     - --data-dir=/var/lib/etcd
+    - --auto-compaction-mode=periodic
+    - --auto-compaction-retention=1h
-    - --snapshot-count=10000
"""
CLOSED = "the gate after it stays closed: member answers: \x1b[31mno answer"


def bucket(low: float, high: float, samples: int = 312) -> dict[str, Any]:
    """A latency out of etcd's histogram."""
    return {
        "p50_ms": None,
        "p99_ms": None,
        "p99_bucket_ms": [low, high],
        "source": "etcd",
        "samples": samples,
    }


def put(p99: float) -> dict[str, Any]:
    """A latency out of a series of puts."""
    return {"p50_ms": p99 / 2, "p99_ms": p99, "p99_bucket_ms": None, "source": "probe", "samples": 100}


NETWORK = [
    {
        "source_host": source, "target_host": target, "rtt_avg_ms": 0.3, "rtt_max_ms": 1.1, "jitter_avg_ms": 0.1,
        "jitter_max_ms": 0.6, "loss": 0, "samples": 20, "source": "ping",
    }
    for source in HOSTS for target in HOSTS if source != target
]  # fmt: skip


def threads(io_class: str, io_level: int, nice: int) -> list[dict[str, Any]]:
    """Seven of them, as etcd was seen to have."""
    return [{"tid": tid, "io_class": io_class, "io_level": io_level, "nice": nice} for tid in range(7)]


def trouble(slow_applies: int = 0, failed_proposals: int = 0) -> dict[str, Any]:
    """What went wrong within 10 s."""
    return {
        "seconds": 10.0, "leader_changes": 0, "failed_proposals": failed_proposals, "slow_applies": slow_applies,
        "slow_reads": 0, "heartbeat_failures": 0,
    }  # fmt: skip


SICK = {
    "each": {
        "compact_rev_key": False,
        "variables": {"remediate_environment": "lab"},
        "threads": threads("none", 4, 0),
        "disk": {"scheduler": "none", "disk": "loop0"},
        "status": {"version": "3.5.16", "db_size": 230686720, "db_in_use": 94371840, "health_ms": 180.0},
    },
    "measured": {
        "fsync": {"n1": bucket(256, 512), "n2": bucket(128, 256), "n3": bucket(16, 32)},
        "commit": {"n1": bucket(128, 256)},
        "network": NETWORK,
        "put": put(700.0),
        "rates": {"n1": trouble(slow_applies=12, failed_proposals=1), "n2": trouble()},
        "not_measured": [{"what": "fio", "host": "n2", "why": "fio is not installed: apt-get install fio"}],
    },
}
TREATED = {
    "each": {
        "compact_rev_key": False,
        "variables": {"remediate_environment": "lab"},
        "manifests": [],
        "process": {"argv": ["etcd", "--auto-compaction-retention=1h"]},
        "threads": threads("best-effort", 0, -20),
        "disk": {"scheduler": "none", "disk": "loop0"},
        "status": {"version": "3.5.16", "db_size": 95420416, "db_in_use": 94371840, "health_ms": 90.0},
    },
    "measured": {
        "fsync": {"n1": bucket(64, 128), "n2": bucket(64, 128), "n3": bucket(4, 8, samples=4)},
        "network": NETWORK,
        "put": put(640.0),
    },
}


def look(given: dict[str, Any]) -> Look:
    """A look with its findings."""
    cluster, measured = situation(given)
    return Look(cluster, measured, diagnose(cluster, measured))


def change(state: State = State.PENDING) -> ChangeResult:
    """The change of every host."""
    summary = "etcd: auto-compaction-mode unset → periodic, auto-compaction-retention unset → 1h"
    return ChangeResult("Let etcd compact", summary, state, DIFF, Disrupts.RESTART)


def planned() -> Iterator[events.Event]:
    """Two plays, the second without anything to do."""
    noop = (NoopResult("Kernel parameters", "net.core.somaxconn is 8192 already"),)
    notes = {"n1": "leader: its leadership moves to n2 first"}
    hosts = tuple(
        events.HostPlan(host, "lab", batch, (change(),), noop, notes.get(host, ""))
        for batch, host in enumerate(("n2", "n3", "n1"), 1)
    )
    advice = "`kubeadm upgrade` writes this manifest anew; to keep the change:\n  etcd: …\n"
    yield events.Planned("Let etcd compact", hosts, "etcd-healthy", 60.0, (advice,))
    yield events.Planned("Kernel parameters", (events.HostPlan("n2", "lab", 1, (), noop),))


def run() -> Iterator[events.Event]:
    """The whole story."""
    yield events.RunStarted(*RUN, HOSTS, Mode.APPLY)
    yield events.Looking(HOSTS)
    yield from (events.Looked(host, 0.4) for host in HOSTS)
    yield events.Measuring("fsync", "n1", 0.3)
    yield events.Measuring("network", "", None, "6 paths")
    yield events.Found("lab", look(SICK).findings)
    yield from planned()
    yield events.PlayStarted("Let etcd compact", ("n2", "n3", "n1"))
    yield from changed()
    yield from taken_back()
    yield events.Found("lab", look(TREATED).findings)
    yield events.RunEnded(result())


def changed() -> Iterator[events.Event]:
    """What holds."""
    quorum = Check(
        "quorum without this member", True, "2 of 3 voters healthy and caught up without it, 2 needed"
    )
    yield events.GateChecked("n2", "before", True, (quorum,), 0.2)
    yield events.ChangeStarted("n2", change())
    yield events.GateChecked("n2", "after", True, (), 1.2)
    yield events.ChangeEnded("n2", change(State.APPLIED), 3.2)
    yield events.Settling("n2", 60.0)


def taken_back() -> Iterator[events.Event]:
    """What does not; the host's words carry a colour sequence."""
    yield events.ChangeStarted("n3", change())
    yield events.GateChecked(
        "n3", "after", False, (Check("member answers", False, "\x1b[31mno answer"),), 30.0
    )
    yield events.Undoing("n3", CLOSED)
    yield events.ChangeEnded("n3", change(State.UNDONE), 133.0, CLOSED)
    yield events.Note("after taking it back the member is healthy again", "n3")


def result() -> RunResult:
    """What is left in the end."""
    hosts = (
        HostResult("n1", "lab", (change(),)),
        HostResult("n2", "lab", (change(State.APPLIED),)),
        HostResult("n3", "lab", (change(State.UNDONE),), problem=Problem(f"n3: {CLOSED}")),
    )
    return RunResult(*RUN, Mode.APPLY, 98.4, hosts, before=(look(SICK),), after=(look(TREATED),))


def diagnosis() -> Iterator[events.Event]:
    """A look that changes nothing, on a cluster of which one node cannot be reached."""
    found = look({**SICK, "hosts": {"n3": {"process": None, "status": None}}})
    lost = HostResult("n4", "", problem=Problem("n4: no route to host (is it up?)", Outcome.UNREACHABLE))
    yield events.RunStarted(*RUN, (*HOSTS, "n4"), Mode.DIAGNOSE)
    yield events.Looked("n4", 10.0, "no route to host (is it up?)")
    yield events.Found("lab", found.findings)
    hosts = (*(HostResult(host, "lab") for host in HOSTS), lost)
    yield events.RunEnded(RunResult(RUN[0], "diagnose", RUN[2], Mode.DIAGNOSE, 9.1, hosts, before=(found,)))


def healthy() -> Iterator[events.Event]:
    """A second run that finds nothing to do."""
    well = look({})
    yield events.RunStarted(*RUN, HOSTS, Mode.APPLY)
    yield events.Found("lab", well.findings)
    yield events.Planned(
        "Let etcd compact", tuple(events.HostPlan(h, "lab", 1, ()) for h in HOSTS), "etcd-healthy", 60.0
    )
    hosts = tuple(HostResult(host, "lab") for host in HOSTS)
    yield events.RunEnded(RunResult(*RUN, Mode.APPLY, 1.4, hosts, before=(well,)))


def interrupted() -> Iterator[events.Event]:
    """Changes that disrupt nobody, a host that needs none, a play without a gate, and a person who stops it."""
    hosts = tuple(f"n{number}" for number in range(1, 7))
    quiet = ChangeResult("Kernel parameters", "net.core.somaxconn: 4096 → 8192", State.PENDING, "-a\n+b\n")
    made = ChangeResult("Kernel parameters", "net.core.somaxconn: 4096 → 8192", State.APPLIED)
    noop = (NoopResult("Kernel parameters", "net.core.somaxconn is 8192 already"),)
    plans = (
        events.HostPlan("n1", "", 1, (quiet, change())),
        events.HostPlan("n2", "", 1, (quiet,)),
        *(events.HostPlan(host, "", 1, (), noop) for host in hosts[2:]),
    )
    yield events.RunStarted("r", "tune", "prod", hosts, Mode.APPLY)
    yield events.Looking(hosts)
    yield events.Planned("Kernel parameters", plans[1:], "etcd-healthy", 60.0)
    yield events.Planned("Everything", plans[:1])
    yield events.Note("the clock of n2 is behind", warning=True)
    stopped = (HostResult("n1", "", (made, made, quiet)), *(HostResult(host) for host in hosts[1:]))
    problem = Problem("stopped by a person", Outcome.REFUSED)
    yield events.RunEnded(
        RunResult("r", "tune", "prod", Mode.APPLY, 125.0, stopped, problem=problem, interrupted=True)
    )


def empty() -> Iterator[events.Event]:
    """Nothing at all."""
    yield events.RunEnded(RunResult("r", "tune", "prod", Mode.CHECK, 0.0))
