"""Pods as the lab kubelet understands them: a manifest's text in, containers to run out. No effects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True)
class Probe:
    """An HTTP probe; times in seconds. Defaults are Kubernetes' own."""

    host: str
    port: int
    path: str
    delay: float
    period: float
    timeout: float
    failures: int


@dataclass(frozen=True)
class Volume:
    """A hostPath mounted into a container."""

    source: str
    target: str
    read_only: bool
    kind: str


@dataclass(frozen=True)
class Container:
    """One container of a static pod; `uid` changes with every byte of its manifest."""

    uid: str
    namespace: str
    pod: str
    name: str
    image: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    volumes: tuple[Volume, ...]
    grace: float
    startup: Probe | None
    liveness: Probe | None

    @property
    def key(self) -> str:
        """What is the same before and after an edit of the manifest."""
        return f"{self.namespace}/{self.pod}/{self.name}"


def read(files: Iterable[tuple[str, str]]) -> tuple[dict[str, Container], list[str]]:
    """Containers wanted by a folder of manifests, by key.

    As the real kubelet does: every file counts whose name begins with no dot, an unreadable one drops its pod, and of
    two files that name the same pod nobody should rely on either (here the last in order wins).

    Args:
        files: name and text of each file.

    Returns:
        Containers by key, and one message per file that could not be used.
    """
    wanted: dict[str, Container] = {}
    problems: list[str] = []
    for name, text in sorted(files):
        if name.startswith("."):
            continue
        try:
            containers = parse(name, text)
        except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as problem:
            problems.append(f"{name}: no pod manifest: {problem!r}")
            continue
        pods = {(container.namespace, container.pod) for container in containers}
        wanted = {key: one for key, one in wanted.items() if (one.namespace, one.pod) not in pods}
        wanted |= {container.key: container for container in containers}
    return wanted, problems


def parse(name: str, text: str) -> list[Container]:
    """The containers of one manifest.

    Raises:
        yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError: it describes no pod.
    """
    document = yaml.safe_load(text)
    if document["kind"] != "Pod":
        raise ValueError(f"kind {document['kind']!r}")
    uid = hashlib.sha256(f"{name}\0{text}".encode()).hexdigest()[:32]
    meta, spec = document["metadata"], document["spec"]
    sources = {
        volume["name"]: volume["hostPath"] for volume in spec.get("volumes") or () if "hostPath" in volume
    }
    return [
        Container(
            uid=uid,
            namespace=meta.get("namespace", "default"),
            pod=meta["name"],
            name=one["name"],
            image=one["image"],
            command=tuple(str(word) for word in [*one.get("command", ()), *one.get("args", ())]),
            environment=tuple(
                (str(item["name"]), str(item.get("value", ""))) for item in one.get("env") or ()
            ),
            volumes=tuple(_volume(mount, sources) for mount in one.get("volumeMounts") or ()),
            grace=float(spec.get("terminationGracePeriodSeconds", 30)),
            startup=_probe(one.get("startupProbe")),
            liveness=_probe(one.get("livenessProbe")),
        )
        for one in spec["containers"]
    ]


def back_off(crashes: int, first: float = 10.0, most: float = 300.0) -> float:
    """Seconds to wait before the restart after so many crashes: none, then 10, 20, 40 … at most 300 (kubelet)."""
    return 0.0 if crashes <= 1 else min(most, first * 2 ** (crashes - 2))


def _volume(mount: dict[str, Any], sources: dict[str, Any]) -> Volume:
    source = sources[mount["name"]]
    return Volume(source["path"], mount["mountPath"], bool(mount.get("readOnly")), source.get("type", ""))


def _probe(given: dict[str, Any] | None) -> Probe | None:
    """Only HTTP probes are imitated; others count as absent."""
    if not given or "httpGet" not in given:
        return None
    target = given["httpGet"]
    return Probe(
        host=target.get("host", "127.0.0.1"),
        port=int(target["port"]),
        path=target.get("path", "/"),
        delay=float(given.get("initialDelaySeconds", 0)),
        period=float(given.get("periodSeconds", 10)),
        timeout=float(given.get("timeoutSeconds", 1)),
        failures=int(given.get("failureThreshold", 3)),
    )
