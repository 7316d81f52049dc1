"""Every number that a verdict stands on, with the document that it comes from.

Alert rules sit 10–100 times above these: verdicts use the documents' targets.
"""

from __future__ import annotations

from typing import Final

OKD: Final = "OKD, Recommended etcd practices"
ETCD_FAQ: Final = "etcd FAQ"
ETCD_TUNING: Final = "etcd tuning guide"
ETCD_CONFIG: Final = "etcd config.go"
ETCD_MAINTENANCE: Final = "etcd maintenance guide"
ETCD_HARDWARE: Final = "etcd hardware guide"
ETCD_MIXIN: Final = "etcd mixin"
CLUSTER_ETCD_OPERATOR: Final = "cluster-etcd-operator"
KERNEL: Final = "Linux block layer, ioprio"

FSYNC_P99_WARNING_MS: Final = 10.0
"""WAL fsync p99 must be below this (etcd FAQ)."""

FSYNC_P99_CRITICAL_MS: Final = 20.0
"""WAL fsync p99 above this is critical (OKD)."""

FSYNC_BUCKET_CRITICAL_MS: Final = 32.0
"""A bucket from here on is above 20 ms for sure: etcd's buckets are powers of two."""

FSYNC_BUCKET_AGREES_MS: Final = 16.0
"""A bucket from here on agrees with fio when fio says that it is above 20 ms."""

COMMIT_P99_WARNING_MS: Final = 25.0
"""Backend commit p99 must be below this (etcd FAQ)."""

RTT_AVG_PER_HEARTBEAT: Final = 33 / 100
"""Average peer RTT: at most 33 ms at a heartbeat of 100 ms (OKD)."""

RTT_MAX_PER_HEARTBEAT: Final = 66 / 100
"""Maximum peer RTT: at most 66 ms at a heartbeat of 100 ms (OKD)."""

HEARTBEAT_DEFAULT_MS: Final = 100
"""etcd's default; never proposed below it (etcd tuning)."""

ELECTION_DEFAULT_MS: Final = 1000
"""etcd's default (etcd tuning)."""

HEARTBEAT_STEP_MS: Final = 50
"""A proposed heartbeat is the effective latency rounded up to this."""

ELECTION_PER_RTT: Final = 10
"""An election timeout of at least ten times the RTT (etcd tuning)."""

ELECTION_PER_HEARTBEAT: Final = 10
"""What is proposed; etcd refuses less than five (config.go)."""

ELECTION_MAX_MS: Final = 50_000
"""etcd refuses more (config.go)."""

HEALTH_WARNING_MS: Final = 66.0
"""`endpoint health` time worth watching (OKD)."""

HEALTH_CRITICAL_MS: Final = 100.0
"""`endpoint health` time that is critical (OKD)."""

FRAGMENTATION: Final = 0.45
"""Share of free space in the database file from which defragmentation pays (cluster-etcd-operator)."""

FRAGMENTED_MIN_BYTES: Final = 100 * 1024 * 1024
"""A smaller database is left alone (cluster-etcd-operator)."""

QUOTA_INFO: Final = 0.50
"""Share of the quota worth a look, if it lasts for 10 minutes (OKD)."""

QUOTA_WARNING: Final = 0.80
"""Share of the quota that is a warning (etcd-diagnosis)."""

QUOTA_CRITICAL: Final = 0.95
"""Share of the quota that is critical (etcd mixin)."""

LEADER_CHANGES_WARNING: Final = 4
"""Leader changes within 15 minutes that are too many (etcd mixin)."""

IO_PRIORITY_SCHEDULERS: Final = frozenset({"bfq", "mq-deadline"})
"""The only I/O schedulers that honour I/O priorities (kernel documentation, ioprio)."""

RISKY_ENVIRONMENTS: Final = frozenset({"dev", "lab"})
"""`remediate_environment`s that permit settings which lose acknowledged writes (etcd#14098, #14143)."""

VOLATILE_FILESYSTEMS: Final = frozenset({"tmpfs", "ramfs"})
"""File systems that a reboot empties (etcd#11410)."""
