"""The files that hold etcd's flags: static-pod manifests, environment files, and Rancher's config.yaml."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar

from remediate.etcd.model import FlagFile, Layout, ManifestFile
from remediate.facts.base import Fact, FactError, Frame
from remediate.node.shell import sh

FOLDERS = ("/etc/kubernetes/manifests", "/var/lib/rancher/rke2/agent/pod-manifests")
"""Where kubelets read static pods (kubeadm and OpenShift; RKE2)."""

_FILES = (
    ("/etc/etcd.env", Layout.ENV_FILE, "etcd"),
    ("/etc/etcd-events.env", Layout.ENV_FILE, "etcd-events"),
    ("/etc/default/etcd", Layout.ENV_FILE, "etcd"),
    ("/etc/etcd/etcd.conf", Layout.ENV_FILE, "etcd"),
    ("/etc/rancher/k3s/config.yaml", Layout.K3S, "etcd"),
    ("/etc/rancher/rke2/config.yaml", Layout.RKE2, "etcd"),
)
"""FIELD-NOTES, "Where etcd lives": kubespray, Debian, upstream and RHEL, k3s, RKE2."""

_MENTIONS_ETCD = re.compile(r"""name:\s*["']?etcd|/etcd[:@]|[\s"'/[,]etcd["']?(?=[\s,\]]|$)""")
"""Cheap sieve before the YAML parser: an etcd pod's name, its image, or its command, broken file or not.

kube-apiserver's `--etcd-servers=…` and `pki/etcd/ca.crt` pass through it.
"""


def _probe(words: str) -> str:
    """One stat and one cat for all the files that `words`, quoted paths and globs, name."""
    return f"""
set --
for d_file in {words}; do
    [ ! -f "$d_file" ] || set -- "$@" "$d_file"
done
echo $#
[ $# -eq 0 ] || {{ stat -Lc '%s %a %U:%G %n' -- "$@" && exec cat -- "$@"; }}
"""


@dataclass(frozen=True, slots=True)
class _Read:
    path: str
    text: str
    mode: str
    owner: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def _files(frame: Frame) -> Iterator[_Read]:
    """Sizes tell where one file ends and the next begins: contents are kept to the byte."""
    if frame.truncated:
        raise FactError("the files are larger than what is read of them")
    count, _, rest = frame.out.partition("\n")
    if not count.isdecimal():
        raise FactError("the files could not be read")
    *heads, body = rest.split("\n", int(count))
    content = body.encode()
    for head in heads:
        size, mode, owner, path = head.split(" ", 3)
        data, content = content[: int(size)], content[int(size) :]
        if len(data) != int(size):
            raise FactError(f"{path} changed while it was read, or a file beside it is not UTF-8")
        yield _Read(path, data.decode(), mode, owner)
    if content.strip():
        raise FactError("a file changed while it was read, or is not UTF-8")


@dataclass(frozen=True)
class StaticPods(Fact[tuple[ManifestFile, ...]]):
    """Every file of the static-pod folders that names an etcd pod, hidden and unparsable ones too, by path.

    Attributes:
        folders: absolute paths on the node.
    """

    folders: tuple[str, ...] = FOLDERS
    timeout: ClassVar[int] = 10

    def probe(self) -> str:
        """One stat and one cat for all files."""
        patterns = (sh("{}/* {}/.[!.]*", folder, folder) for folder in self.folders)
        return _probe(" ".join(patterns))

    def parse(self, frame: Frame) -> tuple[ManifestFile, ...]:
        """Files in the order of their paths; raises FactError where one cannot be read to the byte."""
        found = (_manifest(file) for file in _files(frame) if _MENTIONS_ETCD.search(file.text))
        return tuple(sorted((file for file in found if file), key=lambda file: file.path))


def _manifest(file: _Read) -> ManifestFile | None:
    """None where the file is readable and is no etcd pod."""
    name = pod_name(file.text)
    if name is None:
        return None
    hidden = PurePosixPath(file.path).name.startswith(".")
    return ManifestFile(file.path, file.text, file.sha256, file.mode, file.owner, name, hidden)


def pod_name(text: str) -> str | None:
    """The name of the etcd pod that a manifest describes: empty where it is no YAML, None where it is no etcd pod."""
    import yaml

    try:
        pod = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (yaml.YAMLError, RecursionError):
        return ""
    if not isinstance(pod, dict):
        return ""
    metadata = pod.get("metadata")
    name = str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
    return name if name.startswith("etcd") or _runs_etcd(pod) else None


def _runs_etcd(pod: dict[Any, Any]) -> bool:
    spec = pod.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    return any(
        isinstance(container, dict) and _program(container) == "etcd"
        for container in (containers if isinstance(containers, list) else ())
    )


def _program(container: dict[Any, Any]) -> str:
    command = container.get("command")
    return PurePosixPath(str(command[0])).name if isinstance(command, list) and command else ""


@dataclass(frozen=True)
class FlagFiles(Fact[tuple[FlagFile, ...]]):
    """Environment files and Rancher configuration files that may hold etcd's settings, those that exist."""

    timeout: ClassVar[int] = 10

    def probe(self) -> str:
        """One stat and one cat for all files."""
        return _probe(" ".join(path for path, _, _ in _FILES))

    def parse(self, frame: Frame) -> tuple[FlagFile, ...]:
        """Files in the order of FIELD-NOTES' table."""
        known = {path: (layout, instance) for path, layout, instance in _FILES}
        return tuple(
            FlagFile(file.path, file.text, file.sha256, file.mode, file.owner, *known[file.path])
            for file in _files(frame)
        )
