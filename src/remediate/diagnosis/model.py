"""A finding: what is wrong, where, how badly, what would help, and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How badly; `diagnose` exits 5 at warning or worse."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One verdict.

    Attributes:
        id: stable identifier, `slow-fsync`.
        host: `EtcdHost.name`, or None where it is the whole cluster's.
        cluster: name of the cluster.
        remedy: the task or step that helps, None where nothing is to be done.
        source: document or issue that the threshold comes from.
        figure: the measured value that the verdict stands on (unit in the message).
    """

    id: str
    host: str | None
    cluster: str
    severity: Severity
    message: str
    remedy: str | None
    source: str
    figure: float | None = None
