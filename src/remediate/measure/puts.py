"""Put latency as a client sees it: small puts through the member's own gateway (`--probe-writes`)."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Sequence
from importlib.resources import files

from remediate.measure.activity import Activity, Finished
from remediate.measure.model import Latency, NotMeasured
from remediate.node.shell import sh

COUNT = 100
"""Puts of a probe: the fewest that have a 99th percentile."""

RATE = 20
"""Puts a second at most: a sick cluster was seen to take 17 (LAB-NOTES), a healthy one takes thousands."""

LIMIT_S = 12
"""Seconds after which the probe is over, with what it has: at 700 ms for one put (LAB-NOTES) that is 17 puts."""

_ERASE_S = 15
"""Seconds for the deletion afterwards, more than one request of a sick cluster takes."""


def puts_activity(instance: str, run: str, prelude: str) -> Activity:
    """Puts to one key below `remediate/probe/RUN/`; the whole prefix is deleted however the probe ends.

    Args:
        instance: name of the local etcd.
        run: the run's ID, a plain word.
        prelude: the text of the preludes `etcd` and `etcdctl`.
    """
    prefix = f"remediate/probe/{run}/"
    preset = sh(
        "instance={} body={} erase={} count={} rate={} limit={}\n",
        instance,
        json.dumps({"key": _base64(prefix + "put"), "value": _base64("x" * 64)}),
        json.dumps({"key": _base64(prefix), "range_end": _base64(prefix[:-1] + chr(ord("/") + 1))}),
        COUNT,
        RATE,
        LIMIT_S,
    )
    return Activity(
        what="puts",
        name=f"puts-{run}",
        load=prelude + preset + files("remediate.measure").joinpath("puts.sh").read_text("utf-8"),
        seconds=LIMIT_S + 5,
        clean=sh("[ ! -s erase.conf ] || timeout {} curl --config erase.conf", _ERASE_S),
        programs=("curl",),
    )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def put_latency(finished: Finished, host: str) -> Latency | NotMeasured:
    """Median and 99th percentile of the puts that were acknowledged; setting up the connection does not count."""
    times = sorted(_times(finished.out))
    if not times:
        return NotMeasured("puts", host, f"no put was acknowledged: {finished.complaint}")
    return Latency(quantile(times, 0.5), quantile(times, 0.99), None, "probe", len(times))


def _times(out: str) -> Iterator[float]:
    """Milliseconds of each acknowledged put, from lines `CODE BEFORE TOTAL`."""
    for line in out.splitlines():
        code, *seconds = line.split()
        if code == "200" and len(seconds) == 2:
            before, total = map(float, seconds)
            yield round((total - before) * 1000, 3)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
