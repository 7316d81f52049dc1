"""What the rounds add up to: medians, ratios to the floor, bounds, the verdict, and how it is shown. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

FLOOR, OURS = "floor", "remediate"

VOID_HOSTS, VOID_SECONDS = 100, 5.0
"""Where the floor takes longer than this many seconds at so many hosts, the machine is too busy to tell anything."""

FEW_HOSTS, FEW_RATIO, RATIO = 30, 1.6, 1.5
"""Below 30 hosts start-up weighs more: 1.6 × the floor; from there on 1.5 ×."""

VERSION_SECONDS = 0.2
PEAK_MB, PEAK_HOSTS = 80.0, 100
"""Issue 2, "Fast"."""


class Verdict(StrEnum):
    """How the comparison ends."""

    MET = "met"
    MISSED = "missed"
    VOID = "void"

    @property
    def exit_code(self) -> int:
        """0, 1 and 3; 2 is for what cannot be compared at all."""
        return {"met": 0, "missed": 1, "void": 3}[self]


@dataclass(frozen=True, slots=True)
class Series:
    """One contender's rounds at one number of hosts.

    Attributes:
        seconds: wall time of each round.
        peak_mb: largest resident set of any round, in 10⁶ bytes.
    """

    seconds: tuple[float, ...]
    peak_mb: float

    @property
    def median(self) -> float:
        """Seconds."""
        return median(self.seconds)


@dataclass(frozen=True, slots=True)
class Size:
    """All contenders at one number of hosts.

    Attributes:
        load: the machine's load average before and after.
    """

    hosts: int
    series: dict[str, Series]
    load: tuple[float, float] = (0.0, 0.0)

    def ratio(self, name: str) -> float:
        """A contender's median as a multiple of the floor's."""
        return self.series[name].median / self.series[FLOOR].median


@dataclass(frozen=True, slots=True)
class Bound:
    """One limit that is to be kept, and what was measured."""

    what: str
    limit: float
    measured: float

    @property
    def met(self) -> bool:
        """Whether it was kept."""
        return self.measured <= self.limit


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole comparison.

    Attributes:
        about: the machine, and the contenders' versions.
        version: rounds of `remediate --version`.
    """

    about: dict[str, object]
    version: Series
    sizes: tuple[Size, ...]

    @property
    def void(self) -> str:
        """Why nothing can be told; empty where something can."""
        for size in self.sizes:
            floor = size.series[FLOOR].median
            if size.hosts <= VOID_HOSTS and floor > VOID_SECONDS:
                return (
                    f"the floor took {floor:.1f} s at {size.hosts} hosts, more than {VOID_SECONDS:g} s: "
                    "this machine is too slow or too busy, nothing can be told"
                )
        return ""

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """All limits that apply."""
        return tuple(self._bounds())

    @property
    def verdict(self) -> Verdict:
        """Void, met or missed."""
        if self.void:
            return Verdict.VOID
        return Verdict.MET if all(bound.met for bound in self.bounds) else Verdict.MISSED

    def _bounds(self) -> Iterator[Bound]:
        yield Bound("remediate --version, s", VERSION_SECONDS, self.version.median)
        for size in self.sizes:
            limit = FEW_RATIO if size.hosts < FEW_HOSTS else RATIO
            yield Bound(f"remediate / floor at {size.hosts} hosts", limit, size.ratio(OURS))
            if size.hosts <= PEAK_HOSTS:
                yield Bound(f"peak memory at {size.hosts} hosts, MB", PEAK_MB, size.series[OURS].peak_mb)

    def document(self) -> dict[str, object]:
        """The JSON document."""
        return {
            **self.about,
            "version": _series(self.version),
            "sizes": [
                {
                    "hosts": size.hosts,
                    "load": {"before": size.load[0], "after": size.load[1]},
                    "contenders": {
                        name: {**_series(series), "ratio": round(size.ratio(name), 3)}
                        for name, series in size.series.items()
                    },
                }
                for size in self.sizes
            ],
            "bounds": [
                {"what": b.what, "limit": b.limit, "measured": round(b.measured, 3), "met": b.met}
                for b in self.bounds
            ],
            "void": self.void or None,
            "verdict": self.verdict.value,
        }

    def table(self) -> str:
        """The table for people: median seconds, ratio to the floor and peak memory, and the bounds below it."""
        names = list(self.sizes[0].series) if self.sizes else []
        rows = [("", *(f"{size.hosts} hosts" for size in self.sizes))]
        rows += [(name, *(_cell(size, name) for size in self.sizes)) for name in names]
        lines = list(_aligned(rows))
        lines += ["", *(_told(bound) for bound in self.bounds)]
        lines.append(f"void: {self.void}" if self.void else f"bounds {self.verdict.value}")
        return "\n".join(lines)


def _series(series: Series) -> dict[str, object]:
    return {
        "median_s": round(series.median, 4),
        "seconds": [round(value, 4) for value in series.seconds],
        "peak_mb": round(series.peak_mb, 1),
    }


def _cell(size: Size, name: str) -> str:
    series = size.series[name]
    return f"{series.median:.2f} s  {size.ratio(name):5.2f} ×  {series.peak_mb:3.0f} MB"


def _told(bound: Bound) -> str:
    return (
        f"{'ok    ' if bound.met else 'MISSED'} {bound.what}: {bound.measured:.3f}, at most {bound.limit:g}"
    )


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        yield "   ".join((first.ljust(widths[0]), *cells)).rstrip()
