"""Write to an etcd cluster while something is done to it; say how long nobody was answered, and that nothing is lost.

    benchmarks/write_gap.py --lab lab -- remediate run incident -i lab --yes

A writer puts a fixed number of small values a second through every member's gRPC gateway over persistent connections
and fails over at once. After a baseline the given command runs; then every acknowledged write is read back from every
member by linearizable reads. The JSON document goes to standard output, the table and the command's own output to
standard error. Exit code: 1 when an acknowledged write is lost or a member cannot be read, else the command's own.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import json
import math
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from gateway_writer import PATIENCE_S, Access, Write, Writer, erase, verify

SWIFT_S = 0.25
"""Shortest time-out: a proposal that was lost with its leader is answered only after 7 s (etcd's request time-out)."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the ledger: its seconds, how many puts, their latency, and the longest time without any."""

    seconds: float
    acknowledged: int
    p50_ms: float | None
    p99_ms: float | None
    longest_gap_ms: float


def phase(ledger: Sequence[Write], start: float, end: float) -> Phase:
    """Judge the writes between two monotonic times; a stall that crosses an edge counts as long as it was."""
    times = [write.at for write in ledger]
    low, high = bisect.bisect_left(times, start), bisect.bisect_right(times, end)
    edges = [
        times[low - 1] if low else start,
        *times[low:high],
        times[high] if high < len(times) else end,
    ]
    took = sorted(write.took * 1000 for write in ledger[low:high])
    return Phase(
        seconds=end - start,
        acknowledged=high - low,
        p50_ms=_quantile(took, 0.5),
        p99_ms=_quantile(took, 0.99),
        longest_gap_ms=max((after - before) * 1000 for before, after in itertools.pairwise(edges)),
    )


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def lab_access(name: str) -> Access:
    """The lab's members and its client certificate, as `remediate lab status` tells them."""
    told = subprocess.run(
        [sys.executable, "-m", "remediate", "lab", "status", "--name", name, "--output", "json"],
        check=True,
        stdout=subprocess.PIPE,
        timeout=60,
    )
    status = json.loads(told.stdout)
    return Access(tuple(node["etcd"] for node in status["nodes"].values()), **status["client"])


def measure(
    writer: Writer, baseline: float, command: Sequence[str], seconds: float
) -> tuple[Phase, Phase, int]:
    """Let the writer run alone, then beside the command (or for so many seconds where there is none)."""
    start = time.monotonic()
    time.sleep(baseline)
    middle = time.monotonic()
    before = phase(writer.ledger, start, middle)
    writer.timeout = min(PATIENCE_S, max(SWIFT_S, 4 * (before.p99_ms or 1000 * PATIENCE_S) / 1000))
    code = 0
    if command:
        code = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode
    else:
        time.sleep(seconds)
    end = time.monotonic()
    time.sleep(1.0)  # a stall that the command leaves behind ends within the ledger
    return before, phase(writer.ledger, middle, end), code


def _table(rows: Mapping[str, Phase]) -> str:
    lines = [f"{'':10} {'seconds':>8} {'puts':>8} {'p50 ms':>8} {'p99 ms':>8} {'longest gap ms':>15}"]
    for name, row in rows.items():
        latency = [
            f"{value:8.1f}" if value is not None else f"{'-':>8}" for value in (row.p50_ms, row.p99_ms)
        ]
        lines.append(
            f"{name:10} {row.seconds:8.1f} {row.acknowledged:8d} {' '.join(latency)} {row.longest_gap_ms:15.0f}"
        )
    return "\n".join(lines)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--lab", help="name of a running lab; gives the endpoints and the certificate")
    parser.add_argument("--endpoints", help="client URLs, comma-separated")
    parser.add_argument("--cacert")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--rate", type=float, default=200.0, help="puts a second (default 200)")
    parser.add_argument(
        "--baseline", type=float, default=10.0, help="seconds before the command (default 10)"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="where no command is given (default 10)")
    parser.add_argument(
        "--patience", type=float, default=60.0, help="seconds that a member gets to be read back"
    )
    parser.add_argument("command", nargs="*", help="what to run meanwhile, behind --")
    arguments = parser.parse_args(argv)
    if bool(arguments.lab) == bool(arguments.endpoints):
        parser.error("give --lab or --endpoints")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    given = _arguments(argv)
    if given.lab:
        access = lab_access(given.lab)
    else:
        access = Access(tuple(given.endpoints.split(",")), given.cacert, given.cert, given.key)
    with Writer(access, rate=given.rate) as writer:
        before, during, code = measure(writer, given.baseline, given.command, given.seconds)
    ledger = writer.ledger
    verdict = verify(access, writer.prefix, ledger, patience=given.patience)
    lost = len({key for keys in verdict.lost.values() for key in keys})
    print(_table({"baseline": before, "command": during}), file=sys.stderr)
    print(f"{len(ledger)} acknowledged, {lost} lost, {writer.retries} retries", file=sys.stderr)
    document = {
        "rate": given.rate,
        "command": given.command,
        "exit_code": code,
        "baseline": asdict(before),
        "during": asdict(during),
        "acknowledged": len(ledger),
        "lost": lost,
        "unread": verdict.unread,
        "retries": writer.retries,
    }
    print(json.dumps(document, indent=2))
    if verdict.clean:
        erase(access, writer.prefix)
    return code if verdict.clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
