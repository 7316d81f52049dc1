"""All rules, and the diagnosis that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from remediate.diagnosis import config, database, disk, membership, network
from remediate.diagnosis.case import Case, Flags, Rule
from remediate.diagnosis.flags import filed_flags, live_flags
from remediate.diagnosis.model import Finding, Severity
from remediate.etcd.assemble import was_member
from remediate.etcd.model import Cluster
from remediate.measure.model import Measurements

RULES: tuple[Rule, ...] = (
    *membership.RULES,
    *disk.RULES,
    *network.RULES,
    *database.RULES,
    *config.RULES,
)

FINDING_IDS = frozenset(rule.__name__.replace("_", "-") for rule in RULES)
"""Every finding that a diagnosis can make."""

_ORDER = tuple(Severity)


def diagnose(
    cluster: Cluster, measured: Measurements, *, expected_flags: Mapping[str, Flags] | None = None
) -> tuple[Finding, ...]:
    """What is wrong with a cluster, worst first. Pure.

    Of a host that is not a member any more nothing is judged but that: it counts for no quorum.

    Args:
        cluster: what one look says of its members.
        measured: what was measured; what is missing yields no finding, never a good one.
        expected_flags: flags that the configuration says, by `EtcdHost.name`, where the caller knows better than
            the manifest or environment file of the look.
    """
    live = {host.name: flags for host in cluster.hosts if (flags := live_flags(host)) is not None}
    filed = {host.name: flags for host in cluster.hosts if (flags := filed_flags(host)) is not None}
    removed = tuple(host for host in cluster.hosts if was_member(cluster, host))
    members = replace(cluster, hosts=tuple(host for host in cluster.hosts if host not in removed))
    case = Case(members, measured, live, {**filed, **(expected_flags or {})}, removed)
    findings = [finding for rule in RULES for finding in rule(case)]
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))
