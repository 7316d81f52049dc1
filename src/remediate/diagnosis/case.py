"""What the rules look at: one cluster, what was measured, and the flags of each member, live and on file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from remediate.diagnosis import thresholds as limit
from remediate.diagnosis.model import Finding, Severity
from remediate.etcd.model import Cluster, EtcdHost
from remediate.measure.model import Measurements, NetworkPath

Flags = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """The input of every rule.

    Attributes:
        live: flags of the running process by `EtcdHost.name`; no key where it does not run.
        filed: flags that the file says by `EtcdHost.name`; no key where it is not known.
        removed: hosts whose member was removed; no part of `cluster`.
    """

    cluster: Cluster
    measured: Measurements
    live: Mapping[str, Flags]
    filed: Mapping[str, Flags]
    removed: tuple[EtcdHost, ...] = ()

    @property
    def hosts(self) -> tuple[EtcdHost, ...]:
        """The cluster's instances."""
        return self.cluster.hosts

    @property
    def paths(self) -> tuple[NetworkPath, ...]:
        """Measured paths between hosts of this cluster."""
        names = {host.host for host in self.hosts}
        return tuple(p for p in self.measured.network if p.source_host in names and p.target_host in names)

    def live_ms(self, host: EtcdHost, flag: str, default: int) -> int | None:
        """A live flag in milliseconds: etcd's default where it is not set, None where nothing runs."""
        flags = self.live.get(host.name)
        if flags is None:
            return None
        value = flags.get(flag, "")
        return int(value) if value.isdecimal() else default

    @property
    def heartbeat_ms(self) -> int:
        """The shortest live heartbeat interval: the member that is most at risk."""
        known = [self.live_ms(h, "heartbeat-interval", limit.HEARTBEAT_DEFAULT_MS) for h in self.hosts]
        return min((ms for ms in known if ms is not None), default=limit.HEARTBEAT_DEFAULT_MS)

    @property
    def election_ms(self) -> int:
        """The shortest live election timeout."""
        known = [self.live_ms(h, "election-timeout", limit.ELECTION_DEFAULT_MS) for h in self.hosts]
        return min((ms for ms in known if ms is not None), default=limit.ELECTION_DEFAULT_MS)

    def found(
        self,
        id: str,
        severity: Severity,
        message: str,
        *,
        source: str,
        host: EtcdHost | None = None,
        remedy: str | None = None,
        figure: float | None = None,
    ) -> Finding:
        """A finding about this cluster, or about one of its hosts."""
        return Finding(
            id, host.name if host else None, self.cluster.name, severity, message, remedy, source, figure
        )


Rule = Callable[[Case], Iterator[Finding]]
"""One finding's rule: pure, yields nothing where the data are missing."""


def ms(value: float) -> str:
    """Milliseconds for people: `0.4 ms`, `65.7 ms`, `120 ms`."""
    return f"{value:.1f} ms" if value < 100 and value != int(value) else f"{value:.0f} ms"


def size(value: float) -> str:
    """Bytes for people: `100 MiB`, `2.0 GiB`."""
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
