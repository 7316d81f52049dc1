"""What the lab kubelet makes of a folder of manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from remediate.lab import manifest, spec
from remediate.lab.node import pods

ETCD = "kube-system/etcd/etcd"


def lab(**changes: object) -> spec.Lab:
    """A lab as data."""
    wanted = {"name": "lab", "size": 3, "etcd": "3.5", "image": "3.5.16-0", "sick": False, "bare": False}
    more = {"kubelet_delay": 2.0, "subnet": "10.213.7", "inventory": Path("inventory/lab.yml")}
    return spec.Lab(**{**wanted, **more, **changes})  # type: ignore[arg-type]


TEXT = manifest.manifest(lab(), lab().nodes[0])


def test_etcds_manifest_is_understood() -> None:
    found, problems = pods.read([("etcd.yaml", TEXT)])
    assert problems == []
    etcd = found[ETCD]
    assert etcd.image == "localhost/etcd:3.5.16-0"
    assert etcd.command[0] == "etcd"
    assert [(one.source, one.target, one.kind) for one in etcd.volumes] == [
        ("/var/lib/etcd", "/var/lib/etcd", "DirectoryOrCreate"),
        ("/etc/kubernetes/pki/etcd", "/etc/kubernetes/pki/etcd", "DirectoryOrCreate"),
    ]
    assert etcd.liveness is not None
    assert (etcd.liveness.port, etcd.liveness.failures, etcd.liveness.period) == (2381, 8, 10)
    assert etcd.grace == 30


def test_every_byte_of_a_manifest_makes_another_pod() -> None:
    first, second = (pods.read([("etcd.yaml", text)])[0][ETCD] for text in (TEXT, TEXT + "# note\n"))
    assert first.key == second.key
    assert first.uid != second.uid


@pytest.mark.parametrize("name", [".etcd.yaml", ".etcd.yaml.swp"])
def test_a_name_with_a_dot_in_front_is_not_read(name: str) -> None:
    assert pods.read([(name, TEXT)]) == ({}, [])


@pytest.mark.parametrize("name", ["etcd.yaml", "etcd.yaml.bak", "etcd.yaml~", "README"])
def test_any_other_name_is_read(name: str) -> None:
    assert ETCD in pods.read([(name, TEXT)])[0]


UNREADABLE = {
    "no YAML": "kind: Pod\n  spec: [",
    "half written": TEXT[: len(TEXT) // 2],
    "empty": "",
    "a list": "- 1\n",
    "another kind": TEXT.replace("kind: Pod", "kind: Deployment"),
    "no name": TEXT.replace("\n  name: etcd\n", "\n"),
    "a volume that is not there": TEXT.replace("name: etcd-data", "name: other", 1),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unreadable_file_drops_its_pod_and_is_named(text: str) -> None:
    other = TEXT.replace("\n  name: etcd\n", "\n  name: other\n")
    found, problems = pods.read([("a.yaml", other), ("etcd.yaml", text)])
    assert list(found) == ["kube-system/other/etcd"]
    assert len(problems) == 1
    assert problems[0].startswith("etcd.yaml: ")


def test_of_two_files_with_one_pod_the_last_wins() -> None:
    found, problems = pods.read([("z.yaml", TEXT.replace("10000", "5000")), ("etcd.yaml", TEXT)])
    assert problems == []
    assert "--snapshot-count=5000" in found[ETCD].command


def test_environment_and_arguments_are_kept() -> None:
    text = TEXT.replace(
        "    image:", "    env:\n    - {name: ETCD_NAME, value: n9}\n    args: [--more]\n    image:"
    )
    etcd = pods.read([("etcd.yaml", text)])[0][ETCD]
    assert etcd.environment == (("ETCD_NAME", "n9"),)
    assert etcd.command[-1] == "--more"


def test_back_off_is_the_kubelets() -> None:
    assert [pods.back_off(crashes) for crashes in range(9)] == [0, 0, 10, 20, 40, 80, 160, 300, 300]


@pytest.mark.parametrize("etcd", ["3.4", "3.5"])
@pytest.mark.parametrize("sick", [True, False])
def test_flags_are_sorted_and_fit_version_and_health(etcd: str, sick: bool) -> None:
    wanted = lab(etcd=etcd, sick=sick)
    flags = manifest.flags(wanted, wanted.nodes[1])
    assert list(flags) == sorted(flags)
    assert flags["initial-cluster"].count("https://") == 3
    assert ("experimental-watch-progress-notify-interval" in flags) is (etcd == "3.5")
    assert ("auto-compaction-retention" in flags) is not sick
    assert not [flag for flag in flags if "fsync" in flag]
