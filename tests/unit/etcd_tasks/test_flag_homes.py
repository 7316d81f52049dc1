"""Flags outside static pods: environment files of units, and layouts whose flags are not ours to write."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from remediate.errors import Refused
from remediate.etcd import actions
from remediate.etcd.model import EtcdProcess, FlagFile, Layout, ManifestFile
from remediate.facts.base import Fact, Frame, Seen
from remediate.facts.etcd import EtcdAnswer, EtcdApi, EtcdProcesses
from remediate.facts.manifests import FlagFiles, StaticPods
from remediate.facts.units import EtcdUnits
from tests.unit.etcd_tasks.test_etcd_tasks import planned, pod, status

ENV = "/etc/etcd.env"
SETTINGS = 'ETCD_NAME=n1\n# keep\nETCD_SNAPSHOT_COUNT="10000"\nETCD_MAX_WALS=7\n'
LIVE = {"ETCD_NAME": "n1", "ETCD_SNAPSHOT_COUNT": "10000", "ETCD_MAX_WALS": "7"}
K3S, RKE2 = "/etc/rancher/k3s/config.yaml", "/etc/rancher/rke2/config.yaml"
PODS = {
    Layout.RKE2: "/var/lib/rancher/rke2/agent/pod-manifests/etcd.yaml",
    Layout.OPENSHIFT: "/etc/kubernetes/manifests/etcd-pod.yaml",
}


def flag_file(path: str, text: str) -> FlagFile:
    """A file as the fact reads it."""
    layout = {K3S: Layout.K3S, RKE2: Layout.RKE2}.get(path, Layout.ENV_FILE)
    return FlagFile(path, text, sha256(text.encode()).hexdigest(), "640", "root:etcd", layout, "etcd")


def process(argv: tuple[str, ...] = ("etcd",), environment: dict[str, str] | None = None) -> EtcdProcess:
    """A running etcd."""
    return EtcdProcess("etcd", 77, 1234, argv, LIVE if environment is None else environment)


def seen(
    *files: FlagFile,
    running: EtcdProcess | None,
    pods: tuple[ManifestFile, ...] = (),
    unit: str = "etcd.service",
) -> Seen:
    """One host."""
    values: dict[Fact[Any], Any] = {
        StaticPods(): pods,
        FlagFiles(): files,
        EtcdProcesses(): (running,) if running else (),
        EtcdUnits(): {"etcd": unit} if unit else {},
        EtcdApi(): (EtcdAnswer("etcd", status(db_size=1)),),
    }
    return Seen("n1", values)


def wish(**flags: object) -> dict[str, Any]:
    """Arguments of etcd_flags."""
    return {"task": {"set": {name.replace("_", "-"): value for name, value in flags.items()}}}


def test_an_environment_file_is_edited_and_its_unit_restarted() -> None:
    case = {"task": {"set": {"snapshot-count": 20000}, "remove": ["max-wals"]}}
    facts = seen(flag_file(ENV, SETTINGS), running=process())
    [[change]], noops = planned("etcd_flags", case, facts)
    assert not noops
    assert change.summary == "flags of etcd: snapshot-count: 10000 → 20000, max-wals removed (was 7)"
    assert change.check.splitlines()[-1] == f"r_same {ENV} {sha256(SETTINGS.encode()).hexdigest()}"
    assert change.files["environment"] == b'ETCD_NAME=n1\n# keep\nETCD_SNAPSHOT_COUNT="20000"\n'
    assert change.apply.splitlines() == [
        '. "$STAGE/etcd.sh"',
        f"r_save {ENV} etcd.env",
        f'r_put "$STAGE/environment" {ENV} 640 root:etcd',
        "act_restart etcd.service",
        "act_wait environ etcd.service 77 1234 150 ETCD_SNAPSHOT_COUNT=20000 -- ETCD_MAX_WALS",
    ]
    written = sha256(change.files["environment"]).hexdigest()
    assert change.undo.splitlines() == [
        '. "$STAGE/etcd.sh"',
        f"r_restore etcd.env {ENV} {written}",
        "act_restart etcd.service",
        "act_wait environ etcd.service 0 0 150 ETCD_SNAPSHOT_COUNT=10000 ETCD_MAX_WALS=7 --",
    ]
    assert [*change.advice.values()] == [('  ETCD_SNAPSHOT_COUNT: "20000"', "  remove ETCD_MAX_WALS")]
    after = facts.merged(Seen("n1", change.predicts))
    assert planned("etcd_flags", case, after)[0] == (), "the facts as they will be ask for nothing more"


def test_both_timers_go_in_two_rounds_and_the_second_one_keeps_the_first() -> None:
    phases, _ = planned(
        "etcd_flags",
        wish(heartbeat_interval=250, election_timeout=2500),
        seen(flag_file(ENV, SETTINGS), running=process()),
    )
    texts = [change.files["environment"].decode() for phase in phases for change in phase]
    assert texts == [
        f"{SETTINGS}ETCD_ELECTION_TIMEOUT=2500\n",
        f"{SETTINGS}ETCD_ELECTION_TIMEOUT=2500\nETCD_HEARTBEAT_INTERVAL=250\n",
    ]
    assert all(change.uniform for phase in phases for change in phase)


def test_of_two_files_the_one_that_the_process_has_is_edited() -> None:
    other = flag_file("/etc/default/etcd", "ETCD_SNAPSHOT_COUNT=5\n")
    [[change]], _ = planned(
        "etcd_flags", wish(snapshot_count=20000), seen(other, flag_file(ENV, SETTINGS), running=process())
    )
    assert f'r_put "$STAGE/environment" {ENV} ' in change.apply


def test_a_file_without_any_setting_yet_is_taken() -> None:
    file = flag_file("/etc/default/etcd", "# ETCD_NAME=\n")
    [[change]], _ = planned(
        "etcd_flags", wish(snapshot_count=20000), seen(file, running=process(environment={}))
    )
    assert change.files["environment"] == b"# ETCD_NAME=\nETCD_SNAPSHOT_COUNT=20000\n"
    assert change.advice == {}


REFUSED = {
    "nothing runs": ({"running": None}, "no etcd runs that reads this file"),
    "no unit": ({"running": process(), "unit": ""}, r"no unit file runs etcd \(77\)"),
    "somebody else's file": ({"running": process(environment={"ETCD_NAME": "x"})}, "none of its settings"),
    "a file of its own": (
        {"running": process(("etcd", "--config-file=/etc/etcd.yml"))},
        "etcd reads /etc/etcd.yml and nothing else",
    ),
    "a flag of the unit": (
        {"running": process(("etcd", "--max-snapshots=5"))},
        "max-snapshots is set as flag and as ETCD_MAX_SNAPSHOTS",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_take_effect_is_refused(name: str) -> None:
    given, why = REFUSED[name]
    with pytest.raises(Refused, match=f"^n1.*{why}"):
        planned("etcd_flags", wish(max_snapshots=9), seen(flag_file(ENV, SETTINGS), **given))


@pytest.mark.parametrize(
    ("value", "why"),
    [({"election_timeout": 400}, "less than 5 ×"), ({"no_such_flag": 1}, "does not know the flag")],
)
def test_the_rules_between_flags_count_for_environment_files_too(value: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        planned("etcd_flags", wish(**value), seen(flag_file(ENV, SETTINGS), running=process()))


CONFIG = "token: x\netcd-arg:\n  - max-wals=7\n"
MANAGED = {
    "k3s": ((flag_file(K3S, CONFIG),), ("k3s", "--config-file=/x"), None,
            f"in {K3S} write `etcd-arg: [max-wals=7, snapshot-count=20000]`, then restart k3s"),
    "k3s without a file": ((), ("k3s", "--config-file=/x"), None,
                           f"in {K3S} write `etcd-arg: [snapshot-count=20000]`"),
    "rke2": ((flag_file(RKE2, CONFIG),), ("etcd", "--config-file=/x"), Layout.RKE2,
             f"in {RKE2} write `etcd-arg: [max-wals=7, snapshot-count=20000]`, then restart rke2-server"),
    "openshift": ((), ("etcd", "--name=n1"), Layout.OPENSHIFT, "change it by `oc patch etcd/cluster`"),
}  # fmt: skip


def managed(name: str) -> tuple[Seen, str]:
    """A host whose etcd is another program's."""
    files, argv, layout, hint = MANAGED[name]
    text = pod(["--name=n1"]).replace("image: etcd", "image: quay.io/openshift/etcd")
    pods = (ManifestFile(PODS[layout], text, "0" * 64, "600", "root:root", "etcd"),) if layout else ()
    return seen(*files, running=process(argv, {}), pods=pods, unit=""), hint


@pytest.mark.parametrize("name", MANAGED)
def test_flags_that_another_program_writes_are_refused_with_the_place(name: str) -> None:
    facts, hint = managed(name)
    with pytest.raises(Refused) as raised:
        planned("etcd_flags", wish(snapshot_count=20000), facts)
    assert raised.value.where == "n1"
    assert hint in raised.value.hint


@pytest.mark.parametrize("name", ["k3s", "rke2"])
def test_what_rancher_has_been_told_already_is_nothing_to_do(name: str) -> None:
    facts, _ = managed(name)
    phases, noops = planned("etcd_flags", wish(max_wals=7), facts)
    assert (phases, len(noops)) == ((), 1)


def test_units_are_read_by_instance() -> None:
    text = "etcd.service etcd\netcd-events.service etcd-events\n"
    assert EtcdUnits().parse(Frame(text)) == {"etcd": "etcd.service", "etcd-events": "etcd-events.service"}


@pytest.mark.parametrize(
    ("wanted", "unwanted", "unit", "found"),
    [
        (("ETCD_A=1",), (), "", True),
        (("ETCD_A=1",), ("ETCD_B",), "", True),
        (("ETCD_A=2",), (), "", False),
        (("ETCD_A",), (), "", False),
        ((), ("ETCD_A",), "", False),
        (("ETCD_A=1",), (), "etcd.service", False),
    ],
)
def test_the_proof_is_what_a_real_process_of_the_unit_has(
    tmp_path: Path, wanted: tuple[str, ...], unwanted: tuple[str, ...], unit: str, found: bool
) -> None:
    """A process named etcd of this test's own: pgrep is told to see no other."""
    program = tmp_path / "etcd"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "30"], env={"ETCD_A": "1"}) as etcd:
        try:
            script = (
                f"pgrep() {{ echo {etcd.pid}; }}\n"
                + actions.wait_library()
                + actions.wait_for_variables(unit, (0, 0), 1, wanted, unwanted)
            )
            done = subprocess.run(
                ["/bin/sh", "-eu", "-c", script], capture_output=True, text=True, timeout=20, check=False
            )
        finally:
            etcd.kill()
    assert (done.returncode == 0) is found, done.stderr


def test_the_old_process_proves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "30"], env={"ETCD_A": "1"}) as etcd:
        try:
            ticks = int(Path(f"/proc/{etcd.pid}/stat").read_text().rpartition(")")[2].split()[19])
            script = (
                f"pgrep() {{ echo {etcd.pid}; }}\n"
                + actions.wait_library()
                + actions.wait_for_variables("", (etcd.pid, ticks), 1, ("ETCD_A=1",), ())
            )
            done = subprocess.run(
                ["/bin/sh", "-eu", "-c", script], capture_output=True, text=True, timeout=20, check=False
            )
        finally:
            etcd.kill()
    assert (done.returncode, done.stderr) == (
        1,
        "no etcd with the wanted /proc/PID/environ came up in time\n",
    )


def test_a_setting_in_the_file_only_needs_a_restart() -> None:
    edited = flag_file(ENV, SETTINGS.replace("10000", "20000"))
    [[change]], _ = planned("etcd_flags", wish(snapshot_count=20000), seen(edited, running=process()))
    assert change.files["environment"].decode() == edited.text
    assert "act_restart etcd.service\n" in change.apply
    assert change.diff == ""
    assert replace(edited, text=change.files["environment"].decode()) == edited
