"""Faults for a lab's nodes; each is real, and ends only when it has taken effect."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from remediate.errors import ChangeFailed, UsageProblem
from remediate.lab import disks, groups, keeper, limits, network, spec
from remediate.lab.host import require_root
from remediate.lab.inside import inside, leader
from remediate.lab.lifecycle import start_keeper
from remediate.lab.spec import Lab, NodeSpec

_BOOT_SECONDS = 60.0
_STOP_SECONDS = 60.0  # a container's grace period is 30 s
_TAP_SECONDS = 10.0

_MANIFEST = "/etc/kubernetes/manifests/etcd.yaml"
_STOPPED = "/etc/kubernetes/etcd.yaml.stopped"

_FILL = """
file=/var/lib/etcd/.lab-fill
touch "$file"
for size in 1073741824 67108864 1048576 65536 4096; do
  while fallocate --offset "$(stat -c %s "$file")" --length "$size" "$file" 2>/dev/null; do :; done
done
"""


def inject(lab: Lab, node: NodeSpec, kind: str, *, undo: bool) -> None:
    """Cause a fault or take it back.

    Args:
        lab: the lab.
        node: its node.
        kind: one of `KINDS`.
        undo: take it back; for `reboot` and `power-cut`, which are over by themselves: make sure that the node runs.

    Raises:
        UsageProblem: no root, or no such kind.
        ChangeFailed: it did not take effect.
    """
    require_root()
    if kind not in KINDS:
        raise UsageProblem(f"no fault {kind!r}", hint=f"there are {', '.join(KINDS)}")
    KINDS[kind][undo](lab, node)


def _stop_etcd(lab: Lab, node: NodeSpec) -> None:
    inside(node, "sh", "-c", f"[ ! -e {_MANIFEST} ] || mv {_MANIFEST} {_STOPPED}")
    _await(
        lambda: not _etcd_runs(node), _STOP_SECONDS + lab.kubelet_delay, f"{node.name}: etcd does not stop"
    )


def _start_etcd(lab: Lab, node: NodeSpec) -> None:
    inside(node, "sh", "-c", f"[ ! -e {_STOPPED} ] || mv {_STOPPED} {_MANIFEST}")
    _await(lambda: _etcd_runs(node), _STOP_SECONDS + lab.kubelet_delay, f"{node.name}: etcd does not start")


def _etcd_runs(node: NodeSpec) -> bool:
    return any(_comm(pid) == "etcd" for pid in groups.processes(node.group))


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _kill(_: Lab, node: NodeSpec) -> None:
    """A crash of the node: nothing is shut down, but the page cache lives on."""
    groups.kill(node.group)
    _await(
        lambda: not groups.processes(keeper.group(node)),
        _STOP_SECONDS,
        f"{node.name}: its keeper does not end",
    )


def _start(lab: Lab, node: NodeSpec) -> None:
    if leader(node) is None:
        start_keeper(lab, node)
    _await(lambda: _booted(node), _BOOT_SECONDS, f"{node.name} does not boot")


def _reboot(_: Lab, node: NodeSpec) -> None:
    before = leader(node)
    inside(node, "systemctl", "reboot")
    _await(lambda: leader(node) != before and _booted(node), _BOOT_SECONDS, f"{node.name} does not boot")


def _booted(node: NodeSpec) -> bool:
    try:
        inside(node, "systemctl", "is-active", "--quiet", "ssh.service")
    except ChangeFailed:
        return False
    return True


def _power_cut(lab: Lab, node: NodeSpec) -> None:
    """From one instant on nothing of the node runs or reaches its disks; it boots from a copy of what was on them."""
    before = leader(node)
    if before is None:
        raise ChangeFailed("is down", where=node.name)
    was_cut = network.master(lab, node) is None
    network.cut(lab, node)
    for pid in groups.processes(node.group):
        os.kill(pid, signal.SIGSTOP)
    disks.stop_writes(_mount_points(node, before))
    disks.copy_images(node.home, keeper.AFTER_CUT)
    groups.kill(node.group)
    if not was_cut:
        network.plug(lab, node)
    _await(lambda: _booted(node), _BOOT_SECONDS, f"{node.name} does not boot")


def _mount_points(node: NodeSpec, pid: int) -> list[str]:
    """Paths, as this process can open them, of every mounted file system on the node's disks."""
    numbers = {device.number for device in disks.attached(node.home).values()}
    found: dict[str, str] = {}
    for viewer in (pid, *groups.processes(keeper.group(node))):
        for line in Path(f"/proc/{viewer}/mountinfo").read_text().splitlines():
            fields = line.split()
            if fields[2] in numbers:
                found.setdefault(fields[2], f"/proc/{viewer}/root{fields[4]}")
    return list(found.values())


def _slow_disk(_: Lab, node: NodeSpec) -> None:
    limits.set_limit(node, limits.SLOW_IOPS)


def _usual_disk(lab: Lab, node: NodeSpec) -> None:
    limits.set_limit(node, limits.SICK_IOPS if lab.sick else None)


def _slow_network(lab: Lab, node: NodeSpec) -> None:
    if groups.processes(_forwarder_group(node)):
        return
    near, far = f"near-{node.name}", f"far-{node.name}"
    forwarder = [sys.executable, "-m", "remediate.lab.forwarder", near, far]
    hub = spec.hub_namespace(lab.name)
    with (node.home / "forwarder.log").open("ab") as log:
        process = subprocess.Popen(
            groups.entering(_forwarder_group(node), "ip", "netns", "exec", hub, *forwarder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    with process.stdout:
        if (
            not select.select([process.stdout], [], [], _TAP_SECONDS)[0]
            or process.stdout.readline() != b"READY\n"
        ):
            raise ChangeFailed(
                "the forwarder does not start", where=node.name, hint=f"see {node.home}/forwarder.log"
            )
    network.detour(lab, node, near, far)


def _usual_network(lab: Lab, node: NodeSpec) -> None:
    network.straight(lab, node)
    groups.remove(_forwarder_group(node))


def _forwarder_group(node: NodeSpec) -> str:
    return f"{node.group}.forwarder"


def _heal(lab: Lab, node: NodeSpec) -> None:
    network.plug(lab, node)


def _fill(_: Lab, node: NodeSpec) -> None:
    inside(node, "sh", "-c", _FILL)


def _empty(_: Lab, node: NodeSpec) -> None:
    inside(node, "rm", "-f", "/var/lib/etcd/.lab-fill")


def _await(reached: Callable[[], bool], seconds: float, complaint: str) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise ChangeFailed(f"{complaint} within {seconds:g} s")
        time.sleep(0.1)


_Step = Callable[[Lab, NodeSpec], None]

KINDS: dict[str, tuple[_Step, _Step]] = {
    "stop-etcd": (_stop_etcd, _start_etcd),
    "kill": (_kill, _start),
    "reboot": (_reboot, _start),
    "power-cut": (_power_cut, _start),
    "slow-disk": (_slow_disk, _usual_disk),
    "slow-network": (_slow_network, _usual_network),
    "partition": (network.cut, _heal),
    "fill-disk": (_fill, _empty),
}
"""Kind → how it is caused, how it is taken back."""
