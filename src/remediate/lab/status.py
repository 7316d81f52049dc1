"""How a lab is, seen from this machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from remediate.lab.gateway import EtcdUnavailableError, Gateway, Status
from remediate.lab.spec import Lab, NodeSpec


def status(lab: Lab) -> dict[str, Any]:
    """The document of `lab status --output json`.

    Returns:
        `{nodes: {NAME: {ip, etcd, member_id, leader, healthy}}, client: {cacert, cert, key}}`; `etcd` is the client
        URL, IDs are hexadecimal, `leader` is whether this member leads; what a bare lab lacks is null.
    """
    if lab.bare:
        nodes = {node.name: _entry(node, None, None, False) | {"etcd": None} for node in lab.nodes}
        return {"nodes": nodes, "client": {"cacert": None, "cert": None, "key": None}}
    with ThreadPoolExecutor(max_workers=lab.size) as pool:
        seen = list(pool.map(lambda node: _look(lab, node), lab.nodes))
    ids = next((members for _, members, _ in seen if members), {})
    nodes = {
        node.name: _entry(node, said, ids.get(node.name), healthy)
        for node, (said, _, healthy) in zip(lab.nodes, seen, strict=True)
    }
    files = {"cacert": "ca.crt", "cert": "client.crt", "key": "client.key"}
    return {"nodes": nodes, "client": {name: str(lab.pki / file) for name, file in files.items()}}


def _look(lab: Lab, node: NodeSpec) -> tuple[Status | None, dict[str, str], bool]:
    gateway = Gateway(lab, node, timeout=3)
    try:
        return gateway.status(), gateway.members(), gateway.healthy()
    except EtcdUnavailableError:
        return None, {}, False
    finally:
        gateway.close()


def _entry(node: NodeSpec, said: Status | None, member_id: str | None, healthy: bool) -> dict[str, Any]:
    return {
        "ip": node.ip,
        "etcd": node.client_url,
        "member_id": said.member_id if said else member_id,
        "leader": said is not None and said.member_id == said.leader_id,
        "healthy": healthy,
    }
