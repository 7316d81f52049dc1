"""A lab's network: a bridge in a namespace of its own, one namespace per node, one interface of this machine into it.

The bridge is not in this machine's own namespace, so no firewall or bridge filter of it sees the nodes' traffic.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from remediate.errors import ChangeFailed, UsageProblem
from remediate.lab import spec
from remediate.lab.host import run

_POOL = ipaddress.IPv4Network("10.213.0.0/16")
"""Where labs take their /24 from, the first that overlaps with no address or route of this machine."""

BRIDGE = "br0"


def pick_subnet() -> str:
    """First three octets of a /24 that this machine does not use.

    Raises:
        ChangeFailed: none is free.
    """
    used = list(
        _used(run("ip", "-j", "-4", "route", "show", "table", "all"), run("ip", "-j", "-4", "address"))
    )
    used += [ipaddress.IPv4Network(f"{other}.0/24") for other in _reserved()]
    return free_subnet(used)


def free_subnet(used: Iterable[ipaddress.IPv4Network]) -> str:
    """First three octets of the first /24 of the pool that overlaps with none of the used networks.

    Raises:
        ChangeFailed: none is free.
    """
    taken = list(used)
    for candidate in _POOL.subnets(new_prefix=24):
        if not any(candidate.overlaps(network) for network in taken):
            return str(candidate.network_address).rpartition(".")[0]
    raise ChangeFailed(
        f"no free /24 in {_POOL}", hint="remediate lab down the labs that are no longer needed"
    )


def build(lab: spec.Lab) -> None:
    """Make the namespaces, the bridge and the links."""
    hub, host_end = spec.hub_namespace(lab.name), spec.uplink(lab.name)
    run("ip", "netns", "add", hub)
    _in(hub, f"link add {BRIDGE} type bridge", f"link set {BRIDGE} up", "link set lo up")
    run("ip", "link", "add", host_end, "type", "veth", "peer", "name", "uplink", "netns", hub)
    _in(hub, f"link set uplink master {BRIDGE} up")
    run("ip", "address", "add", f"{lab.gateway}/24", "dev", host_end)
    run("ip", "link", "set", host_end, "up")
    for node in lab.nodes:
        run("ip", "netns", "add", node.machine)
        run(
            "ip",
            "-n",
            hub,
            "link",
            "add",
            node.name,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            node.machine,
        )
        _in(node.machine, "link set lo up", f"address add {node.ip}/24 dev eth0", "link set eth0 up")
        _in(hub, f"link set {node.name} master {BRIDGE} up")


def cut(lab: spec.Lab, node: spec.NodeSpec) -> None:
    """Take a node's port off every bridge: it keeps its carrier and hears nobody."""
    _in(spec.hub_namespace(lab.name), f"link set {node.name} nomaster")


def plug(lab: spec.Lab, node: spec.NodeSpec) -> None:
    """Put a node's port on its bridge: the one of its detour where there is one, else the main one."""
    hub = spec.hub_namespace(lab.name)
    bridge = _side(node) if _side(node) in _links(hub) else BRIDGE
    _in(hub, f"link set {node.name} master {bridge}")


def master(lab: spec.Lab, node: spec.NodeSpec) -> str | None:
    """The bridge that a node's port is on; None where it is cut off."""
    return _links(spec.hub_namespace(lab.name)).get(node.name)


def detour(lab: spec.Lab, node: spec.NodeSpec, near: str, far: str) -> None:
    """Lead a node's traffic over two TAP devices: a small bridge joins the node and `near`, the main one has `far`."""
    hub, side = spec.hub_namespace(lab.name), _side(node)
    plugged = master(lab, node) is not None
    _in(hub, f"link add {side} type bridge", f"link set {side} up")
    _in(hub, f"link set {near} master {side} up", f"link set {far} master {BRIDGE} up")
    if plugged:
        plug(lab, node)


def straight(lab: spec.Lab, node: spec.NodeSpec) -> None:
    """Undo `detour`."""
    hub, side = spec.hub_namespace(lab.name), _side(node)
    plugged = master(lab, node) is not None
    if side in _links(hub):
        _in(hub, f"link delete {side}")
    if plugged:
        plug(lab, node)


def remove(name: str) -> None:
    """Remove a lab's namespaces (bridge and links go with them) and this machine's interface."""
    hub = spec.hub_namespace(name)
    for namespace in sorted(Path("/run/netns").glob(f"{hub}*")):
        if namespace.name == hub or spec.is_node_of(name, namespace.name):
            run("ip", "netns", "delete", namespace.name)
    run("ip", "link", "delete", spec.uplink(name), ok=(0, 1))


def _side(node: spec.NodeSpec) -> str:
    return f"br-{node.name}"


def _links(namespace: str) -> dict[str, str | None]:
    """Interface → the bridge that it is on."""
    return {
        link["ifname"]: link.get("master") for link in json.loads(run("ip", "-n", namespace, "-j", "link"))
    }


def _in(namespace: str, *commands: str) -> None:
    run("ip", "-n", namespace, "-batch", "-", stdin="\n".join(commands).encode() + b"\n")


def _used(routes: str, addresses: str) -> Iterator[ipaddress.IPv4Network]:
    for route in json.loads(routes):
        if route["dst"] != "default":
            yield ipaddress.IPv4Network(route["dst"], strict=False)
    for link in json.loads(addresses):
        for address in link.get("addr_info", ()):
            yield ipaddress.IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False)


def _reserved() -> Iterator[str]:
    """Networks of labs whose interface may be missing at the moment."""
    for description in spec.state_root().glob("*/lab.json"):
        with contextlib.suppress(UsageProblem):  # on its way down
            yield spec.load(description.parent.name).subnet
