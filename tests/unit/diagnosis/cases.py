"""Clusters as data: a healthy one, and what a case changes about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from remediate.etcd.model import Cluster
from remediate.measure.model import Measurements

DATA = Path(__file__).parents[2] / "data" / "diagnosis"


def merged(base: Any, patch: Any) -> Any:
    """Mappings are merged key by key; everything else is replaced."""
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return patch
    return base | {key: merged(base.get(key), value) for key, value in patch.items()}


def load(name: str) -> Any:
    """One YAML file of the test data."""
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))


def case_files() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every case of every file, with an identifier for the test's name."""
    for path in sorted(DATA.glob("cases/*.yml")):
        for case in load(f"cases/{path.name}"):
            yield f"{path.stem}: {case['name']}", case


def situation(given: dict[str, Any]) -> tuple[Cluster, Measurements]:
    """The healthy cluster with these differences; a host, member, status or process of `null` is not there."""
    facts = merged(load("healthy.yml"), given)
    members = [member for member in facts["members"].values() if member]
    hosts = [
        _host(name, merged(facts["each"], own or {}), members)
        for name, own in facts["hosts"].items()
        if own is not None
    ]
    cluster = msgspec.convert({"name": facts["name"], "hosts": hosts}, Cluster)
    return cluster, msgspec.convert(facts["measured"], Measurements)


def _host(name: str, own: dict[str, Any], members: list[dict[str, Any]]) -> dict[str, Any]:
    status = own["status"] and {**own["status"], "members": own["status"].get("members", members)}
    return {**own, "host": name, "status": status}
