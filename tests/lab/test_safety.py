"""What must never happen: a lost member, a change that nobody took back, mixed timers, a cleared CORRUPT alarm."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.lab.product import flags, playbook, remediate

pytestmark = pytest.mark.lab

MANIFEST = "/etc/kubernetes/manifests/etcd.yaml"


def argv(lab: Any, node: str) -> str:
    """etcd's live command line."""
    return str(lab.ssh(node, "tr '\\0' ' ' </proc/$(pgrep -x etcd)/cmdline"))


def started(lab: Any, node: str) -> str:
    """PID and start time of etcd."""
    return str(lab.ssh(node, "p=$(pgrep -x etcd); echo $p $(cut -d' ' -f22 /proc/$p/stat)"))


def states(done: Any) -> dict[str, str]:
    """The state of each host's first change."""
    return {name: host["changes"][0]["state"] for name, host in done.document["hosts"].items()}


def alarm(lab: Any, action: str, member: str, kind: str) -> None:
    """Raise or disarm an alarm, as etcd itself would."""
    body = f'{{"action":"{action}","memberID":"{int(member, 16)}","alarm":"{kind}"}}'
    pki = "/etc/kubernetes/pki/etcd"
    lab.ssh(
        "n1",
        f"curl -sf --cacert {pki}/ca.crt --cert {pki}/healthcheck-client.crt --key {pki}/healthcheck-client.key "
        f"-d '{body}' https://127.0.0.1:2379/v3/maintenance/alarm",
    )


def test_corrupt_refuses_everything_and_is_never_disarmed(lab: Any, tmp_path: Path) -> None:
    members = {name: node["member_id"] for name, node in lab.status()["nodes"].items()}
    alarm(lab, "ACTIVATE", members["n2"], "CORRUPT")
    alarm(lab, "ACTIVATE", members["n1"], "NOSPACE")
    try:
        for text in (
            "- hosts: etcd\n  tasks:\n    - etcd_defrag: {min_size: 1B, min_fragmentation: 0%}\n",
            "- hosts: etcd\n  tasks:\n    - etcd_defrag: {}\n",
            "- hosts: etcd\n  tasks:\n    - etcd_flags: {set: {snapshot-count: 50000}}\n",
        ):
            done = remediate("run", playbook(tmp_path, text), "-i", lab.inventory, "--yes")
            assert done.code == 4, done.err + done.out
            assert "CORRUPT" in done.err + done.out
        kinds = {entry["alarm"] for entry in lab.etcdctl("n1", "alarm", "list")["alarms"]}
        assert len(kinds) == 2
    finally:
        alarm(lab, "DEACTIVATE", members["n2"], "CORRUPT")
        alarm(lab, "DEACTIVATE", members["n1"], "NOSPACE")


def test_two_names_of_one_machine_are_not_two_healthy_members(lab: Any, tmp_path: Path) -> None:
    text = Path(lab.inventory).read_text()
    second = re.search(r"n2:\s+ansible_host: (\S+)", text)
    assert second
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(re.sub(r"(n3:\s+ansible_host: )\S+", rf"\g<1>{second[1]}", text))
    known = re.search(r"UserKnownHostsFile=(\S+)", text)
    assert known
    before = {node: started(lab, node) for node in lab.nodes}
    done = remediate(
        "run", flags(tmp_path, "{set: {snapshot-count: 51000}}"), "-i", wrong, "--limit", "n1", "--yes"
    )
    assert done.code == 4, done.err + done.out
    assert re.search("n2 and n3 are member|one member per host", done.err + done.out)
    assert {node: started(lab, node) for node in lab.nodes} == before


def test_a_node_that_vanishes_before_it_is_confirmed_is_taken_back_when_it_is_there_again(
    lab: Any, tmp_path: Path
) -> None:
    before = argv(lab, "n3")
    healed = threading.Event()

    def cut_when_it_awaits() -> None:
        for _ in range(600):
            if "await" in lab.ssh(
                "n3", "cat /var/lib/remediate/*/*/state 2>/dev/null; sleep 0.02", check=False
            ):
                break
        lab.fault("n3", "partition")
        healed.wait(25)  # longer than remediate_deadline, shorter than what a node is waited for
        lab.fault("n3", "partition", undo=True)

    thread = threading.Thread(target=cut_when_it_awaits)
    thread.start()
    done = remediate(
        "run", flags(tmp_path, "{set: {snapshot-count: 52000}}"), "-i", lab.inventory, "--limit", "n3", "--yes",
        "--output", "json",
    )  # fmt: skip
    healed.set()
    thread.join()
    assert done.code == 1, done.err
    assert states(done) == {"n3": "undone"}, done.err
    lab.wait_healthy()
    assert argv(lab, "n3") == before


def test_timers_are_not_left_mixed_where_a_node_cannot_write(lab: Any, tmp_path: Path) -> None:
    order = sorted(lab.nodes, key=lambda name: lab.status()["nodes"][name]["leader"])
    broken = order[1]
    before = {node: argv(lab, node) for node in lab.nodes}
    lab.ssh(broken, "mount --bind /etc/kubernetes/manifests /etc/kubernetes/manifests")
    lab.ssh(broken, "mount -o remount,bind,ro /etc/kubernetes/manifests")
    try:
        book = flags(tmp_path, "{set: {election-timeout: 5000}}")
        done = remediate("run", book, "-i", lab.inventory, "--yes", "--output", "json")
    finally:
        lab.ssh(broken, "umount /etc/kubernetes/manifests")
    assert done.code == 1, done.err
    assert {node: argv(lab, node) for node in lab.nodes} == before
    found = states(done)
    assert found[order[0]] == "undone"
    assert found[order[2]] == "pending"
    lab.wait_healthy()


def test_a_reader_that_goes_away_does_not_stop_the_work(lab: Any, tmp_path: Path) -> None:
    book = flags(tmp_path, "{set: {snapshot-count: 53000}}")
    process = subprocess.Popen(
        [sys.executable, "-m", "remediate", "run", str(book), "-i", str(lab.inventory), "--yes"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),  # noqa: PLW1509 - as a shell starts it
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "flags of etcd" in line:
            break
    process.stderr.close()
    assert process.wait(timeout=120) == 0
    assert all("--snapshot-count=53000" in argv(lab, node) for node in lab.nodes)


def test_a_stopped_kubelet_is_noticed_before_anything_is_written(lab: Any, tmp_path: Path) -> None:
    kept = lab.ssh("n2", f"cat {MANIFEST}")
    lab.ssh("n2", "systemctl stop kubelet")
    try:
        for text in (kept, kept.replace("--snapshot-count=", "--max-wals=7\n    - --snapshot-count=", 1)):
            lab.put("n2", MANIFEST, text)  # the second one says already what the process does not have
            book = flags(tmp_path, "{set: {max-wals: 7}}")
            done = remediate("run", book, "-i", lab.inventory, "--limit", "n2", "--yes")
            assert done.code == 4, done.err + done.out
            assert "kubelet" in done.err + done.out
            assert lab.ssh("n2", f"cat {MANIFEST}") == text
    finally:
        lab.put("n2", MANIFEST, kept)
        lab.ssh("n2", "systemctl start kubelet")
        lab.wait_healthy()


def test_a_file_that_says_it_already_is_made_to_take_effect(new_lab: Any, tmp_path: Path) -> None:
    """The kubelet has not reacted to an edit (kubeadm#2718): the pod leaves the folder, comes back, and has it then."""
    lab = new_lab("--nodes", "1", "--kubelet-delay", "8")
    kept = lab.ssh("n1", f"cat {MANIFEST}")
    lab.put("n1", MANIFEST, kept.replace("--snapshot-count=", "--max-wals=7\n    - --snapshot-count=", 1))
    book = flags(tmp_path, "{set: {max-wals: 7}}")
    done = remediate("run", book, "-i", lab.inventory, "--yes", "--allow-outage", "--output", "json")
    assert done.code == 0, done.err
    assert "not set → 7" in done.document["hosts"]["n1"]["changes"][0]["summary"]
    assert "--max-wals=7" in argv(lab, "n1")
