"""Findings about the network between members, and about the timers that must fit it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from remediate.diagnosis import remedies
from remediate.diagnosis import thresholds as limit
from remediate.diagnosis.case import Case, Rule, ms
from remediate.diagnosis.model import Finding, Severity
from remediate.diagnosis.timers import proposed_timers, worst_effective_ms, worst_rtt_ms
from remediate.measure.model import NetworkPath

_DEFAULTS: Final = {
    "heartbeat-interval": limit.HEARTBEAT_DEFAULT_MS,
    "election-timeout": limit.ELECTION_DEFAULT_MS,
}
"""The flags that are judged here, and what etcd takes where they are not set, milliseconds."""


def slow_network(case: Case) -> Iterator[Finding]:
    """Each host's worst path: effective latency against the heartbeat, RTT against its share of it."""
    heartbeat = case.heartbeat_ms
    for host in case.hosts:
        own = [(p.effective_ms, p) for p in case.paths if p.source_host == host.host and p.effective_ms]
        effective, worst = max(own, key=lambda pair: pair[0], default=(0.0, None))
        complaint = _complaint(worst, effective, heartbeat) if worst else None
        if worst is None or complaint is None:
            continue
        severity, text = complaint
        yield case.found(
            "slow-network",
            severity,
            f"to {worst.target_host} {text} ({worst.source}, {worst.samples} samples{_loss(worst)})",
            host=host,
            remedy=remedies.NETWORK_ITSELF if _timers_fit(case) else f"{remedies.NETWORK}: {_timers(case)}",
            source=limit.OKD,
            figure=effective,
        )


def _complaint(path: NetworkPath, effective: float, heartbeat: int) -> tuple[Severity, str] | None:
    """How bad one path is, and the figure and threshold that say so."""
    if effective >= heartbeat:
        return (
            Severity.CRITICAL,
            f"effective latency is {ms(effective)}, not below the heartbeat of {heartbeat} ms",
        )
    average, peak = heartbeat * limit.RTT_AVG_PER_HEARTBEAT, heartbeat * limit.RTT_MAX_PER_HEARTBEAT
    if path.rtt_avg_ms is not None and path.rtt_avg_ms > average:
        return (
            Severity.WARNING,
            f"average RTT is {ms(path.rtt_avg_ms)}; at most {ms(average)} at this heartbeat",
        )
    if path.rtt_max_ms is not None and path.rtt_max_ms > peak:
        return Severity.WARNING, f"maximum RTT is {ms(path.rtt_max_ms)}; at most {ms(peak)} at this heartbeat"
    return None


def _loss(path: NetworkPath) -> str:
    return f", {path.loss:.1%} lost" if path.loss else ""


def _timers_fit(case: Case) -> bool:
    """Whether no other timers would help: nothing is wrong with the live ones, or they are the proposed ones."""
    if not case.live:
        return False
    best = proposed_timers(case.paths).flags
    held = all(
        case.live_ms(host, flag, default) == best[flag]
        for host in case.hosts
        if host.name in case.live
        for flag, default in _DEFAULTS.items()
    )
    return held or not any(_timer_complaints(case))


def _timers(case: Case) -> str:
    flags = proposed_timers(case.paths).flags
    return "etcd_flags: {set: {" + ", ".join(f"{flag}: {value}" for flag, value in flags.items()) + "}}"


def bad_timers(case: Case) -> Iterator[Finding]:
    """Timers that do not fit the measured network, or that differ between members."""
    complaints = tuple(_timer_complaints(case))
    if complaints:
        yield case.found(
            "bad-timers",
            Severity.WARNING,
            "; ".join(complaints),
            remedy=remedies.NETWORK_ITSELF if _timers_fit(case) else _timers(case),
            source=f"{limit.ETCD_TUNING}, {limit.ETCD_CONFIG}",
            figure=float(case.heartbeat_ms),
        )


def _timer_complaints(case: Case) -> Iterator[str]:
    if not case.live:
        return
    effective, rtt = worst_effective_ms(case.paths), worst_rtt_ms(case.paths)
    if effective is not None and case.heartbeat_ms <= effective:
        yield f"the heartbeat of {case.heartbeat_ms} ms is not above the effective latency of {ms(effective)}"
    if rtt is not None and case.election_ms < limit.ELECTION_PER_RTT * rtt:
        yield f"the election timeout of {case.election_ms} ms is below 10 × RTT, {ms(10 * rtt)}"
    for flag, default in _DEFAULTS.items():
        values = {
            host.name: case.live_ms(host, flag, default) for host in case.hosts if host.name in case.live
        }
        if len(set(values.values())) > 1:
            yield f"members differ in {flag}: " + ", ".join(
                f"{name} {value}" for name, value in values.items()
            )


RULES: tuple[Rule, ...] = (slow_network, bad_timers)
