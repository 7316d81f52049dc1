"""Which flags each version of etcd knows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

Version = tuple[int, int, int]

_GATES = {
    "experimental-compact-hash-check-enabled": "CompactHashCheck",
    "experimental-initial-corrupt-check": "InitialCorruptCheck",
    "experimental-enable-lease-checkpoint": "LeaseCheckpoint",
    "experimental-enable-lease-checkpoint-persist": "LeaseCheckpointPersist",
    "experimental-stop-grpc-service-on-defrag": "StopGRPCServiceOnDefrag",
    "experimental-txn-mode-write-with-shared-buffer": "TxnModeWriteWithSharedBuffer",
}
"""Switches that 3.6 turned into feature gates (etcd, upgrade guide 3.5 → 3.6)."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of the server.

    Attributes:
        kind: `switch`, `number`, `duration` or `text`.
        since: the first version that has it, one for each minor series where a patch release brought it.
        until: the minor series that no longer has it, None where there is none.
    """

    name: str
    kind: str
    since: tuple[Version, ...]
    until: Version | None = None

    def known_to(self, version: Version) -> bool:
        """Whether a server of this version starts with it."""
        if self.until and version >= self.until:
            return False
        same = [first for first in self.since if first[:2] == version[:2]]
        return (
            version >= same[0] if same else version >= min(self.since) and version[:2] > max(self.since)[:2]
        )


@cache
def known_flags() -> Mapping[str, Flag]:
    """All flags by name."""
    text = files("remediate.etcd").joinpath("known_flags.txt").read_text("utf-8")
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return MappingProxyType({row[0]: _flag(*row) for row in rows})


def _flag(name: str, kind: str, *versions: str) -> Flag:
    until = [parse_version(word[1:]) for word in versions if word.startswith("-")]
    since = tuple(parse_version(word) for word in versions if not word.startswith("-"))
    return Flag(name, kind, since, until[0] if until else None)


def parse_version(text: str) -> Version:
    """`3.5.16`, `v3.5.16-0` or `3.7` as numbers; raises ValueError for anything else."""
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    if not match:
        raise ValueError(f"{text!r} is no version")
    return int(match[1]), int(match[2]), int(match[3] or 0)


def instead(name: str, version: Version) -> str:
    """What to use on this version instead of a flag that it does not know; empty where nothing is known."""
    gate = _GATES.get(name)
    if gate and version >= (3, 6, 0):
        return f"it is a feature gate there: feature-gates: {gate}=true"
    for other in (name.removeprefix("experimental-"), f"experimental-{name}"):
        flag = known_flags().get(other)
        if other != name and flag and flag.known_to(version):
            return f"it is called {other} there"
    here = [flag.name for flag in known_flags().values() if flag.known_to(version)]
    near = difflib.get_close_matches(name, here, n=1)
    return f"the nearest is {near[0]}" if near and name not in known_flags() else ""
