"""etcd releases with known defects in what they store, from etcd's changelogs and issues."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from remediate.diagnosis.model import Severity

Release = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect in a range of releases.

    Attributes:
        fixed: first release without it, by minor version; a minor version that is not named never had it.
    """

    what: str
    severity: Severity
    source: str
    fixed: Mapping[tuple[int, int], Release]

    def affects(self, release: Release) -> bool:
        """Whether this release has it."""
        fixed = self.fixed.get(release[:2])
        return fixed is not None and release < fixed


CRASH_IN_DEFRAG = Defect(
    what="a crash in mid-defragmentation makes the members' revisions diverge",
    severity=Severity.WARNING,
    source="etcd#14733",
    fixed={(3, 5): (3, 5, 6)},
)
"""Refuse to defragment such a release."""

DEFECTS = (
    Defect(
        what="a crash under load can corrupt data",
        severity=Severity.CRITICAL,
        source="etcd#13766",
        fixed={(3, 5): (3, 5, 3)},
    ),
    CRASH_IN_DEFRAG,
    Defect(
        what="a full disk in mid-defragmentation panics the member (etcd_defrag checks the free space first)",
        severity=Severity.INFO,
        source="etcd#18810",
        fixed={(3, 4): (3, 4, 35), (3, 5): (3, 5, 17)},
    ),
    Defect(
        what="defragmenting a member that receives a snapshot can corrupt its data "
        "(etcd_defrag waits until the member has caught up)",
        severity=Severity.INFO,
        source="etcd#20271, #20653",
        fixed={(3, 4): (3, 4, 38), (3, 5): (3, 5, 23), (3, 6): (3, 6, 5)},
    ),
)


def release_of(version: str) -> Release | None:
    """`3.5.16` or `v3.5.16-rc.0` as numbers, None where it is no version."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def defects_of(version: str) -> tuple[Defect, ...]:
    """What is known to be wrong with a release, worst first; nothing where it is no version."""
    release = release_of(version)
    return tuple(defect for defect in DEFECTS if release and defect.affects(release))


def safe_to_defragment(version: str) -> bool:
    """Whether a crash in mid-defragmentation leaves the data consistent (etcd#14733); no where unknown."""
    release = release_of(version)
    return release is not None and not CRASH_IN_DEFRAG.affects(release)
