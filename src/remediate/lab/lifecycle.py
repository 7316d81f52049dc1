"""Building a lab and taking it away without a trace."""

from __future__ import annotations

import secrets
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from remediate.errors import ChangeFailed, UsageProblem
from remediate.lab import disks, groups, images, inventory, keeper, network, pki, sick, spec
from remediate.lab.furniture import Identity, furniture, pack
from remediate.lab.gateway import EtcdUnavailableError, Gateway
from remediate.lab.host import require_root, require_tools
from remediate.lab.inside import inside, wait_for_ssh
from remediate.lab.spec import Lab, NodeSpec

_SSH_SECONDS = 60
_HEALTHY_SECONDS = 90  # the promise for three nodes from a cached image

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What `lab up` was asked for; see `spec.Lab` for the fields."""

    name: str
    size: int
    etcd: str
    sick: bool
    bare: bool
    kubelet_delay: float
    inventory: Path
    without: tuple[str, ...] = ()


def up(request: Request, progress: Progress) -> Lab:
    """Build a lab; if that fails, what was built is taken away again.

    Raises:
        UsageProblem: no root, a missing tool, a bad or used name.
        ChangeFailed: a step failed.
    """
    require_root()
    require_tools()
    home = spec.state_root() / spec.check_name(request.name)
    if home.exists():
        hint = f"remediate lab down --name {request.name}"
        raise UsageProblem(f"lab {request.name!r} is up, or was left half-way", hint=hint)
    inventory.check_free(request.inventory)
    built = images.ensure(None if request.bare else request.etcd, progress)
    try:
        lab = _claim(request, built)
        _prepare(lab, built)
        progress(f"booting {lab.size} node{'s' * (lab.size > 1)} in {lab.subnet}.0/24")
        _boot(lab)
        if not lab.bare:
            progress("waiting for a healthy cluster")
            wait_until_healthy(lab, time.monotonic() + _HEALTHY_SECONDS)
        if lab.sick:
            sick.infect(lab, progress)
        for tool in lab.without:
            _hide(lab, tool)
        inventory.write(lab)
    except BaseException:
        down(request.name)
        raise
    return lab


def down(name: str) -> None:
    """Take a lab away with all that belongs to it; a lab that is not there is fine.

    Raises:
        UsageProblem: no root.
        ChangeFailed: something does not go away.
    """
    require_root()
    home = spec.state_root() / spec.check_name(name)
    spec.state_root().mkdir(parents=True, exist_ok=True)
    with images.lock(spec.state_root() / ".lock"):
        inventory_file = _inventory_of(name)
        groups.remove(spec.group_of(name))
        network.remove(name)
        disks.detach(home)
        disks.discard(home)
        _forget_machines(name)
        if inventory_file is not None:
            inventory.remove(inventory_file)


def start_keeper(lab: Lab, node: NodeSpec) -> None:
    """Boot a node that is down, under a keeper."""
    with (node.home / "console.log").open("ab") as log:
        subprocess.Popen(
            keeper.command(lab, node),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )


def wait_until_healthy(lab: Lab, deadline: float) -> None:
    """Wait until every member says that it is healthy and all name the same leader.

    Args:
        lab: the lab.
        deadline: monotonic time.

    Raises:
        ChangeFailed: it does not come to this in time.
    """
    while sick := [node.name for node in lab.nodes if not _leader_seen(lab, node)]:
        if time.monotonic() > deadline:
            raise ChangeFailed(
                "etcd is not healthy", where=" ".join(sick), hint=f"see {lab.home}/nodes/*/console.log"
            )
        time.sleep(0.2)


def _leader_seen(lab: Lab, node: NodeSpec) -> bool:
    gateway = Gateway(lab, node, timeout=2)
    try:
        return gateway.healthy() and gateway.status().leader_id != "0"
    except EtcdUnavailableError:
        return False
    finally:
        gateway.close()


def _claim(request: Request, built: images.Images) -> Lab:
    """Reserve the lab's name and network, and build the network."""
    spec.state_root().mkdir(parents=True, exist_ok=True)
    with images.lock(spec.state_root() / ".lock"):
        lab = Lab(
            name=request.name,
            size=request.size,
            etcd=request.etcd,
            image=built.tag,
            sick=request.sick,
            bare=request.bare,
            kubelet_delay=request.kubelet_delay,
            subnet=network.pick_subnet(),
            inventory=request.inventory.absolute(),
            without=request.without,
        )
        lab.home.mkdir(mode=0o700)
        spec.save(lab)
        network.build(lab)
    return lab


def _prepare(lab: Lab, built: images.Images) -> None:
    """Keys, certificates, disks and files of every node."""
    user_public = _new_key(lab.key)
    ca = None if lab.bare else pki.authority()
    if ca is not None:
        lab.pki.mkdir()
        (lab.pki / "ca.crt").write_bytes(ca.cert_pem)
        pki.write(pki.client(ca, "lab-client"), lab.pki, "client")
    known: list[str] = []
    for node in lab.nodes:
        data_uuid = str(uuid.uuid4())
        disks.create(node.home, {"system": str(uuid.uuid4()), "data": data_uuid})
        host_public = _new_key(node.home / "host_key")
        known.append(f"{node.ip} {host_public.decode()}\n")
        identity = Identity(
            host_key=(node.home / "host_key").read_bytes(),
            host_key_public=host_public + b"\n",
            user_key_public=user_public + b"\n",
            machine_id=secrets.token_hex(16),
            data_uuid=data_uuid,
        )
        (node.home / keeper.FURNITURE).write_bytes(pack(furniture(lab, node, identity, ca)))
        binds = [f"{built.etcd}\tlocalhost/etcd/{built.tag}"] if built.etcd else []
        (node.home / keeper.IMAGES_FILE).write_text("\n".join([str(built.base), *binds]) + "\n")
    lab.known_hosts.write_text("".join(known))


def _new_key(path: Path) -> bytes:
    """Write a private SSH key (0600) and return its public half as one line."""
    key = Ed25519PrivateKey.generate()
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    )
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)


def _boot(lab: Lab) -> None:
    for node in lab.nodes:
        start_keeper(lab, node)
    for node in lab.nodes:
        wait_for_ssh(node, time.monotonic() + _SSH_SECONDS)


def _hide(lab: Lab, tool: str) -> None:
    for node in lab.nodes:
        script = 'path=$(command -v "$1") && mv "$path" "$path.hidden"'
        inside(node, "sh", "-c", script, "hide", tool)


def _forget_machines(name: str) -> None:
    """Remove the folders that systemd-nspawn leaves for each machine."""
    for folder in Path("/run/systemd/nspawn/propagate").glob(f"{spec.hub_namespace(name)}-n*"):
        if spec.is_node_of(name, folder.name):
            folder.rmdir()


def _inventory_of(name: str) -> Path | None:
    try:
        return spec.load(name).inventory
    except UsageProblem:
        return None
