"""How long a run takes that finds nothing to do: ansible-core, pyinfra and remediate against the floor.

    benchmarks/compare.py [--hosts 3,30,100] [--rounds 5] [--json FILE]

One sshd on loopback, in namespaces of its own, has ten settings: two files, three flags in a static pod's manifest,
three kernel settings, I/O class and nice value of a process. Every contender runs as a whole process against so many
names for it, in turn, with the host key checked, and must find the ten in order in every run; before anything is timed
it must have noticed each of them out of order. The floor is one Fabric connection and one exec per host from threads,
the exec reading the same values with the plainest commands.

The table goes to standard output, the JSON document to FILE; with `--json -` it goes to standard output, and the table
to standard error. Needs root. Exit code: 0 the bounds are kept, 1 one is missed, 2 nothing could be compared, 3 the
machine was too slow to tell, 130 interrupted. Nothing is left behind in any case.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from comparison.contenders import Contender, contenders, program
from comparison.node import SETTINGS, CannotCompare, Node, started
from comparison.result import FLOOR, OURS, Comparison, Series, Size
from comparison.timing import Finished, run


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="compare-") as folder, started(Path(folder)) as node:
            comparison = _compare(node, options)
    except CannotCompare as problem:
        print(f"compare.py: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("compare.py: interrupted; everything is removed", file=sys.stderr)
        return 130
    _show(comparison, options.json)
    return comparison.verdict.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hosts", type=_numbers, default=(3, 30, 100), metavar="N,N…")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument(
        "--forks", type=int, default=16, metavar="N", help="hosts at once, of the floor and of remediate"
    )
    parser.add_argument(
        "--only",
        type=_names,
        default=frozenset(),
        metavar="NAME,…",
        help="these beside the floor and remediate",
    )
    parser.add_argument(
        "--json", default="", metavar="FILE", help="write the JSON document there; - is standard output"
    )
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(word) for word in text.split(","))
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("hosts are counted from 1")
    return numbers


def _names(text: str) -> frozenset[str]:
    return frozenset({FLOOR, OURS, *text.split(",")})


def _compare(node: Node, options: argparse.Namespace) -> Comparison:
    who = contenders(node, options.forks)
    if options.only:
        if unknown := options.only - {one.name for one in who}:
            raise CannotCompare(f"{', '.join(sorted(unknown))} cannot run here, or is no contender")
        who = tuple(one for one in who if one.name in options.only)
    for hosts in (1, *options.hosts):
        node.inventories(hosts)
    for one in who:
        _require_sight(one, node)
    version = _series([_version(node) for _ in range(options.rounds)])
    sizes = tuple(_size(who, node, hosts, options.rounds) for hosts in options.hosts)
    return Comparison(_about(who, options), version, sizes)


def _require_sight(one: Contender, node: Node) -> None:
    """A contender that does not look is not fast. Raises CannotCompare."""
    _say(f"{one.name}: does it notice each of the ten settings?")
    blind = one.blind_to(node, SETTINGS)
    if blind:
        raise CannotCompare(f"{one.name} does not tell what is in order from what is not: {', '.join(blind)}")


def _size(who: Sequence[Contender], node: Node, hosts: int, rounds: int) -> Size:
    before = os.getloadavg()[0]
    runs: dict[str, list[Finished]] = {one.name: [] for one in who}
    for number in range(1, rounds + 1):
        for one in who:
            done, in_order = one.look(node, hosts)
            if not in_order:
                raise CannotCompare(f"{one.name} at {hosts} hosts found something to do: {done.said}")
            runs[one.name].append(done)
        told = ", ".join(f"{name} {done[-1].seconds:.2f} s" for name, done in runs.items())
        _say(f"{hosts} hosts, round {number}: {told}")
    return Size(hosts, {name: _series(done) for name, done in runs.items()}, (before, os.getloadavg()[0]))


def _version(node: Node) -> Finished:
    environment = {"HOME": str(node.home), "PATH": os.environ["PATH"]}
    return run((program("remediate"), "--version"), environment, node.folder)


def _series(runs: Sequence[Finished]) -> Series:
    return Series(tuple(done.seconds for done in runs), max(done.peak_mb for done in runs))


def _about(who: Sequence[Contender], options: argparse.Namespace) -> dict[str, object]:
    return {
        "machine": {
            "cores": os.cpu_count(),
            "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6,
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
        "versions": {one.name: one.version for one in who},
        "forks": options.forks,
        "rounds": options.rounds,
        "noticed": {one.name: [setting.name for setting in SETTINGS] for one in who},
    }


def _show(comparison: Comparison, file: str) -> None:
    text = json.dumps(comparison.document(), indent=1, ensure_ascii=False) + "\n"
    if file == "-":
        sys.stdout.write(text)
    elif file:
        Path(file).write_text(text, encoding="utf-8")
    print(comparison.table(), file=sys.stderr if file == "-" else sys.stdout)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
