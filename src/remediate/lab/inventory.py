"""The inventory file and the known_hosts that a lab leaves for the tools that work on it."""

from __future__ import annotations

from pathlib import Path

from remediate.errors import UsageProblem
from remediate.lab import disks
from remediate.lab.furniture import OPS_PASSWORD
from remediate.lab.spec import Lab

DEADLINE = 10
"""Seconds that a disrupting change may take in a lab (SAFETY, "Confirmed change"), beside the kubelet's reaction."""

_USUAL_DELAY = 2.0  # the delay that DEADLINE already covers

_MARK = "# Written by `remediate lab up"

_HEAD = f"""\
{_MARK} --name {{name}}`; `remediate lab down --name {{name}}` deletes it.
# Users: root by key; `ops` by key, sudo asks for the password "{{password}}"; `admin` by key, sudo asks nothing.
# To hide a tool from a node: lab up --without TOOL, or rename it there (etcdctl is /usr/local/bin/etcdctl).
# The lab kubelet's reaction: LAB_KUBELET_DELAY (seconds) in /etc/default/kubelet, then systemctl restart kubelet.
"""


def text(lab: Lab) -> str:
    """The inventory in Ansible's YAML format."""
    lines = ["etcd:", "  hosts:"]
    for node in lab.nodes:
        spare = disks.attached(node.home)["spare"].path
        lines += [f"    {node.name}:", f"      ansible_host: {node.ip}", f"      lab_spare_disk: {spare}"]
    deadline = DEADLINE + max(0.0, lab.kubelet_delay - _USUAL_DELAY)
    lines += [
        "  vars:",
        "    ansible_user: root",
        "    ansible_port: 22",
        f"    ansible_ssh_private_key_file: {lab.key}",
        f"    ansible_ssh_common_args: -o UserKnownHostsFile={lab.known_hosts}",
        "    remediate_environment: lab",
        f"    remediate_deadline: {deadline:g}",
        "    remediate_settle: 0",
    ]
    return _HEAD.format(name=lab.name, password=OPS_PASSWORD) + "\n".join(lines) + "\n"


def check_free(path: Path) -> None:
    """Refuse to take the place of somebody's own inventory.

    Raises:
        UsageProblem: the file exists, and no lab wrote it.
    """
    if path.exists() and not _is_ours(path):
        raise UsageProblem(
            "an inventory that no lab wrote is in the way",
            where=str(path),
            hint="another --name or --inventory",
        )


def write(lab: Lab) -> None:
    """Write the inventory file."""
    lab.inventory.parent.mkdir(parents=True, exist_ok=True)
    lab.inventory.write_text(text(lab))


def remove(path: Path) -> None:
    """Delete a lab's inventory file; somebody's own stays."""
    if _is_ours(path):
        path.unlink()


def _is_ours(path: Path) -> bool:
    return path.is_file() and path.read_bytes().startswith(_MARK.encode())
