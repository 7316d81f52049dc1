"""The flags of a member: of its process, and of its manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import yaml

from remediate.etcd.model import EtcdHost


def flags_of(argv: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Flags of a command line and of `ETCD_*` variables; of a repeated flag the last wins."""
    flags = {key.removeprefix("ETCD_").lower().replace("_", "-"): value for key, value in environment.items()}
    words = [word for word in argv if word.startswith("-")]
    for word in words:
        name, equals, value = word.lstrip("-").partition("=")
        flags[name] = value if equals else "true"
    return flags


def live_flags(host: EtcdHost) -> dict[str, str] | None:
    """What the running process was started with, None where it does not run."""
    return flags_of(host.process.argv[1:], host.process.environment) if host.process else None


def filed_flags(host: EtcdHost) -> dict[str, str] | None:
    """What the one manifest says, None where there is none, several, or one that cannot be understood."""
    files = [file for file in host.manifests if not file.hidden]
    if len(files) != 1 or not files[0].instance:
        return None
    container = _container(files[0].text)
    if container is None:
        return None
    words = [*container.get("command", []), *container.get("args", [])]
    environment = {e["name"]: str(e["value"]) for e in container.get("env", []) if "value" in e}
    etcd_only = {key: value for key, value in environment.items() if key.startswith("ETCD_")}
    return flags_of([str(word) for word in words[1:]], etcd_only)


def _container(text: str) -> dict[str, Any] | None:
    """The etcd container of a Pod manifest: the one named so, else the first."""
    try:
        containers = yaml.safe_load(text)["spec"]["containers"]
        container = next((c for c in containers if c.get("name") == "etcd"), containers[0])
        return cast("dict[str, Any]", container)
    except (yaml.YAMLError, KeyError, IndexError, TypeError, AttributeError):
        return None
