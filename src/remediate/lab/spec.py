"""What a lab is made of, and where everything that belongs to it lies."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import msgspec

from remediate.errors import UsageProblem

_NAME = re.compile(r"(?!.*-n\d+$)[a-z][a-z0-9-]{0,19}")  # NAME-n1 is a node of the lab NAME


def cache_root() -> Path:
    """The folder of the built images, kept between labs (`REMEDIATE_LAB_CACHE`)."""
    return Path(os.environ.get("REMEDIATE_LAB_CACHE", "/var/cache/remediate/lab")).absolute()


def state_root() -> Path:
    """The folder with one sub-folder per lab (`REMEDIATE_LAB_STATE`)."""
    return Path(os.environ.get("REMEDIATE_LAB_STATE", "/var/lib/remediate-lab")).absolute()


def check_name(name: str) -> str:
    """Accept a lab's name: it becomes a part of host names, namespaces and paths.

    Raises:
        UsageProblem: it is not 1–20 lower-case letters, digits and dashes, or ends like a node's name.
    """
    if not _NAME.fullmatch(name):
        raise UsageProblem(
            f"{name!r} is no lab name",
            hint="a letter, then at most 19 letters, digits, dashes, all lower-case; not ending like -n1",
        )
    return name


class NodeSpec(msgspec.Struct, frozen=True):
    """One node.

    Attributes:
        name: as in the inventory (n1, n2, …).
        ip: its IPv4 address on the lab's bridge.
        home: folder of its disk images and state on this machine.
        machine: its name on this machine, unique among labs (namespace, nspawn).
        group: its control group, relative to a hierarchy's root.
    """

    name: str
    ip: str
    home: Path
    machine: str
    group: str

    @property
    def client_url(self) -> str:
        """etcd's client URL."""
        return f"https://{self.ip}:2379"

    @property
    def peer_url(self) -> str:
        """etcd's peer URL."""
        return f"https://{self.ip}:2380"


class Lab(msgspec.Struct, frozen=True, kw_only=True):
    """One lab as asked for; `subnet` is the first three octets of its /24.

    Attributes:
        name: the lab's name.
        size: number of nodes.
        etcd: release line of etcd, "3.4" or "3.5".
        image: tag of the container image, for example "3.5.16-0".
        sick: the nodes get the demo's illnesses.
        bare: no etcd.
        kubelet_delay: longest reaction of the lab kubelet to a changed manifest, seconds.
        subnet: first three octets of the lab's addresses.
        inventory: the inventory file to write.
        without: tools that the nodes lack.
    """

    name: str
    size: int
    etcd: str
    image: str
    sick: bool
    bare: bool
    kubelet_delay: float
    subnet: str
    inventory: Path
    without: tuple[str, ...] = ()

    @property
    def home(self) -> Path:
        """The lab's folder."""
        return state_root() / self.name

    @property
    def key(self) -> Path:
        """The private SSH key of the lab's users."""
        return self.home / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The nodes' real host keys."""
        return self.home / "known_hosts"

    @property
    def pki(self) -> Path:
        """CA and client certificate for tools on this machine."""
        return self.home / "pki"

    @property
    def gateway(self) -> str:
        """This machine's address in the lab."""
        return f"{self.subnet}.1"

    @property
    def nodes(self) -> tuple[NodeSpec, ...]:
        """The nodes, n1 first."""
        return tuple(self._node(index) for index in range(1, self.size + 1))

    def node(self, name: str) -> NodeSpec:
        """The node of that name.

        Raises:
            UsageProblem: there is none.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        names = ", ".join(node.name for node in self.nodes)
        raise UsageProblem(f"no node {name!r} in lab {self.name!r}", hint=f"its nodes are {names}")

    def _node(self, index: int) -> NodeSpec:
        name = f"n{index}"
        return NodeSpec(
            name=name,
            ip=f"{self.subnet}.{10 + index}",
            home=self.home / "nodes" / name,
            machine=f"{hub_namespace(self.name)}-{name}",
            group=f"{group_of(self.name)}/{name}",
        )


def hub_namespace(name: str) -> str:
    """The network namespace that holds the lab's bridge; the nodes' namespaces add `-NODE`."""
    return f"remediate-lab-{name}"


def is_node_of(name: str, machine: str) -> bool:
    """Whether a machine or namespace name is that of one of the lab's nodes."""
    prefix = f"{hub_namespace(name)}-n"
    return machine.startswith(prefix) and machine.removeprefix(prefix).isdigit()


def uplink(name: str) -> str:
    """This machine's interface into the lab; at most 15 characters, hence the digest."""
    return "rl" + hashlib.sha256(name.encode()).hexdigest()[:10]


def group_of(name: str) -> str:
    """The control group that holds every process of a lab."""
    return f"remediate-lab/{name}"


def save(lab: Lab) -> None:
    """Write the lab's description into its folder."""
    (lab.home / "lab.json").write_bytes(msgspec.json.encode(lab, enc_hook=str))


def load(name: str) -> Lab:
    """Read a lab's description.

    Raises:
        UsageProblem: no such lab is up, its description is damaged, or it may not be read.
    """
    path = state_root() / check_name(name) / "lab.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Lab, dec_hook=_decode)
    except FileNotFoundError:
        raise UsageProblem(f"lab {name!r} is not up", hint=f"remediate lab up --name {name}") from None
    except PermissionError:
        raise UsageProblem("the lab's files are root's", where=str(path), hint="use sudo") from None
    except msgspec.DecodeError as damage:
        raise UsageProblem(str(damage), where=str(path), hint=f"remediate lab down --name {name}") from None


def _decode(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(kind)
