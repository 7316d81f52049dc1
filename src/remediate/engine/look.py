"""What one look at a cluster yields, and how the JSON document shows it (DESIGN, "The command line")."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from remediate.diagnosis.model import Finding
from remediate.etcd.model import Cluster, EtcdHost
from remediate.measure.model import Latency, Measurements, NetworkPath

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a cluster saw, measured and found."""

    cluster: Cluster
    measured: Measurements
    findings: tuple[Finding, ...] = ()


def measurements_json(looks: Iterable[Look]) -> Json:
    """The `measurements` of one side. `put` is the only measured cluster's; `puts` has every cluster's."""
    looks = tuple(looks)
    puts = {look.cluster.name: _latency_json(look.measured.put) for look in looks if look.measured.put}
    return {
        "fsync": {
            host: _latency_json(value) for look in looks for host, value in look.measured.fsync.items()
        },
        "commit": {
            host: _latency_json(value) for look in looks for host, value in look.measured.commit.items()
        },
        "put": next(iter(puts.values())) if len(puts) == 1 else None,
        "puts": puts,
        "network": [_path_json(path) for look in looks for path in look.measured.network],
        "etcd": {host.name: _etcd_json(host, look) for look in looks for host in look.cluster.hosts},
        "not_measured": [
            {"what": gap.what, "host": gap.host, "why": gap.why}
            for look in looks
            for gap in look.measured.not_measured
        ],
    }


def _latency_json(latency: Latency) -> Json:
    bucket = latency.p99_bucket_ms
    return {
        "p50_ms": latency.p50_ms,
        "p99_ms": latency.p99_ms,
        "p99_bucket_ms": list(bucket) if bucket else None,
        "source": latency.source,
        "samples": latency.samples,
    }


def _path_json(path: NetworkPath) -> Json:
    return {
        "from": path.source_host,
        "to": path.target_host,
        "rtt_avg_ms": path.rtt_avg_ms,
        "rtt_max_ms": path.rtt_max_ms,
        "jitter_avg_ms": path.jitter_avg_ms,
        "jitter_max_ms": path.jitter_max_ms,
        "effective_ms": path.effective_ms,
        "loss": path.loss,
        "samples": path.samples,
        "source": path.source,
    }


def hex_id(value: int) -> str | None:
    """A 64-bit ID as etcdctl prints it; None for 0, which is etcd's way of saying "nobody"."""
    return f"{value:x}" if value else None


def _etcd_json(host: EtcdHost, look: Look) -> Json:
    """One instance; every key is there also where etcd did not answer, as null."""
    status = host.status
    return {
        "cluster": look.cluster.name,
        "version": status.version if status else None,
        "cluster_id": hex_id(status.cluster_id) if status else None,
        "member_id": hex_id(status.member_id) if status else None,
        "leader": hex_id(status.leader) if status else None,
        "is_leader": status.is_leader if status else None,
        "is_learner": status.is_learner if status else None,
        "db_size": status.db_size if status else None,
        "db_in_use": status.db_in_use if status else None,
        "quota": status.quota if status else None,
        "fragmentation": round(status.fragmentation, 4) if status else None,
        "leader_changes": look.measured.leader_changes.get(host.name),
        "health_ms": status.health_ms if status else None,
        "rates": asdict(rates) if (rates := look.measured.rates.get(host.name)) else None,
        "term": status.term if status else None,
        "raft_index": status.raft_index if status else None,
        "applied_index": status.applied_index if status else None,
        "alarms": [{"member_id": hex_id(a.member_id), "kind": a.kind} for a in status.alarms]
        if status
        else [],
        "via": status.via if status else None,
        "error": host.status_error or (status.health_error if status else "") or None,
    }


def finding_json(finding: Finding) -> Json:
    """As in `findings[]`."""
    return {
        "id": finding.id,
        "host": finding.host,
        "cluster": finding.cluster,
        "severity": finding.severity.value,
        "message": finding.message,
        "remedy": finding.remedy,
        "source": finding.source,
    }
