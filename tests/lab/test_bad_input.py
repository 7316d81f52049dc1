"""Bad input and bad states: one clear line, the promised exit code, and nodes byte for byte as they were."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.product import Ran, playbook, remediate

pytestmark = pytest.mark.lab

MANIFEST = "/etc/kubernetes/manifests/etcd.yaml"
WISH = "- hosts: etcd\n  tasks:\n    - etcd_flags: {set: {snapshot-count: 12345}}\n"
FINGERPRINT = (
    "find /etc/kubernetes /etc/sysctl.d /etc/systemd /etc/remediate /var/lib/remediate -type f 2>/dev/null"
    " | sort | xargs -r sha256sum; p=$(pgrep -x etcd) && cut -d' ' -f22 /proc/$p/stat || echo no etcd"
)


def fingerprint(lab: Any) -> dict[str, str]:
    """Every file that a run could touch, and etcd's start time."""
    return {node: lab.ssh(node, FINGERPRINT, check=False) for node in lab.nodes}


def refused(done: Ran, code: int, *words: str) -> None:
    """The exit code, and one line that says what, where and what to do."""
    said = done.err + done.out
    assert done.code == code, said
    for word in words:
        assert re.search(word, said), f"{word!r} is not in:\n{said}"


BEFORE_CONTACT = {
    "unknown host": (WISH, ["--limit", "n9"], ["n9"]),
    "serial 0": (WISH.replace("etcd\n", "etcd\n  serial: 0\n", 1), [], [r"play\.yml:2:\d+", "serial|number of hosts"]),
    "unknown task": ("- hosts: etcd\n  tasks:\n    - etcd_flag: {}\n", [], [r"play\.yml:3:\d+", "etcd_flags"]),
    "wrong argument type": (
        "- hosts: etcd\n  tasks:\n    - sysctl: {settings: [1]}\n", [], [r"play\.yml:3:\d+", "settings|mapping|object"],
    ),
    "undefined variable": (
        "- hosts: etcd\n  tasks:\n    - sysctl: {settings: {net.core.somaxconn: '{{ nowhere }}'}}\n", [], ["nowhere"],
    ),
    "different values": (
        "- hosts: etcd\n  tasks:\n"
        "    - {name: one, sysctl: {settings: {net.core.somaxconn: 1000}}}\n"
        "    - {name: two, sysctl: {settings: {net.core.somaxconn: 2000}}}\n",
        [], ["«one»", "«two»"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BEFORE_CONTACT)
def test_what_is_wrong_with_the_words_is_exit_2(lab: Any, tmp_path: Path, name: str) -> None:
    text, options, words = BEFORE_CONTACT[name]
    before = fingerprint(lab)
    refused(remediate("run", playbook(tmp_path, text), "-i", lab.inventory, "--yes", *options), 2, *words)
    assert fingerprint(lab) == before


def test_cyclic_groups(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("[a:children]\nb\n\n[b:children]\na\n\n[etcd]\nn1\n")
    refused(
        remediate("run", playbook(tmp_path, WISH), "-i", inventory, "--yes"), 2, r"hosts\.ini", "a.*b|b.*a"
    )


def other_inventory(lab: Any, folder: Path, old: str, new: str) -> Path:
    """The lab's inventory with one text exchanged."""
    text = Path(lab.inventory).read_text()
    assert re.search(old, text)
    path = folder / "other.yml"
    path.write_text(re.sub(old, new, text, count=1))
    return path


def test_an_unreachable_host_is_exit_3_and_named(lab: Any, tmp_path: Path) -> None:
    before = fingerprint(lab)
    # An address of the lab's own network that no node has.
    inventory = other_inventory(lab, tmp_path, r"(n3:\s+ansible_host: \d+\.\d+\.\d+)\.\d+", r"\1.250")
    book = playbook(
        tmp_path, "- hosts: etcd\n  tasks:\n    - sysctl: {settings: {net.core.somaxconn: 777}}\n"
    )
    refused(remediate("run", book, "-i", inventory, "--check", "--limit", "n3"), 3, "n3")
    assert fingerprint(lab) == before


def test_a_changed_host_key_stops_before_authentication(lab: Any, tmp_path: Path) -> None:
    before = fingerprint(lab)
    known = Path(re.search(r"UserKnownHostsFile=(\S+)", Path(lab.inventory).read_text())[1])  # type: ignore[index]
    lines = known.read_text().splitlines()
    keys = {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines}
    first, second, *_ = keys
    swapped = tmp_path / "known_hosts"
    swapped.write_text(f"{first} {keys[second]}\n")
    inventory = other_inventory(lab, tmp_path, r"UserKnownHostsFile=\S+", f"UserKnownHostsFile={swapped}")
    done = remediate("run", playbook(tmp_path, WISH), "-i", inventory, "--yes", "--limit", "n1")
    refused(done, 3, "n1", "(?i)host key", re.escape(str(swapped)))
    assert fingerprint(lab) == before


def test_a_wrong_sudo_password_is_exit_4(lab: Any, tmp_path: Path) -> None:
    before = fingerprint(lab)
    inventory = other_inventory(
        lab, tmp_path, "ansible_user: root",
        "ansible_user: ops\n    ansible_become: true\n    ansible_become_password: wrong-one",
    )  # fmt: skip
    done = remediate("run", playbook(tmp_path, WISH), "-i", inventory, "--yes")
    refused(done, 4, "sudo", "password")
    assert "wrong-one" not in done.err + done.out
    assert fingerprint(lab) == before


@pytest.fixture
def ill_manifest(lab: Any) -> Iterator[Any]:
    """n2 with its kubelet stopped, so that a bad manifests folder has no effect on the member."""
    kept = lab.ssh("n2", f"cat {MANIFEST}")
    lab.ssh("n2", "systemctl stop kubelet")
    yield lab
    lab.ssh("n2", "rm -f /etc/kubernetes/manifests/etcd-backup.yaml")
    lab.put("n2", MANIFEST, kept)
    lab.ssh("n2", "systemctl start kubelet")
    lab.wait_healthy()


def test_a_manifest_that_is_no_yaml_is_exit_4(ill_manifest: Any, tmp_path: Path) -> None:
    lab = ill_manifest
    lab.put("n2", MANIFEST, "kind: Pod\nmetadata: {name: etcd\nspec: [\n")
    before = fingerprint(lab)
    refused(
        remediate("run", playbook(tmp_path, WISH), "-i", lab.inventory, "--yes"), 4, "n2", "etcd.yaml", "YAML"
    )
    assert fingerprint(lab) == before


def test_two_manifests_of_one_name_are_exit_4(ill_manifest: Any, tmp_path: Path) -> None:
    lab = ill_manifest
    lab.ssh("n2", f"cp {MANIFEST} /etc/kubernetes/manifests/etcd-backup.yaml")
    before = fingerprint(lab)
    refused(
        remediate("run", playbook(tmp_path, WISH), "-i", lab.inventory, "--yes"), 4, "n2", "etcd-backup.yaml"
    )
    assert fingerprint(lab) == before


def test_a_lost_quorum_is_exit_4_and_diagnose_still_works(lab: Any, tmp_path: Path) -> None:
    stopped = ("n2", "n3")
    for node in stopped:
        lab.fault(node, "stop-etcd")
    try:
        before = fingerprint(lab)
        book = playbook(tmp_path, WISH)
        done = remediate("run", book, "-i", lab.inventory, "--yes", "--limit", "n1")
        refused(done, 4, "quorum", "--allow-outage")
        assert fingerprint(lab) == before
        looked = remediate("diagnose", "-i", lab.inventory, "--output", "json")
        found = {(finding["id"], finding["host"]) for finding in looked.document["findings"]}
        assert looked.code == 5
        assert {("member-down", "n2"), ("member-down", "n3")} <= found
        assert "no-leader" in {identifier for identifier, _ in found}
    finally:
        for node in stopped:
            lab.fault(node, "stop-etcd", undo=True)
        lab.wait_healthy()


def test_a_member_that_is_down_is_repaired_only_with_allow_outage(lab: Any, tmp_path: Path) -> None:
    """Its manifest holds a flag that no etcd knows: it crash-loops until the flag is removed."""
    kept = lab.ssh("n3", f"cat {MANIFEST}")
    lab.put("n3", MANIFEST, kept.replace("    - --name=n3", "    - --no-such-flag=1\n    - --name=n3"))
    lab.wait(lambda: not lab.status()["nodes"]["n3"]["healthy"])
    book = playbook(tmp_path, "- hosts: etcd\n  tasks:\n    - etcd_flags: {remove: [no-such-flag]}\n")
    try:
        before = lab.ssh("n3", f"sha256sum {MANIFEST}")
        refused(remediate("run", book, "-i", lab.inventory, "--yes"), 4, "n3", "--allow-outage")
        assert lab.ssh("n3", f"sha256sum {MANIFEST}") == before
        done = remediate("run", book, "-i", lab.inventory, "--yes", "--allow-outage")
        assert done.code == 0, done.err + done.out
        lab.wait_healthy()
        assert lab.ssh("n3", f"cat {MANIFEST}") == kept
    finally:
        lab.put("n3", MANIFEST, kept)
        lab.wait_healthy()


def test_a_single_member_is_changed_only_with_allow_outage(new_lab: Any, tmp_path: Path) -> None:
    alone = new_lab("--nodes", "1")
    book = playbook(tmp_path, WISH)
    refused(remediate("run", book, "-i", alone.inventory, "--yes"), 4, "quorum", "--allow-outage")
    done = remediate("run", book, "-i", alone.inventory, "--yes", "--allow-outage", "--output", "json")
    assert done.code == 0, done.err
    before = next(gate for gate in done.document["gates"] if gate["when"] == "before")
    assert any("--allow-outage" in check["detail"] for check in before["checks"])
    assert "--snapshot-count=12345" in alone.ssh("n1", "tr '\\0' '\\n' </proc/$(pgrep -x etcd)/cmdline")
