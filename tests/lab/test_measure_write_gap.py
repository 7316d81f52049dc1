"""The writer of the benchmark: what it counts, and that it notices a loss."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.labs import RunningLab

pytestmark = pytest.mark.lab

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "write_gap.py"
LAB = [sys.executable, "-m", "remediate", "lab"]
PKI = "/etc/kubernetes/pki/etcd"
ERASE = (
    f"ETCDCTL_API=3 etcdctl --cacert={PKI}/ca.crt --cert={PKI}/server.crt --key={PKI}/server.key "
    "--endpoints=https://127.0.0.1:2379 del --prefix write-gap/"
)


def write_gap(lab: RunningLab, *command: str) -> subprocess.CompletedProcess[str]:
    urls = ",".join(node["etcd"] for node in lab.status()["nodes"].values())
    access = [word for name, path in lab.client.items() for word in (f"--{name}", path)]
    argv = [sys.executable, str(PROGRAM), "--endpoints", urls, *access, "--baseline", "2", "--patience", "5"]
    return subprocess.run([*argv, "--", *command], capture_output=True, text=True, timeout=120, check=False)


def test_a_member_that_is_restarted_costs_a_gap_and_no_write(lab: RunningLab) -> None:
    fault = " ".join([*LAB, "fault", "--name", lab.name, "n1", "stop-etcd"])
    done = write_gap(lab, "sh", "-c", f"{fault} && {fault} --undo")
    found = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (found["lost"], found["unread"], found["exit_code"]) == (0, {}, 0)
    assert found["acknowledged"] >= found["baseline"]["acknowledged"] + found["during"]["acknowledged"]
    assert found["baseline"]["acknowledged"] > 100
    assert 0 < found["during"]["longest_gap_ms"] < 3000
    assert f"{found['acknowledged']} acknowledged, 0 lost" in done.stderr
    assert lab.etcdctl("n2", "get", "--prefix", "--keys-only", "write-gap/").get("kvs", []) == []


def test_a_loss_is_noticed(lab: RunningLab) -> None:
    ssh = [*LAB, "ssh", "--name", lab.name, "n2", ERASE]
    done = write_gap(lab, *ssh)
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert found["exit_code"] == 0
    assert 0 < found["lost"] < found["acknowledged"]
    lab.ssh("n2", ERASE)


def test_a_member_that_cannot_be_read_is_no_success(lab: RunningLab) -> None:
    """What nobody has read back is not proven."""
    lab.fault("n3", "stop-etcd")
    try:
        done = write_gap(lab, "sh", "-c", "exit 0")
    finally:
        lab.fault("n3", "stop-etcd", undo=True)
        lab.wait_healthy(60)
    assert done.returncode == 1
    assert len(json.loads(done.stdout)["unread"]) == 1
    lab.ssh("n2", ERASE)


def test_the_command_s_exit_code_is_handed_on(lab: RunningLab) -> None:
    done = write_gap(lab, "sh", "-c", "exit 7")
    assert (done.returncode, json.loads(done.stdout)["lost"]) == (7, 0)
