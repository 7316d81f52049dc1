"""etcd_flags and etcd_defrag as data: facts and arguments in, changes, no-ops or a refusal out (tests/data/tasks)."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from remediate.engine.fold import Wish, fold
from remediate.errors import Refused
from remediate.etcd.manifest import command_of
from remediate.etcd.model import (
    Alarm,
    Cluster,
    DataDisk,
    EtcdHost,
    EtcdProcess,
    EtcdStatus,
    ManifestFile,
    Member,
)
from remediate.facts.base import Fact, Seen
from remediate.facts.cluster import ClusterSeen, ClusterView
from remediate.facts.disk import DataDisks
from remediate.facts.etcd import EtcdAnswer, EtcdApi, EtcdProcesses
from remediate.facts.manifests import StaticPods
from remediate.measure.model import Latency, Measurements
from remediate.task.base import Irreversible, Noop
from remediate.task.loader import discover
from remediate.task.units import decode

DATA = Path(__file__).parents[2] / "data" / "tasks"
MIB = 1024 * 1024


def cases(name: str) -> list[Any]:
    """One case per file."""
    return [
        pytest.param(yaml.safe_load(path.read_text()), id=path.stem)
        for path in sorted((DATA / name).glob("*.yml"))
    ]


def pod(flags: list[str]) -> str:
    """A manifest whose every line but the flags must stay."""
    lines = "".join(f"    - {flag}\n" for flag in flags)
    return (
        "# by kubeadm\napiVersion: v1\nkind: Pod\nmetadata:\n  name: etcd\nspec:\n  containers:\n"
        f"  - command:\n    - etcd\n{lines}    image: etcd:3.5   # keep\n    name: etcd\n"
    )


def status(**given: Any) -> EtcdStatus:
    """A healthy member with these figures, sizes in MiB."""
    given = {
        key: value * MIB if key in ("db_size", "db_in_use", "quota") else value
        for key, value in given.items()
    }
    given["alarms"] = tuple(Alarm(given.get("member_id", 1), kind) for kind in given.get("alarms", ()))
    plain: dict[str, Any] = {
        "instance": "etcd", "via": "etcdctl", "version": "3.5.16", "cluster_id": 9, "member_id": 1, "leader": 1,
        "term": 2, "raft_index": 5, "applied_index": 5, "db_size": 0, "db_in_use": 0, "quota": 2048 * MIB,
        "is_learner": False, "members": (Member(1, "n1", (), ()),), "alarms": (), "health_ms": 1.0,
    }  # fmt: skip
    return EtcdStatus(**plain | given)


def planned(name: str, case: dict[str, Any], seen: Seen) -> tuple[Any, list[str]]:
    """Phases and the reasons of the no-ops."""
    task = msgspec.convert(case.get("task", {}), discover(None).load(name), dec_hook=decode)
    items = list(task.plan(seen))
    wishes = [Wish(name, item) for item in items if not isinstance(item, Noop)]
    return fold("n1", wishes, seen), [item.why for item in items if isinstance(item, Noop)]


def flags_seen(case: dict[str, Any]) -> Seen:
    """One host with this manifest and this process."""
    values: dict[Fact[Any], Any] = {StaticPods(): (), EtcdProcesses(): (), EtcdApi(): ()}
    if case["file"] is not None:
        text = pod(case["file"])
        values[StaticPods()] = (
            ManifestFile(
                "/etc/kubernetes/manifests/etcd.yaml",
                text,
                sha256(text.encode()).hexdigest(),
                "600",
                "root:root",
                "etcd",
            ),
        )
    running = case.get("running", case["file"])
    if running is not None:
        process = EtcdProcess("etcd", 77, 1234, ("etcd", *running), case.get("environment", {}))
        values[EtcdProcesses()] = (process,)
        version = str(case.get("version", "3.5.16"))
        values[EtcdApi()] = (EtcdAnswer("etcd", status(version=version, db_size=1)),)
    return Seen("n1", values)


@pytest.mark.parametrize("case", cases("etcd_flags"))
def test_etcd_flags(case: dict[str, Any]) -> None:
    seen = flags_seen(case)
    if "refused" in case:
        with pytest.raises(Refused, match=case["refused"].replace("(", r"\(")) as raised:
            planned("etcd_flags", case, seen)
        assert raised.value.exit_code == 4
        assert raised.value.where.startswith("n1")
        return
    phases, noops = planned("etcd_flags", case, seen)
    assert [[change.summary for change in phase] for phase in phases] == case["phases"]
    assert noops == case.get("noops", [])
    changes = [change for phase in phases for change in phase]
    assert all(change.uniform is case.get("uniform", False) for change in changes)
    assert all("r_same /etc/kubernetes/manifests/etcd.yaml" in change.check for change in changes)
    assert all(("r_remove" in change.apply) is case.get("leaves_folder", False) for change in changes)
    if "written" in case:
        text = changes[-1].files["manifest.yaml"].decode()
        assert list(command_of(text))[1:] == case["written"]
        assert text == pod(case["written"]), "every other byte stays"


def test_a_second_manifest_of_the_same_name_is_refused_and_both_are_named() -> None:
    seen = flags_seen({"file": ["--name=n1"]})
    (file,) = seen[StaticPods()]
    twice = Seen("n1", {**dict(seen), StaticPods(): (file, replace(file, path=file.path + ".bak"))})
    with pytest.raises(Refused, match=r"2 manifests are called «etcd»: .*etcd\.yaml, .*etcd\.yaml\.bak"):
        planned("etcd_flags", {"task": {"set": {"snapshot-count": 1}}}, twice)


def test_a_hidden_file_is_none_of_the_kubelets_pods() -> None:
    seen = flags_seen({"file": ["--name=n1"]})
    (file,) = seen[StaticPods()]
    hidden = replace(file, path="/etc/kubernetes/manifests/.etcd.yaml.swp", hidden=True)
    phases, _ = planned(
        "etcd_flags",
        {"task": {"set": {"snapshot-count": 1}}},
        Seen("n1", {**dict(seen), StaticPods(): (hidden, file)}),
    )
    assert len(phases) == 1


@pytest.mark.parametrize(
    ("environment", "allowed"),
    [("dev", True), ("lab", True), ("production", False), ("staging", False), (None, False)],
)
def test_unsafe_no_fsync_needs_an_environment_that_may_lose_writes(
    environment: str | None, allowed: bool
) -> None:
    task = msgspec.convert({"set": {"unsafe-no-fsync": True}}, discover(None).load("etcd_flags"))
    variables = {"inventory_hostname": "n1"} | ({"remediate_environment": environment} if environment else {})
    if allowed:
        task.guard(variables)
    else:
        with pytest.raises(Refused, match="n1: unsafe-no-fsync loses acknowledged writes"):
            task.guard(variables)


def defrag_seen(case: dict[str, Any]) -> Seen:
    """Two members; the first one is the host's own."""
    disk = DataDisk("etcd", "/var/lib/etcd", "xfs", "/var/lib/etcd", "/dev/sdb", "sdb", "mq-deadline",
                    10000 * MIB, case.get("free", 1000) * MIB, False)  # fmt: skip
    given = case["status"]
    own = EtcdHost(
        "n1", "etcd", {}, status=status(**given) if given else None, status_error="no answer", disk=disk
    )
    other = EtcdHost("n2", "etcd", {}, status=status(member_id=2, **case.get("other", {})))
    latency = (
        {"n1": Latency(None, None, tuple(case["fsync_bucket"]), "etcd", 9)} if "fsync_bucket" in case else {}
    )
    view = ClusterView(Cluster("c", (own, other)), (own,), Measurements(fsync=latency))
    return Seen("n1", {ClusterSeen(): view, EtcdProcesses(): (), EtcdApi(): (), DataDisks(): (disk,)})


@pytest.mark.parametrize("case", cases("etcd_defrag"))
def test_etcd_defrag(case: dict[str, Any]) -> None:
    seen = defrag_seen(case)
    if "refused" in case:
        with pytest.raises(Refused, match=case["refused"]):
            planned("etcd_defrag", case, seen)
        return
    phases, noops = planned("etcd_defrag", case, seen)
    assert [change.summary for phase in phases for change in phase] == case.get("changes", [])
    assert all(len(phase) <= 1 for phase in phases), "the alarm waits for the phase after"
    assert all(isinstance(change.undo, Irreversible) for phase in phases for change in phase)
    assert noops == case.get("noops", [])
