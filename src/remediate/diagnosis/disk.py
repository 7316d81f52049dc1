"""Findings about the disk that holds the data, and about who gets it first."""

from __future__ import annotations

from collections.abc import Iterator

from remediate.diagnosis import remedies
from remediate.diagnosis import thresholds as limit
from remediate.diagnosis.case import Case, Rule, ms
from remediate.diagnosis.model import Finding, Severity
from remediate.etcd.model import EtcdHost, ThreadPriority
from remediate.measure.model import Latency


def interval(latency: Latency) -> tuple[float, float | None] | None:
    """The edges between which p99 lies, milliseconds: upper edge None for +Inf; None without observations."""
    if latency.samples == 0:
        return None
    if latency.p99_ms is not None:
        return latency.p99_ms, latency.p99_ms
    return latency.p99_bucket_ms


def shown(latency: Latency) -> str:
    """p99 for people: `12 ms (fio, 9000 samples)`, `8–16 ms (etcd, 312 samples)`."""
    edges = interval(latency)
    if edges is None:
        return "no data"
    low, high = edges
    figure = ms(low) if low == high else f"{low:g}–{high:g} ms" if high is not None else f"above {low:g} ms"
    return f"{figure} ({latency.source}, {latency.samples} samples)"


def fsync_severity(latency: Latency) -> Severity | None:
    """How bad a WAL fsync p99 is, None where it is fine or not known.

    Exact values: warning from 10 ms, critical above 20 ms. Buckets: warning when the upper edge is above
    10 ms, critical only from a lower edge of 32 ms, because 16–32 ms holds the line of 20 ms. Where etcd's
    bucket is known beside fio's value, fio alone does not make it critical: the bucket must start at 16 ms.
    """
    edges = interval(latency)
    if edges is None:
        return None
    low, high = edges
    if latency.p99_ms is None:
        if low >= limit.FSYNC_BUCKET_CRITICAL_MS:
            return Severity.CRITICAL
        return Severity.WARNING if high is None or high > limit.FSYNC_P99_WARNING_MS else None
    if latency.p99_ms > limit.FSYNC_P99_CRITICAL_MS:
        agrees = latency.p99_bucket_ms is None or latency.p99_bucket_ms[0] >= limit.FSYNC_BUCKET_AGREES_MS
        return Severity.CRITICAL if agrees else Severity.WARNING
    return Severity.WARNING if latency.p99_ms >= limit.FSYNC_P99_WARNING_MS else None


def _straddles(latency: Latency, *lines: float) -> bool:
    """Whether one of these lines lies inside the interval, so that the verdict stays open."""
    edges = interval(latency)
    return edges is not None and any(edges[0] < line < (edges[1] or float("inf")) for line in lines)


def slow_fsync(case: Case) -> Iterator[Finding]:
    """WAL fsync p99 against 10 and 20 ms."""
    for host in case.hosts:
        latency = case.measured.fsync.get(host.name)
        severity = fsync_severity(latency) if latency else None
        if latency is None or severity is None:
            continue
        unclear = _straddles(latency, limit.FSYNC_P99_WARNING_MS, limit.FSYNC_P99_CRITICAL_MS)
        doubt = (
            "; unclear, the bucket holds a threshold: ask for --fio"
            if unclear and latency.source == "etcd"
            else ""
        )
        yield case.found(
            "slow-fsync",
            severity,
            f"WAL fsync p99 is {shown(latency)}; target < 10 ms, critical > 20 ms{doubt}",
            host=host,
            remedy=remedies.DISK,
            source=f"{limit.ETCD_FAQ} (10 ms), {limit.OKD} (20 ms)",
            figure=_figure(latency),
        )


def unclear_fsync(case: Case) -> Iterator[Finding]:
    """No WAL fsync was observed: an idle cluster writes nothing, and silence is no good news."""
    for host in case.hosts:
        latency = case.measured.fsync.get(host.name)
        if latency and interval(latency) is None and not _no_fsync(case, host):
            yield case.found(
                "unclear-fsync",
                Severity.INFO,
                "no WAL fsync was observed while measuring, so nothing is known of its latency",
                host=host,
                remedy=remedies.MEASURE,
                source=f"{limit.ETCD_FAQ} (10 ms), {limit.OKD} (20 ms)",
            )


def slow_backend_commit(case: Case) -> Iterator[Finding]:
    """Backend commit p99 against 25 ms; a bucket that holds the line is told as unclear."""
    for host in case.hosts:
        latency = case.measured.commit.get(host.name)
        edges = interval(latency) if latency else None
        if latency is None or edges is None or (edges[1] or float("inf")) < limit.COMMIT_P99_WARNING_MS:
            continue
        unclear = _straddles(latency, limit.COMMIT_P99_WARNING_MS)
        doubt = "; unclear, the bucket holds the threshold" if unclear else ""
        yield case.found(
            "slow-backend-commit",
            Severity.INFO if unclear else Severity.WARNING,
            f"backend commit p99 is {shown(latency)}; target < 25 ms{doubt}",
            host=host,
            remedy=remedies.DISK,
            source=limit.ETCD_FAQ,
            figure=_figure(latency),
        )


def _figure(latency: Latency) -> float | None:
    edges = interval(latency)
    return None if edges is None else edges[0] if edges[1] is None else edges[1]


def shared_disk(case: Case) -> Iterator[Finding]:
    """The data on the disk of the root file system; a warning where its fsync is slow too."""
    for host in case.hosts:
        if host.disk and host.disk.shared_with_root:
            yield case.found(
                "shared-disk",
                Severity.WARNING if _is_slow(case, host) else Severity.INFO,
                f"{host.disk.data_dir} and the root file system share the disk {host.disk.disk}",
                host=host,
                remedy=remedies.OWN_DISK,
                source=limit.ETCD_HARDWARE,
            )


def _is_slow(case: Case, host: EtcdHost) -> bool:
    latency = case.measured.fsync.get(host.name)
    return latency is not None and fsync_severity(latency) is not None


def _io_first(thread: ThreadPriority) -> bool:
    return thread.io_class == "realtime" or (thread.io_class == "best-effort" and thread.io_level == 0)


def _io_raised(thread: ThreadPriority) -> bool:
    """Above the kernel's default, best-effort level 4."""
    return thread.io_class == "realtime" or (thread.io_class == "best-effort" and thread.io_level < 4)


def low_priority(case: Case) -> Iterator[Finding]:
    """Threads without the highest best-effort I/O priority, or with a nice value that is not below 0.

    A warning where it is below the default, or where fsync is slow; else a hint.
    """
    for host in case.hosts:
        low = [t for t in host.threads if not _io_first(t) or t.nice >= 0]
        if not low:
            continue
        below_default = any(t.nice > 0 or t.io_class == "idle" for t in low)
        first = low[0]
        io = first.io_class if first.io_class in ("none", "idle") else f"{first.io_class} {first.io_level}"
        yield case.found(
            "low-priority",
            Severity.WARNING if below_default or _is_slow(case, host) else Severity.INFO,
            f"{len(low)} of {len(host.threads)} etcd threads have no raised priority "
            f"(I/O class {io}, nice {first.nice}); target best-effort 0 and nice below 0 on every thread",
            host=host,
            remedy=remedies.PRIORITY,
            source=f"{limit.ETCD_TUNING} (ionice -c2 -n0)",
            figure=float(len(low)),
        )


def ineffective_io_priority(case: Case) -> Iterator[Finding]:
    """An I/O priority that the disk's scheduler ignores, where it was set or where slow fsync asks for it."""
    for host in case.hosts:
        disk = host.disk
        if disk is None or not disk.scheduler or disk.scheduler in limit.IO_PRIORITY_SCHEDULERS:
            continue
        if any(map(_io_raised, host.threads)) or (host.threads and _is_slow(case, host)):
            yield case.found(
                "ineffective-io-priority",
                Severity.INFO,
                f"the I/O scheduler of {disk.disk} is {disk.scheduler}: it ignores I/O priorities, "
                "only bfq and mq-deadline honour them",
                host=host,
                remedy=f"choose mq-deadline or bfq in /sys/block/{disk.disk}/queue/scheduler",
                source=limit.KERNEL,
            )


def tmpfs_outside_dev(case: Case) -> Iterator[Finding]:
    """A data dir that a reboot empties, outside dev and lab."""
    for host in case.hosts:
        disk = host.disk
        if disk is None or disk.filesystem not in limit.VOLATILE_FILESYSTEMS or _risk_accepted(host):
            continue
        yield case.found(
            "tmpfs-outside-dev",
            Severity.CRITICAL,
            f"{disk.data_dir} lies on {disk.filesystem}: a reboot loses the member "
            f"(remediate_environment is {host.environment})",
            host=host,
            remedy=remedies.OWN_DISK,
            source="etcd#11410",
        )


def unsafe_no_fsync_outside_dev(case: Case) -> Iterator[Finding]:
    """`--unsafe-no-fsync` on a live command line, outside dev and lab."""
    for host in case.hosts:
        if _no_fsync(case, host) and not _risk_accepted(host):
            yield case.found(
                "unsafe-no-fsync-outside-dev",
                Severity.CRITICAL,
                "runs with --unsafe-no-fsync: a power loss loses acknowledged writes "
                f"(remediate_environment is {host.environment})",
                host=host,
                remedy="etcd_flags: {remove: [unsafe-no-fsync]}",
                source="etcd#14098, etcd#14143",
            )


def _no_fsync(case: Case, host: EtcdHost) -> bool:
    """As Go's flag package reads a boolean."""
    return case.live.get(host.name, {}).get("unsafe-no-fsync", "false").lower() in ("true", "1", "t")


def _risk_accepted(host: EtcdHost) -> bool:
    return host.environment in limit.RISKY_ENVIRONMENTS


RULES: tuple[Rule, ...] = (
    slow_fsync,
    unclear_fsync,
    slow_backend_commit,
    shared_disk,
    low_priority,
    ineffective_io_priority,
    tmpfs_outside_dev,
    unsafe_no_fsync_outside_dev,
)
