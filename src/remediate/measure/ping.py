"""Round-trip times by ping: one activity per node measures the paths to all its peers at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean

from remediate.measure.activity import Activity, Finished
from remediate.measure.model import NetworkPath, NotMeasured
from remediate.node.shell import sh

COUNT = 21
"""Packets of a series; the first one is not judged, for it also waits for the neighbour's hardware address."""

INTERVAL_S = 0.2
"""Seconds between two packets: the smallest that ping gives to everybody."""

WAIT_S = 1
"""Seconds that the last answer is waited for; the longest heartbeat in use is shorter."""

_PING = "ping -n -i {} -c {} -W {} -- {} >{} 2>&1 &\n"
_HEADING = "path "

# iputils says icmp_seq=1, busybox says seq=0; of an answer that comes twice the first counts.
_ANSWER = re.compile(r"seq=(\d+)\b.*\btime=([\d.]+) ms")
_SENT = re.compile(r"^(\d+) packets transmitted", re.MULTILINE)


def ping_activity(targets: Mapping[str, str], token: str) -> Activity:
    """Ping several hosts at once.

    Args:
        targets: address by host name.
        token: plain word that tells this run's unit from another's.
    """
    series = [
        sh(_PING, INTERVAL_S, COUNT, WAIT_S, address, f"{number}")
        for number, address in enumerate(targets.values())
    ]
    show = [sh("echo {}; cat {}\n", f"{_HEADING}{number}", f"{number}") for number in range(len(series))]
    return Activity(
        what="ping",
        name=f"ping-{token}",
        load="".join([*series, "wait\n", *show]),
        seconds=round(COUNT * INTERVAL_S) + WAIT_S + 5,
        programs=("ping",),
    )


def ping_paths(finished: Finished, source: str, targets: Sequence[str]) -> list[NetworkPath | NotMeasured]:
    """The paths that the output of `ping_activity` tells of, in the order of its targets."""
    parts = re.split(rf"^{_HEADING}\d+$\n?", finished.out, flags=re.MULTILINE)[1:]
    if len(parts) != len(targets):
        return [NotMeasured("ping", source, finished.complaint)]
    return [ping_path(part, source, target) for part, target in zip(parts, targets, strict=True)]


def ping_path(series: str, source: str, target: str) -> NetworkPath | NotMeasured:
    """One series of ping's lines as round-trip time, loss, and jitter (difference of successive round-trip times)."""
    sent = _SENT.search(series)
    if not sent or int(sent[1]) == 0:
        said = series.strip().splitlines() or ["ping said nothing"]
        return NotMeasured("ping", source, f"to {target}: {said[-1]}")
    times: dict[int, float] = {}
    for number, ms in _ANSWER.findall(series):
        times.setdefault(int(number), float(ms))
    judged = [times[number] for number in sorted(times)][1:]
    jitter = [round(abs(after - before), 3) for before, after in pairwise(judged)]
    return NetworkPath(
        source_host=source,
        target_host=target,
        rtt_avg_ms=round(fmean(judged), 3) if judged else None,
        rtt_max_ms=max(judged, default=None),
        jitter_avg_ms=round(fmean(jitter), 3) if jitter else None,
        jitter_max_ms=max(jitter, default=None),
        loss=1 - len(times) / int(sent[1]),
        samples=len(judged),
        source="ping",
    )
