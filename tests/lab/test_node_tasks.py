"""`process_priority`, `sysctl` and `file` on real nodes with systemd: set, kept over restarts and boots, put back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.product import playbook, remediate

TASKS = """\
- hosts: n1
  tasks:
    - process_priority: {process: etcd, io_class: best-effort, io_level: 0, nice: -20}
    - process_priority: {process: sshd, io_class: idle, nice: 3}
    - sysctl: {settings: {net.core.somaxconn: 8191, net.nosuch.key: 1}}
    - file: {path: /etc/remediate-test/hello, content: "hello {{ inventory_hostname }}\\n", mode: "0600"}
"""

BROKEN = """\
- hosts: n1
  tasks:
    - process_priority: {process: etcd, io_class: realtime, io_level: 7, nice: -3}
    - process_priority: {process: sshd, nice: -3}
    - file: {path: /etc/hostname, content: "other\\n"}
    - file: {path: /etc/there/not/yet/file, content: ""}
    - sysctl: {settings: {net.core.somaxconn: 77, net.ipv4.ip_default_ttl: many}}
"""

SNAPSHOT = (
    "find /etc -printf '%P %y %m %u %g %l\\n' | grep -v -e '^ ' -e '^mtab' | sort; "
    "find /etc -type f ! -name mtab -exec sha256sum {} + | sort; cat /proc/sys/net/core/somaxconn"
)
"""Names, rights and bytes of everything in /etc, and the parameter."""

CLEAN = """\
systemctl disable --now remediate-priority-etcd.service 2>/dev/null
rm -rf /etc/remediate /etc/remediate-test /etc/sysctl.d/90-remediate.conf /etc/systemd/system/ssh.service.d
rm -f /etc/systemd/system/remediate-priority-etcd.service
systemctl daemon-reload
echo 4096 >/proc/sys/net/core/somaxconn
for name in etcd sshd; do
    for task in /proc/"$(pgrep -o -x $name)"/task/*; do
        ionice -c 0 -p "${task##*/}"
        renice 0 -p "${task##*/}" >/dev/null
    done
done
"""


@pytest.fixture
def node(lab: Any) -> Iterator[Any]:
    """The shared lab; the first node is left as it was."""
    yield lab
    lab.ssh("n1", CLEAN, check=False)


def threads(lab: Any, name: str) -> set[tuple[str, str]]:
    """I/O class and nice value of every thread of the oldest process of a name, asked one by one."""
    script = (
        f"for task in /proc/$(pgrep -o -x {name})/task/*; do\n"
        "echo \"$(ionice -p ${task##*/}) $(cut -d' ' -f19 $task/stat)\"; done"
    )
    pairs = (line.rpartition(" ") for line in lab.ssh("n1", script, check=False).splitlines())
    return {(io_class, nice) for io_class, _, nice in pairs}


def wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.2)


def test_set_kept_over_restarts_and_boots_and_done(node: Any, tmp_path: Path) -> None:
    path = playbook(tmp_path, TASKS)
    first = remediate("run", path, "-i", node.inventory, "--yes", "--output", "json")
    assert first.code == 0, first.err
    assert [change["state"] for change in first.document["hosts"]["n1"]["changes"]] == ["applied"] * 4
    host = node.host("n1")
    keeper = host.service("remediate-priority-etcd")
    assert keeper.is_running
    assert keeper.is_enabled
    assert host.file("/etc/remediate-test/hello").content_string == "hello n1\n"
    assert host.file("/etc/remediate-test/hello").mode == 0o600
    assert host.file("/proc/sys/net/core/somaxconn").content_string == "8191\n"
    assert threads(node, "etcd") == {("best-effort: prio 0", "-20")}
    assert threads(node, "sshd") == {("idle", "3")}

    second = remediate("run", path, "-i", node.inventory, "--check", "--output", "json")
    assert second.code == 0, second.out
    whys = [noop["why"] for noop in second.document["hosts"]["n1"]["noops"]]
    assert any(why.startswith("net.nosuch.key does not exist here") for why in whys)
    assert any("kept over restarts by remediate-priority-etcd.service" in why for why in whys)
    assert any("kept over restarts by ssh.service" in why for why in whys)

    node.ssh("n1", "pkill -KILL -x etcd; systemctl restart ssh")
    wait(lambda: threads(node, "etcd") == {("best-effort: prio 0", "-20")}, 15)
    wait(lambda: threads(node, "sshd") == {("idle", "3")}, 15)

    node.fault("n1", "reboot")
    node.wait_healthy(60)
    assert node.ssh("n1", "cat /proc/sys/net/core/somaxconn") == "8191\n"
    wait(lambda: threads(node, "etcd") == {("best-effort: prio 0", "-20")}, 15)
    assert threads(node, "sshd") == {("idle", "3")}
    assert remediate("run", path, "-i", node.inventory, "--check").code == 0


@pytest.mark.parametrize("before", ["", TASKS], ids=["never set", "set already"])
def test_a_change_that_fails_takes_all_others_back(node: Any, tmp_path: Path, before: str) -> None:
    if before:
        assert remediate("run", playbook(tmp_path, before), "-i", node.inventory, "--yes").code == 0
    files = node.ssh("n1", SNAPSHOT)
    priorities = [threads(node, name) for name in ("etcd", "sshd")]
    broken = remediate("run", playbook(tmp_path, BROKEN), "-i", node.inventory, "--yes", "--output", "json")
    assert broken.code == 1
    assert {change["state"] for change in broken.document["hosts"]["n1"]["changes"]} == {"undone"}
    assert "the kernel refuses many" in broken.document["hosts"]["n1"]["error"]
    assert node.ssh("n1", SNAPSHOT) == files
    assert [threads(node, name) for name in ("etcd", "sshd")] == priorities
    assert node.host("n1").service("remediate-priority-etcd").is_running == bool(before)
