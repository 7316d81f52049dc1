"""The disk's own latency: fio with the write pattern of etcd's log (FIELD-NOTES, thresholds)."""

from __future__ import annotations

import json
from typing import Any

from remediate.measure.activity import Activity, Finished
from remediate.measure.model import Latency, NotMeasured
from remediate.node.shell import sh

RUNTIME_S = 60
"""Seconds after which fio stops by itself: the job takes 15 s on a slow cloud volume, minutes on a throttled one."""

NEEDED_KIB = 5 * 22 * 1024
"""KiB that must be free: five times the job's 22 MiB, for a full disk takes the member down with NOSPACE or a panic."""

_LOAD = """
data=$(cd -P -- {} && pwd) || exit 66
above=${{data%/*}}/
# Beside the data dir where that is the same file system, so that etcd never meets an unknown folder in it.
[ "$(stat -c %d -- "$above")" = "$(stat -c %d -- "$data")" ] && base=${{above%/}} || base=$data
folder=$base/.remediate-fio
printf '%s' "$folder" >folder
df -Pk -- "$data" | {{ read -r _; read -r _ _ _ free _; [ "$free" -ge {} ]; }} ||
    {{ echo "less than {} MiB free on the disk of $data" >&2; exit 71; }}
rm -rf -- "$folder" && mkdir -- "$folder" || exit 73
fio --name=etcd --directory="$folder" --rw=write --ioengine=sync --fdatasync=1 --size=22m --bs=2300 \\
    --runtime={} --output-format=json --output=report.json
rc=$?
cat report.json
exit "$rc"
"""

_CLEAN = """[ -s folder ] && rm -rf -- "$(cat folder)" """


def fio_activity(folder: str, runtime: int = RUNTIME_S) -> Activity:
    """fio on the disk that holds `folder`, in a folder of its own that is removed whatever happens.

    The name of the unit is fixed: two of them on one node would measure each other, so the second one waits.

    Args:
        folder: where etcd's log lies on the node: the data dir, or the wal dir where there is one.
        runtime: seconds after which fio stops with what it has.
    """
    return Activity(
        what="fio",
        name="fio",
        load=sh(_LOAD, folder, NEEDED_KIB, NEEDED_KIB // 1024, runtime),
        seconds=runtime + 15,
        clean=_CLEAN,
        programs=("fio",),
        patience=2 * RUNTIME_S,
    )


def fio_latency(finished: Finished, host: str) -> Latency | NotMeasured:
    """The latency of fdatasync in fio's JSON report (`jobs[0].sync.lat_ns.percentile`)."""
    if finished.rc != 0:
        return NotMeasured("fio", host, finished.complaint)
    try:
        sync = _first_job(finished.out)["sync"]["lat_ns"]
        percentile = sync["percentile"]
        p50, p99 = percentile["50.000000"], percentile["99.000000"]
        return Latency(p50 / 1e6, p99 / 1e6, None, "fio", int(sync["N"]))
    except (ValueError, LookupError, TypeError):
        return NotMeasured(
            "fio", host, "fio's report has no latency of fdatasync; fio 3.5 or newer is needed"
        )


def _first_job(report: str) -> Any:
    """The first job of a report; whatever fio printed before its JSON is skipped."""
    return json.loads(report[report.index("{") :])["jobs"][0]
