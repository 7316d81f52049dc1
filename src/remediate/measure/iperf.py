"""Jitter of a UDP stream by iperf3, as OKD's practices measure it: at the server, without the first second."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

from remediate.measure.activity import Activity, Finished
from remediate.measure.model import NetworkPath, NotMeasured
from remediate.node.shell import sh

SECONDS = 6
"""Length of one stream; the first second does not count (OKD)."""

PORT = 5201
"""iperf3's own default, the one that a firewall most likely lets through."""

BANDWIDTH = "1M"
"""Bits per second of a stream: iperf3's default for UDP, far below what would disturb a member."""

_PATIENCE_S = 6
"""Seconds in which the other side must have started its server."""

# iperf3 3.12 with --json ends with 0 also where it fails; only a server that does not listen yet is worth a new try.
_CLIENT = """
end=$(($(date +%s) + {}))
while
    iperf3 --udp --client {} --port {} --bitrate {} --length 1200 --time {} --connect-timeout 2000 \\
        --json --get-server-output >report
    grep -q 'unable to connect' report && [ "$(date +%s)" -lt "$end" ]
do
    sleep 0.3
done
cat report
"""


def rounds(hosts: Sequence[str]) -> Iterator[list[tuple[str, str]]]:
    """Disjoint pairs, round by round, until every two hosts have met once (the circle method)."""
    ring: list[str | None] = [*hosts]
    if len(ring) % 2:
        ring.append(None)
    half = len(ring) // 2
    for _ in range(len(ring) - 1):
        facing = zip(ring[:half], reversed(ring[half:]), strict=True)
        yield [(one, other) for one, other in facing if one is not None and other is not None]
        ring[1:] = [ring[-1], *ring[1:-1]]


def server_activity(token: str, port: int = PORT) -> Activity:
    """A server that serves one stream and ends."""
    return Activity(
        what="iperf3",
        name=f"iperf3-server-{token}",
        load=sh(
            "exec timeout {} iperf3 --server --one-off --json --port {}", SECONDS + 2 * _PATIENCE_S, port
        ),
        seconds=SECONDS + 2 * _PATIENCE_S,
        programs=("iperf3",),
    )


def client_activity(address: str, token: str, port: int = PORT) -> Activity:
    """The stream to a server that is just being started on the other side."""
    return Activity(
        what="iperf3",
        name=f"iperf3-client-{token}",
        load=sh(_CLIENT, _PATIENCE_S, address, port, BANDWIDTH, SECONDS),
        seconds=SECONDS + 2 * _PATIENCE_S,
        programs=("iperf3",),
    )


def iperf_path(
    finished: Finished, source: str, target: str, rtt: NetworkPath | None
) -> NetworkPath | NotMeasured:
    """The path that a client's report tells of: the server's jitter by interval.

    Args:
        finished: what the client printed.
        source, target: host names.
        rtt: the same path by ping; its round-trip times stand beside iperf3's jitter, since UDP has none.
    """
    try:
        report = json.loads(finished.out)
        if "error" in report:
            return NotMeasured("iperf3", source, f"to {target}: {report['error']}")
        server = report["server_output_json"]
        jitter = list(_jitter(server["intervals"]))
        loss = float(server["end"]["sum"]["lost_percent"]) / 100
    except (ValueError, LookupError, TypeError):
        return NotMeasured(
            "iperf3", source, f"to {target}: iperf3's report has no jitter ({finished.complaint})"
        )
    if not jitter:
        return NotMeasured("iperf3", source, f"to {target}: the stream ended within its first second")
    return NetworkPath(
        source_host=source,
        target_host=target,
        rtt_avg_ms=rtt.rtt_avg_ms if rtt else None,
        rtt_max_ms=rtt.rtt_max_ms if rtt else None,
        jitter_avg_ms=round(fmean(jitter), 3),
        jitter_max_ms=round(max(jitter), 3),
        loss=loss,
        samples=len(jitter),
        source="iperf3",
    )


def _jitter(intervals: Sequence[Any]) -> Iterator[float]:
    """Milliseconds by interval; the first second is left out, and so is a stub at the end."""
    for interval in intervals:
        whole = interval["sum"]
        if whole["start"] >= 0.9 and whole["seconds"] >= 0.5:
            yield float(whole["jitter_ms"])
