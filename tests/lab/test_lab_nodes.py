"""The lab's nodes, looked at from outside: what issue 2 promises of them is really there."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.lab.labs import RunningLab

pytestmark = pytest.mark.lab

PKI = "/etc/kubernetes/pki/etcd"
CURL = f"curl -sS --fail --cacert {PKI}/ca.crt --cert {PKI}/healthcheck-client.crt --key {PKI}/healthcheck-client.key"


@pytest.mark.parametrize("name", ["systemd-journald", "ssh", "kubelet"])
def test_services_run_under_systemd(lab: RunningLab, name: str) -> None:
    host = lab.host("n1")
    assert host.process.get(pid=1).comm == "systemd"
    assert host.service(name).is_running
    assert host.check_output("systemctl is-system-running") == "running"


@pytest.mark.parametrize(
    "tool", ["etcdctl", "curl", "fio", "iperf3", "ping", "sudo", "ps", "crictl", "rsync"]
)
def test_tools_are_there(lab: RunningLab, tool: str) -> None:
    assert lab.host("n2").exists(tool)


def test_every_node_has_its_own_identity(lab: RunningLab) -> None:
    seen = [
        lab.ssh(node, "hostname; cat /etc/machine-id /proc/sys/kernel/random/boot_id") for node in lab.nodes
    ]
    assert [text.split()[0] for text in seen] == list(lab.nodes)
    assert len({word for text in seen for word in text.split()}) == 3 * len(lab.nodes)


def test_known_hosts_holds_the_keys_that_the_nodes_have(lab: RunningLab) -> None:
    known = lab.spec.known_hosts.read_text().splitlines()
    for node, line in zip(lab.spec.nodes, known, strict=True):
        on_node = lab.ssh(node.name, "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub").strip()
        assert line == f"{node.ip} {on_node}"


def test_another_host_key_is_refused(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> None:
    wrong = tmp_path_factory.mktemp("wrong") / "known_hosts"
    first, second, *_ = lab.spec.known_hosts.read_text().splitlines()
    wrong.write_text(f"{first.split()[0]} {second.split(' ', 1)[1]}\n")
    options = [
        "-i",
        str(lab.spec.key),
        "-o",
        f"UserKnownHostsFile={wrong}",
        "-o",
        "StrictHostKeyChecking=yes",
    ]
    argv = ["ssh", "-F", "none", *options, f"root@{lab.spec.nodes[0].ip}", "true"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.stderr


def test_etcds_data_is_alone_on_a_disk_with_a_scheduler_that_knows_priorities(lab: RunningLab) -> None:
    for node in lab.nodes:
        host = lab.host(node)
        mount = host.mount_point("/var/lib/etcd")
        assert mount.exists
        assert mount.filesystem == "xfs"
        assert host.file("/var/lib/etcd").mode == 0o700
        assert host.file("/var/lib/etcd/member/wal").is_directory
        disk = mount.device.removeprefix("/dev/")
        assert disk.startswith("loop")
        assert "[mq-deadline]" in host.file(f"/sys/block/{disk}/queue/scheduler").content_string


def test_the_spare_disk_is_blank_and_named_in_the_inventory(lab: RunningLab) -> None:
    hosts = yaml.safe_load(lab.inventory.read_text())["etcd"]["hosts"]
    disks = [hosts[node]["lab_spare_disk"] for node in lab.nodes]
    assert len(set(disks)) == len(lab.nodes)
    for node, disk in zip(lab.nodes, disks, strict=True):
        assert lab.host(node).run(f"blkid -p {disk}").rc == 2  # nothing recognised
        assert int(lab.ssh(node, f"blockdev --getsize64 {disk}")) == 8 << 30


def test_the_layout_is_kubeadms(lab: RunningLab) -> None:
    host = lab.host("n1")
    manifest = yaml.safe_load(host.file("/etc/kubernetes/manifests/etcd.yaml").content_string)
    assert manifest["metadata"]["name"] == "etcd"
    assert host.file("/etc/kubernetes/manifests/etcd.yaml").mode == 0o600
    for name in ("ca", "server", "peer", "healthcheck-client"):
        assert host.file(f"{PKI}/{name}.crt").exists
        assert host.file(f"{PKI}/{name}.key").mode == 0o600
    command = manifest["spec"]["containers"][0]["command"]
    assert command[1:] == sorted(command[1:])
    assert not [flag for flag in command if "fsync" in flag]
    live = lab.ssh("n1", "tr '\\0' '\\n' </proc/$(pgrep -x etcd)/cmdline").split("\n")[1:-1]
    assert live == command[1:]


def test_etcd_answers_through_etcdctl_on_the_host_in_the_container_and_through_curl(lab: RunningLab) -> None:
    on_host = lab.etcdctl("n1", "member", "list")
    assert {member["name"] for member in on_host["members"]} == set(lab.nodes)
    flags = f"--cacert {PKI}/ca.crt --cert {PKI}/server.crt --key {PKI}/server.key -w json"
    in_container = lab.ssh("n1", f"crictl exec $(crictl ps --name etcd -q) etcdctl {flags} member list")
    assert json.loads(in_container)["members"] == on_host["members"]
    by_curl = json.loads(
        lab.ssh("n1", f"{CURL} -X POST -d '{{}}' https://127.0.0.1:2379/v3/cluster/member/list")
    )
    assert {int(one["ID"]) for one in by_curl["members"]} == {one["ID"] for one in on_host["members"]}


def test_a_client_without_a_certificate_is_refused(lab: RunningLab) -> None:
    anonymous = lab.host("n1").run(f"curl -sS --cacert {PKI}/ca.crt https://127.0.0.1:2379/version")
    assert anonymous.rc in (35, 55, 56)  # refused in the handshake, while sending, or while receiving
    assert anonymous.stdout == ""


def test_metrics_are_on_the_loopback_only(lab: RunningLab) -> None:
    assert "etcd_server_has_leader 1" in lab.ssh("n1", "curl -sS --fail http://127.0.0.1:2381/metrics")
    assert lab.host("n1").run(f"curl -sS http://{lab.spec.nodes[0].ip}:2381/metrics").rc != 0


def test_a_write_on_one_member_is_read_on_another(lab: RunningLab) -> None:
    lab.etcdctl("n1", "put", "/lab/test", "value")
    read = lab.etcdctl("n3", "get", "/lab/test")
    assert base64.b64decode(read["kvs"][0]["value"]) == b"value"


def test_sudo_asks_ops_for_a_password_and_admin_for_none(lab: RunningLab) -> None:
    assert lab.ssh("n1", "sudo -n id -u", user="admin").strip() == "0"
    assert lab.ssh("n1", "sudo -n id -u", user="ops", check=False) == ""
    assert lab.ssh("n1", "sudo -S -p '' id -u", user="ops", stdin="ops-password\n").strip() == "0"
    assert "ops-password" in lab.inventory.read_text()


def test_status_says_what_etcd_says(lab: RunningLab) -> None:
    status = lab.status()
    members = {one["name"]: f"{one['ID']:x}" for one in lab.etcdctl("n2", "member", "list")["members"]}
    said = lab.etcdctl("n2", "endpoint", "status")[0]["Status"]
    for node in lab.spec.nodes:
        assert status["nodes"][node.name] == {
            "ip": node.ip,
            "etcd": f"https://{node.ip}:2379",
            "member_id": members[node.name],
            "leader": members[node.name] == f"{said['leader']:x}",
            "healthy": True,
        }


def test_the_client_certificate_serves_tools_on_this_machine(lab: RunningLab) -> None:
    files = [word for name, path in lab.client.items() for word in (f"--{name}", path)]
    url = f"{lab.status()['nodes']['n3']['etcd']}/version"
    done = subprocess.run(["curl", "-sS", "--fail", *files, url], capture_output=True, timeout=20, check=True)
    assert json.loads(done.stdout)["etcdserver"].startswith("3.5.")


def test_the_inventory_is_ansibles(lab: RunningLab) -> None:
    argv = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(lab.inventory), "--list"]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=True)
    listed = json.loads(done.stdout)
    assert listed["etcd"]["hosts"] == list(lab.nodes)
    variables = listed["_meta"]["hostvars"]["n1"]
    assert variables["ansible_host"] == lab.spec.nodes[0].ip
    assert variables["remediate_environment"] == "lab"
    assert variables["remediate_deadline"] == 10
    assert variables["remediate_settle"] == 0


def test_a_node_cannot_change_this_machines_kernel(lab: RunningLab) -> None:
    assert lab.ssh("n1", "echo 5 >/proc/sys/vm/swappiness", check=False) == ""
    assert lab.host("n1").run("sysctl -w vm.swappiness=5").rc != 0
    assert lab.ssh("n1", "sysctl -w net.core.somaxconn=8192 && sysctl -n net.core.somaxconn").endswith(
        "8192\n"
    )
    assert lab.ssh("n2", "sysctl -n net.core.somaxconn") == "4096\n"
    lab.ssh("n1", "sysctl -w net.core.somaxconn=4096")


def test_an_etcd_3_4_cluster_without_some_tools(new_lab: Callable[..., RunningLab]) -> None:
    lab = new_lab("--etcd", "3.4", "--nodes", "1", "--without", "fio", "--without", "etcdctl")
    host = lab.host("n1")
    assert not host.exists("fio")
    assert not host.exists("etcdctl")
    assert lab.ssh("n1", "crictl exec $(crictl ps --name etcd -q) etcd --version").startswith(
        "etcd Version: 3.4."
    )
    assert lab.status()["nodes"]["n1"]["leader"] is True


def test_a_bare_lab_has_sshd_and_no_etcd(new_lab: Callable[..., RunningLab]) -> None:
    lab = new_lab("--bare", "--nodes", "1")
    host = lab.host("n1")
    assert host.service("ssh").is_running
    assert not host.service("kubelet").exists
    assert host.mount_point("/var/lib/etcd").exists
    assert lab.status()["nodes"]["n1"]["etcd"] is None
