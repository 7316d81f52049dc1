"""The flags of a member: those that it runs with, and those that its file says."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import yaml

from remediate.etcd.flags import flags_of
from remediate.etcd.model import EtcdHost, Layout


def live_flags(host: EtcdHost) -> dict[str, str] | None:
    """What the running process was started with, None where it does not run."""
    return flags_of(host.process.argv, host.process.environment) if host.process else None


def filed_flags(host: EtcdHost) -> dict[str, str] | None:
    """What the file says that the process should run with, None where no single file says it understandably.

    An environment file is only one source among others, so what it does not name is taken from the process.
    """
    files = [file for file in host.manifests if not file.hidden]
    if len(files) == 1:
        return _in_manifest(files[0].text, live_flags(host) or {})
    if not files and host.flag_file and host.flag_file.layout is Layout.ENV_FILE:
        return (live_flags(host) or {}) | flags_of((), _variables(host.flag_file.text))
    return None


def _in_manifest(text: str, live: dict[str, str]) -> dict[str, str] | None:
    """Flags of a Pod's etcd container; `$(VAR)` is filled in by the kubelet, so the process knows better."""
    container = _container(text)
    if not container:
        return None
    words = [str(word) for word in (*_words(container, "command"), *_words(container, "args"))]
    variables = {str(v["name"]): str(v["value"]) for v in container.get("env") or () if "value" in v}
    filed = flags_of(words, variables)
    return {flag: live.get(flag, value) if "$(" in value else value for flag, value in filed.items()}


def _words(container: dict[str, Any], key: str) -> Sequence[object]:
    words = container.get(key)
    return words if isinstance(words, list) else ()


def _container(text: str) -> dict[str, Any]:
    """The etcd container of a Pod manifest: the one named so, else the first; empty where there is none."""
    try:
        containers = yaml.safe_load(text)["spec"]["containers"]
        named: dict[str, Any] = next((c for c in containers if c.get("name") == "etcd"), containers[0])
    except (yaml.YAMLError, KeyError, IndexError, TypeError, AttributeError):
        return {}
    return named


def _variables(text: str) -> dict[str, str]:
    """`NAME=value` lines of an environment file; quotes as in sh, comments left out."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals:
            try:
                found[name.strip()] = "".join(shlex.split(value, comments=True))
            except ValueError:
                found[name.strip()] = value
    return found
