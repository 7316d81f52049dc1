"""Findings about the database: size, free space, alarms, compaction, and defects of the release."""

from __future__ import annotations

from collections.abc import Iterator

from remediate.diagnosis import remedies
from remediate.diagnosis import thresholds as limit
from remediate.diagnosis.case import Case, Flags, Rule, size
from remediate.diagnosis.model import Finding, Severity
from remediate.diagnosis.versions import defects_of, safe_to_defragment
from remediate.etcd.model import EtcdStatus


def fragmented_database(case: Case) -> Iterator[Finding]:
    """Free space in the file from 45 % of at least 100 MiB."""
    for host in case.hosts:
        status = host.status
        if status is None or status.db_size < limit.FRAGMENTED_MIN_BYTES:
            continue
        if status.fragmentation >= limit.FRAGMENTATION:
            yield case.found(
                "fragmented-database",
                Severity.WARNING,
                f"{status.fragmentation:.0%} of the {size(status.db_size)} database is free space; "
                f"defragment from {limit.FRAGMENTATION:.0%} and {size(limit.FRAGMENTED_MIN_BYTES)}",
                host=host,
                remedy=remedies.DEFRAG if safe_to_defragment(status.version) else remedies.UPGRADE_FIRST,
                source=limit.CLUSTER_ETCD_OPERATOR,
                figure=status.fragmentation,
            )


def database_near_quota(case: Case) -> Iterator[Finding]:
    """The file's size against the quota: 50 % is worth a look, 80 % a warning, 95 % critical."""
    for host in case.hosts:
        status = host.status
        severity = _near_quota(status.db_size / status.quota) if status and status.quota else None
        if status and severity:
            share = status.db_size / status.quota
            yield case.found(
                "database-near-quota",
                severity,
                f"the database is at {share:.0%} of its quota "
                f"({size(status.db_size)} of {size(status.quota)}, {size(status.db_in_use)} in use); "
                f"warning from {limit.QUOTA_WARNING:.0%}, critical from {limit.QUOTA_CRITICAL:.0%}",
                host=host,
                remedy=_quota_remedy(status),
                source="OKD (50 %), etcd-diagnosis (80 %), etcd mixin (95 %)",
                figure=share,
            )


def _near_quota(share: float) -> Severity | None:
    if share >= limit.QUOTA_CRITICAL:
        return Severity.CRITICAL
    if share >= limit.QUOTA_WARNING:
        return Severity.WARNING
    return Severity.INFO if share >= limit.QUOTA_INFO else None


def _quota_remedy(status: EtcdStatus) -> str:
    """Give free space back where that is enough, else allow more or keep less."""
    if status.db_in_use / status.quota < limit.QUOTA_INFO:
        return remedies.DEFRAG if safe_to_defragment(status.version) else remedies.UPGRADE_FIRST
    return remedies.MORE_QUOTA


def alarm(case: Case) -> Iterator[Finding]:
    """Each alarm once, whichever members tell it."""
    raised = {(a.member_id, a.kind) for host in case.hosts if host.status for a in host.status.alarms}
    for member_id, kind in sorted(raised):
        host = next((h for h in case.hosts if h.status and h.status.member_id == member_id), None)
        corrupt = kind == "CORRUPT"
        yield case.found(
            "alarm",
            Severity.CRITICAL,
            f"alarm {kind} is raised by member {member_id:x}: "
            + ("its data differ from the others'" if corrupt else "the cluster refuses writes"),
            host=host,
            remedy=remedies.REPLACE if corrupt else remedies.DISARM,
            source="etcd runtime reconfiguration guide" if corrupt else "etcd#9992",
        )


def no_compaction(case: Case) -> Iterator[Finding]:
    """No automatic compaction on a member, and no API server that compacts (no fresh `compact_rev_key`).

    Where it is not known whether an API server compacts, nothing is said.
    """
    compacted = {host.compact_rev_key for host in case.hosts}
    if True in compacted or False not in compacted:
        return
    without: dict[str, list[str]] = {}
    for host in case.hosts:
        without.setdefault(_never_compacts(case.live.get(host.name)), []).append(host.name)
    without.pop("", None)
    if without:
        yield case.found(
            "no-compaction",
            Severity.WARNING,
            "old revisions are kept for ever: "
            + "; ".join(f"{why} on {', '.join(names)}" for why, names in without.items())
            + "; and no API server compacts (compact_rev_key is absent or stale)",
            remedy=remedies.COMPACT,
            source=limit.ETCD_MAINTENANCE,
        )


def _never_compacts(flags: Flags | None) -> str:
    """Why these live flags never compact; empty where they do, or where the process is not known."""
    if flags is None:
        return ""
    mode, retention = (
        flags.get("auto-compaction-mode", "periodic"),
        flags.get("auto-compaction-retention", "0"),
    )
    if retention.strip() in ("", "0", "0s", "0h", "0m"):
        return "no auto-compaction-retention"
    if mode == "revision" and not retention.strip().isdecimal():
        return f"mode revision with retention {retention}, which etcd reads as a huge number of revisions"
    return ""


def version_with_known_corruption(case: Case) -> Iterator[Finding]:
    """Releases with known defects in what they store; one finding per host, as severe as the worst."""
    for host in case.hosts:
        defects = defects_of(host.status.version) if host.status else ()
        if host.status and defects:
            yield case.found(
                "version-with-known-corruption",
                defects[0].severity,
                f"etcd {host.status.version}: " + "; ".join(defect.what for defect in defects),
                host=host,
                remedy="upgrade to the newest patch release of the same minor version",
                source=", ".join(defect.source for defect in defects),
            )


RULES: tuple[Rule, ...] = (
    fragmented_database,
    database_near_quota,
    alarm,
    no_compaction,
    version_with_known_corruption,
)
