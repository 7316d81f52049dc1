"""The comparison on a real node: nobody passes who does not look, and nothing is left behind."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from comparison.contenders import Contender, contenders, version
from comparison.node import ADDRESS, SETTINGS, CannotCompare, Node, started
from comparison.timing import Finished, run

COMPARE = Path(__file__).parents[2] / "benchmarks" / "compare.py"


def named(node: Node, name: str) -> Contender:
    return next(one for one in contenders(node, 4) if one.name == name)


@pytest.mark.parametrize("name", ["floor", "remediate"])
def test_each_setting_out_of_order_is_noticed(node: Node, name: str) -> None:
    one = named(node, name)
    assert one.blind_to(node, SETTINGS) == []
    assert one.look(node, 3)[1], "everything was put back into order"


def test_whoever_does_not_look_is_found_out(node: Node) -> None:
    blind = Contender("blind", "1", lambda _: ("true",), lambda done, _: done.rc == 0)
    never = Contender("never", "1", lambda _: ("false",), lambda done, _: done.rc == 0)
    assert blind.blind_to(node, SETTINGS) == [setting.name for setting in SETTINGS]
    assert never.blind_to(node, SETTINGS) == ["all"]


def test_the_host_key_is_checked_by_all(node: Node, tmp_path: Path) -> None:
    right = node.known_hosts.read_text()
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True, timeout=10
    )
    wrong = (tmp_path / "other.pub").read_text()
    node.known_hosts.write_text(f"[{ADDRESS}]:{node.port} {wrong}")
    try:
        for one in contenders(node, 4):
            with pytest.raises(CannotCompare, match=one.name):
                one.look(node, 1)
    finally:
        node.known_hosts.write_text(right)


def test_a_contender_that_is_not_installed_is_named() -> None:
    with pytest.raises(CannotCompare, match="no-such-package is not installed: script/setup"):
        version("no-such-package")


def test_a_run_tells_time_memory_and_output(tmp_path: Path) -> None:
    script = "import sys, time; b = bytearray(50_000_000); time.sleep(0.2); print('out'); sys.exit('err')"
    done = run((sys.executable, "-c", script), {}, tmp_path)
    assert (done.rc, done.out, done.err) == (1, "out\n", "err\n")
    assert 0.2 <= done.seconds < 5
    assert 50 <= done.peak_mb < 100
    assert Finished(0, 1, 1, out=" said \n").said == "said"


def test_one_document_on_standard_output() -> None:
    done = subprocess.run(
        [sys.executable, COMPARE, "--hosts", "1", "--rounds", "1", "--only", "floor", "--json", "-"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    found = json.loads(done.stdout)
    assert done.returncode == {"met": 0, "missed": 1, "void": 3}[found["verdict"]], done.stderr
    assert list(found["sizes"][0]["contenders"]) == ["floor", "remediate"]
    assert set(found["noticed"]) == {"floor", "remediate"}
    assert "remediate / floor at 1 hosts" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_it_is_ended(how: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, COMPARE, "--hosts", "1", "--only", "floor"],
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": str(tmp_path)},
    )
    assert process.stderr
    assert "does it notice" in process.stderr.readline()
    [folder] = tmp_path.iterdir()
    port = int((folder / "known_hosts").read_text().partition("]:")[2].split()[0])
    assert is_open(port)
    process.send_signal(how)
    assert process.wait(timeout=20) == (-signal.SIGKILL if how is signal.SIGKILL else 130)
    until = time.monotonic() + 10
    while is_open(port) and time.monotonic() < until:
        time.sleep(0.1)
    assert not is_open(port)
    if how is not signal.SIGKILL:
        assert not list(tmp_path.iterdir())


def test_the_node_ends_with_its_context(tmp_path: Path) -> None:
    with started(tmp_path) as running:
        assert is_open(running.port)
    assert not is_open(running.port)


def test_sshd_that_does_not_come_up_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comparison.node.PROJECT", tmp_path / "nowhere")
    with pytest.raises(CannotCompare, match="nowhere"), started(tmp_path):
        pass


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ADDRESS, port)) == 0


def test_the_machine_itself_is_not_touched(node: Node) -> None:
    manifest = Path("/etc/kubernetes/manifests/etcd.yaml")
    there = node.run(f"cat {manifest}")
    assert not manifest.exists() or manifest.read_text() != there
    assert "comparison" not in Path("/etc/passwd").read_text()
    assert Path("/proc/sys/kernel/shmmni").read_text() != node.run("cat /proc/sys/kernel/shmmni")
