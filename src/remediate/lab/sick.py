"""The demo's patient: a healthy lab made ill by real means, each of which shows in etcd's or the kernel's own figures.

A fragmented database and no compaction (the manifest lacks the flags), a data disk that takes few writes per second,
and a backup job that writes to that very disk. Default priority is what etcd has anyway.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from remediate.errors import ChangeFailed
from remediate.lab.furniture import pack, unit
from remediate.lab.gateway import EtcdUnavailableError, Gateway
from remediate.lab.inside import inside
from remediate.lab.limits import SICK_IOPS, set_limit
from remediate.lab.spec import Lab, NodeSpec

_VALUE = b"x" * (1 << 20)  # below etcd's limit of 1.5 MiB per request
_KEYS = 60
_VERSIONS = 3
"""60 keys of 1 MiB, each written three times and compacted: 180 MiB on disk of which two thirds are free."""

_LEAST_SIZE = 100 << 20
_LEAST_FREE = 0.45
"""What the demo needs: cluster-etcd-operator defragments at ≥ 45 % and ≥ 100 MiB (FIELD-NOTES)."""

_WRITER = """\
[Unit]
Description=Nightly backup of the node, in broad daylight (the lab's competing writer)
After=var-lib-etcd.mount

[Service]
ExecStart=/bin/sh -c 'mkdir -p /var/lib/etcd/.backup; while :; do dd if=/dev/zero of=/var/lib/etcd/.backup/archive \\
  bs=16k count=64 oflag=dsync conv=notrunc status=none; sleep 0.1; done'

[Install]
WantedBy=multi-user.target
"""


def infect(lab: Lab, progress: Callable[[str], None]) -> None:
    """Make a healthy lab sick.

    Raises:
        ChangeFailed: etcd did not take the writes, or the database did not become what it should.
    """
    progress("filling and fragmenting the database")
    try:
        _fragment(lab)
    except EtcdUnavailableError as problem:
        raise ChangeFailed(f"etcd does not take the writes: {problem}", where=lab.name) from None
    progress("slowing the data disks, starting the competing writer")
    writer = pack(unit("backup-agent.service", _WRITER, "multi-user.target"))
    for node in lab.nodes:
        inside(node, "tar", "-C", "/", "--no-overwrite-dir", "-xpf", "-", stdin=writer)
        inside(node, "systemctl", "daemon-reload")
        set_limit(node, SICK_IOPS)
        inside(node, "systemctl", "start", "backup-agent.service")


def _fragment(lab: Lab) -> None:
    with ThreadPoolExecutor(max_workers=lab.size) as pool:  # one connection per member
        list(pool.map(lambda index: _write(lab, index), range(lab.size)))
    first = Gateway(lab, lab.nodes[0], timeout=60)
    first.compact(first.status().revision)
    deadline = time.monotonic() + 30
    while unfit := [node.name for node in lab.nodes if not _is_fragmented(lab, node)]:
        if time.monotonic() > deadline:
            raise ChangeFailed("the database did not become fragmented", where=" ".join(unfit))
        first.put("/registry/lab", b"freed pages count only after the next commit")
        time.sleep(0.3)
    first.close()


def _write(lab: Lab, index: int) -> None:
    gateway = Gateway(lab, lab.nodes[index], timeout=60)
    for _ in range(_VERSIONS):
        for key in range(index, _KEYS, lab.size):
            gateway.put(f"/registry/configmaps/lab/{key:03}", _VALUE)
    gateway.close()


def _is_fragmented(lab: Lab, node: NodeSpec) -> bool:
    gateway = Gateway(lab, node, timeout=30)
    seen = gateway.status()
    gateway.close()
    return seen.db_size >= _LEAST_SIZE and 1 - seen.db_in_use / seen.db_size >= _LEAST_FREE
