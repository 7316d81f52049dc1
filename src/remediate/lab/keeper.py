"""The process that keeps one node: mounts its root, boots it, boots it again after a reboot or a power cut.

It runs in a mount namespace of its own, so whatever ends it takes the mounts with it.
`python -m remediate.lab.keeper LAB NODE`
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from remediate.errors import RemediateError
from remediate.lab import disks, groups, spec
from remediate.lab.furniture import IMAGES
from remediate.lab.host import run
from remediate.lab.limits import apply_limit
from remediate.lab.spec import Lab, NodeSpec

AFTER_CUT = ".cut"
"""Suffix of the disk images that the node boots from after a power cut."""

FURNITURE = "furniture.tar"
IMAGES_FILE = "images"

_REBOOT = 133  # systemd-nspawn --keep-unit: the container wants to be started again


def command(lab: Lab, node: NodeSpec) -> list[str]:
    """The command line that starts a node's keeper inside its control group."""
    keeper = [sys.executable, "-m", "remediate.lab.keeper", lab.name, node.name]
    # slave: a namespace that goes away on this machine goes away here too
    return groups.entering(group(node), "unshare", "--mount", "--propagation", "slave", *keeper)


def group(node: NodeSpec) -> str:
    """The control group of a node's keeper."""
    return f"{node.group}.keeper"


def keep(node: NodeSpec) -> None:
    """Run the node until it is switched off or killed."""
    again = True
    while again:
        devices = disks.attach(node.home)
        root = _mount(node, devices["system"].path)
        apply_limit(node)
        status = subprocess.run(
            groups.entering(node.group, *_nspawn(node, root, devices)),
            env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network", "SYSTEMD_NSPAWN_LOCK": "0"},
            stdin=subprocess.DEVNULL,
            check=False,
        ).returncode
        groups.kill(node.group)
        run("umount", str(root), str(node.home / "sys"))
        again = _after_cut(node) or status == _REBOOT


def _mount(node: NodeSpec, system: str) -> Path:
    """The node's root: its system disk over the base image."""
    base = (node.home / IMAGES_FILE).read_text().splitlines()[0]
    disk, root = node.home / "sys", node.home / "root"
    for folder in (disk, root):
        folder.mkdir(exist_ok=True)
    run("mount", "-t", "xfs", system, str(disk))
    for layer in ("upper", "work"):
        (disk / layer).mkdir(exist_ok=True)
    layers = f"lowerdir={base},upperdir={disk / 'upper'},workdir={disk / 'work'}"
    run("mount", "-t", "overlay", node.machine, "-o", layers, str(root))
    furniture = node.home / FURNITURE
    if furniture.exists():
        run("tar", "-C", str(root), "--no-overwrite-dir", "-xpf", str(furniture))
        run("sync", "--file-system", str(disk))
        furniture.unlink()
    return root


def _nspawn(node: NodeSpec, root: Path, devices: dict[str, disks.Device]) -> list[str]:
    images = (node.home / IMAGES_FILE).read_text().splitlines()[1:]
    return [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        f"--directory={root}",
        f"--machine={node.machine}",
        f"--hostname={node.name}",
        "--register=no",
        "--keep-unit",
        f"--network-namespace-path=/run/netns/{node.machine}",
        "--capability=all",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=pipe",
        *(f"--bind={devices[disk].path}" for disk in ("data", "spare")),
        *(
            f"--bind-ro={source}:{IMAGES}/{place}"
            for source, _, place in (one.partition("\t") for one in images)
        ),
    ]


def _after_cut(node: NodeSpec) -> bool:
    """Put the images of the power cut in place of the disks; whether there were any."""
    copies = sorted(node.home.glob(f"*.img{AFTER_CUT}"))
    if copies:
        disks.release(node.home)
        for copy in copies:
            copy.rename(copy.with_suffix(""))
    return bool(copies)


if __name__ == "__main__":
    try:
        keep(spec.load(sys.argv[1]).node(sys.argv[2]))
    except RemediateError as problem:
        sys.exit(f"keeper: {problem}")
