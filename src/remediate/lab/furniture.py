"""What makes the base image one certain node: keys, names, mounts, certificates, manifest, lab kubelet.

Pure: a list of files. The node's keeper unpacks them over the base image before the first boot.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources

from remediate.lab import pki
from remediate.lab.manifest import PKI, manifest
from remediate.lab.spec import Lab, NodeSpec

USERS = {"root": (0, "/root"), "ops": (1001, "/home/ops"), "admin": (1002, "/home/admin")}
"""Users with the lab's SSH key → user ID and home; `ops` needs a password for sudo, `admin` needs none."""

OPS_PASSWORD = "ops-password"  # noqa: S105  # of a machine that only this one can reach, and only with a key

IMAGES = "/var/lib/lab-kubelet/images"
_NODE_LIB = "/usr/local/lib/lab"

_KUBELET_UNIT = f"""\
[Unit]
Description=Lab kubelet (an imitation: static pods only)
After=local-fs.target network.target

[Service]
Environment=PYTHONPATH={_NODE_LIB} PYTHONDONTWRITEBYTECODE=1
EnvironmentFile=/etc/default/kubelet
ExecStart=/usr/bin/python3 -m labnode.kubelet
Restart=always
RestartSec=1
KillMode=process

[Install]
WantedBy=multi-user.target
"""

# A unit, because systemd ignores fstab's devices where /sys is read-only. As with fstab's `nofail` the node boots
# without its disk too, and then the kubelet's hostPath is an empty folder: the trap that FIELD-NOTES describes.
_DATA_MOUNT = """\
[Unit]
Before=local-fs.target

[Mount]
What=UUID={uuid}
Where=/var/lib/etcd
Type=xfs

[Install]
WantedBy=local-fs.target
"""

_CRICTL = f"""\
#!/bin/sh
PYTHONPATH={_NODE_LIB} PYTHONDONTWRITEBYTECODE=1 exec python3 -m labnode.crictl "$@"
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, a folder (`content` is None) or a symbolic link (`target`)."""

    path: str
    content: bytes | None = None
    mode: int = 0o644
    owner: int = 0
    target: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """What is a node's own secret or random: made once per node.

    Attributes:
        host_key: private SSH host key.
        host_key_public: its public half.
        user_key_public: public SSH key of the lab's users.
        machine_id: 32 hexadecimal digits.
        data_uuid: UUID of the file system on the data disk.
    """

    host_key: bytes
    host_key_public: bytes
    user_key_public: bytes
    machine_id: str
    data_uuid: str


def furniture(lab: Lab, node: NodeSpec, identity: Identity, ca: pki.Pair | None) -> list[Entry]:
    """Every file that makes the base image this node; without a CA, a bare node."""
    entries = [*_system(lab, node, identity), *_users(identity)]
    if ca is not None:
        entries += [*_certificates(node, ca), *_kubelet(lab, node)]
    return entries


def pack(entries: Iterable[Entry]) -> bytes:
    """The entries as a tar archive, all of this moment."""
    buffer, now = io.BytesIO(), int(time.time())
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.path.lstrip("/"))
            info.mode, info.uid, info.gid = entry.mode, entry.owner, entry.owner
            info.mtime = now
            if entry.target:
                info.type, info.linkname = tarfile.SYMTYPE, entry.target
            elif entry.content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(entry.content)
            archive.addfile(info, io.BytesIO(entry.content or b""))
    return buffer.getvalue()


def _system(lab: Lab, node: NodeSpec, identity: Identity) -> Iterator[Entry]:
    hosts = ["127.0.0.1 localhost", "::1 localhost", *(f"{other.ip} {other.name}" for other in lab.nodes)]
    yield Entry("/etc/hostname", f"{node.name}\n".encode())
    yield Entry("/etc/hosts", "".join(f"{line}\n" for line in hosts).encode())
    yield Entry("/etc/machine-id", f"{identity.machine_id}\n".encode(), 0o444)
    yield Entry("/etc/ssh/ssh_host_ed25519_key", identity.host_key, 0o600)
    yield Entry("/etc/ssh/ssh_host_ed25519_key.pub", identity.host_key_public)
    yield from unit("var-lib-etcd.mount", _DATA_MOUNT.format(uuid=identity.data_uuid), "local-fs.target")
    yield Entry("/etc/tmpfiles.d/etcd.conf", b"d /var/lib/etcd 0700 root root -\n")
    yield Entry("/var/lib/etcd", mode=0o700)


def _users(identity: Identity) -> Iterator[Entry]:
    for owner, home in USERS.values():
        yield Entry(f"{home}/.ssh", None, 0o700, owner)
        yield Entry(f"{home}/.ssh/authorized_keys", identity.user_key_public, 0o600, owner)


def _certificates(node: NodeSpec, ca: pki.Pair) -> Iterator[Entry]:
    yield Entry(f"{PKI}/ca.crt", ca.cert_pem)
    yield Entry(f"{PKI}/ca.key", ca.key_pem, 0o600)
    pairs = {
        f"{PKI}/server": pki.server(ca, node.name, node.ip),
        f"{PKI}/peer": pki.server(ca, node.name, node.ip),
        f"{PKI}/healthcheck-client": pki.client(ca, "kube-etcd-healthcheck-client"),
        "/etc/kubernetes/pki/apiserver-etcd-client": pki.client(ca, "kube-apiserver-etcd-client"),
    }
    for path, pair in pairs.items():
        yield Entry(f"{path}.crt", pair.cert_pem)
        yield Entry(f"{path}.key", pair.key_pem, 0o600)


def _kubelet(lab: Lab, node: NodeSpec) -> Iterator[Entry]:
    yield Entry("/etc/kubernetes/manifests/etcd.yaml", manifest(lab, node).encode(), 0o600)
    yield Entry("/etc/default/kubelet", f"LAB_KUBELET_DELAY={lab.kubelet_delay:g}\n".encode())
    yield from unit("kubelet.service", _KUBELET_UNIT, "multi-user.target")
    yield Entry("/usr/local/bin/crictl", _CRICTL.encode(), 0o755)
    for source in (resources.files("remediate.lab") / "node").iterdir():
        if source.name.endswith(".py"):
            yield Entry(f"{_NODE_LIB}/labnode/{source.name}", source.read_bytes())
    name, _, tag = f"localhost/etcd:{lab.image}".rpartition(":")
    yield Entry("/usr/local/bin/etcdctl", target=f"{IMAGES}/{name}/{tag}/usr/bin/etcdctl")


def unit(name: str, text: str, wanted_by: str) -> Iterator[Entry]:
    """A systemd unit, enabled."""
    path = f"/etc/systemd/system/{name}"
    yield Entry(path, text.encode())
    yield Entry(f"/etc/systemd/system/{wanted_by}.wants/{name}", target=path)
