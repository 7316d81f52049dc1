"""Many silent hosts are grouped in a time that grows with their number, not with its square."""

from __future__ import annotations

from unittest.mock import patch

from remediate.etcd import assemble
from remediate.etcd.model import EtcdHost, ManifestFile

MANIFEST = "    - etcd\n    - --name=n1\n    - --initial-advertise-peer-urls=https://192.0.2.1:2380\n"


def test_silent_hosts_are_not_held_against_each_other() -> None:
    file = ManifestFile("/etc/kubernetes/manifests/etcd.yaml", MANIFEST, "0" * 64, "600", "root:root", "etcd")
    hosts = [EtcdHost(f"n{number}", "etcd", {}, manifests=(file,)) for number in range(100)]
    with patch.object(assemble, "_lists", wraps=assemble._lists) as asked:
        found = assemble.clusters(hosts)
    assert len(found) == 100
    assert asked.call_count == 0, "no cluster answers, so there is no member list to look at"
