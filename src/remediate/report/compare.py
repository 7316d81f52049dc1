"""Before against after: what moved, and what became of each finding. Pure, and never kinder than the data.

A noisy figure has moved only where even the worst reading afterwards is at least 20 % better than the best reading
before. What was not measured afterwards is not improved. What treated a finding is read from the facts of both looks
and not from the plan: what was planned, failed or undone has treated nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remediate.diagnosis.flags import live_flags
from remediate.diagnosis.model import Finding, Severity
from remediate.diagnosis.remedies import CURES, EASES, LATER, NETWORK_ITSELF
from remediate.engine.look import Look
from remediate.etcd.model import EtcdHost
from remediate.report import readings
from remediate.report.readings import Reading, clearly_better, host_of
from remediate.report.text import joined


class Verdict(StrEnum):
    """What became of a finding."""

    HELPED = "helped"
    HELPED_IN_PART = "helped in part"
    NOT_HELPED = "not helped"
    NEEDS_REMEDY = "needs a remedy that was not applied"
    GONE = "gone, but not by what was changed"
    NO_DATA = "cannot tell"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table before/after.

    Attributes:
        where: `EtcdHost.name`, or `cluster` for what is the whole cluster's.
        change: `better`, `worse` (`smaller`, `larger` for sizes) beyond noise, `same` within it or where both are
            below the target, or why there is nothing to compare.
    """

    what: str
    where: str
    before: str
    after: str
    change: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one finding, why in a few words, and the remedy that is still needed."""

    finding: Finding
    verdict: Verdict
    why: str
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that two looks at one cluster say about a run."""

    cluster: str
    rows: tuple[Row, ...]
    judged: tuple[Judged, ...]


def compare(before: Look, after: Look) -> Comparison:
    """Compare two looks at one cluster. Pure."""
    return Comparison(before.cluster.name, tuple(_rows(before, after)), _verdicts(before, after))


def _rows(before: Look, after: Look) -> Iterator[Row]:
    for what, read in readings.PER_HOST.items():
        for host in before.cluster.hosts:
            yield _row(what, host.name, read(before, host.name), read(after, host.name))
    yield _row("put p99", "cluster", readings.put(before), readings.put(after))


def _row(what: str, where: str, before: Reading, after: Reading) -> Row:
    words = ("smaller", "larger") if what == "database" else ("better", "worse")
    return Row(what, where, before.text, after.text, _change(before, after, *words))


def _change(before: Reading, after: Reading, less: str, more: str) -> str:
    if before.edges is None or after.edges is None:
        return after.why or f"before: {before.why}"
    if before.fine and after.fine:
        return "same"
    if clearly_better(before.edges, after.edges):
        return less
    return more if clearly_better(after.edges, before.edges) else "same"


def _verdicts(before: Look, after: Look) -> tuple[Judged, ...]:
    """What became of every finding of the first look, and which ones are new; worst first."""
    left = {(f.id, f.host): f for f in after.findings if f.id not in _UNJUDGED}
    known = {(f.id, f.host): f for f in before.findings if f.id not in _UNJUDGED}
    judged = [_judge(f, left.get(key), before, after) for key, f in known.items()]
    fresh = [Judged(f, Verdict.NEW, f.message) for key, f in left.items() if key not in known]
    order = tuple(Severity)
    return tuple(sorted([*judged, *fresh], key=lambda one: order.index(one.finding.severity)))


def _judge(finding: Finding, left: Finding | None, before: Look, after: Look) -> Judged:
    blind = _blind(finding, after)
    if blind:
        return Judged(finding, Verdict.NO_DATA, blind)
    treated, moved = treatments(finding, before, after), _moved(finding, before, after)
    if left is not None:
        return _judge_left(finding, left, treated, moved)
    if moved is False:
        return Judged(finding, Verdict.NOT_HELPED, "below its threshold now, but by no more than noise")
    effective = _effective(finding, treated)
    if effective:
        once = ", by a single reading" if finding.id == "slow-health" else ""
        return Judged(finding, Verdict.HELPED, f"gone after {_words(effective)}{once}")
    return Judged(finding, Verdict.GONE, "nothing that was changed here treats it")


def _state(finding: Finding, left: Finding, *, better: bool) -> str:
    """How a finding that is still there stands now."""
    if finding.severity is not left.severity:
        return f"was {finding.severity}, is {left.severity}"
    return "better, but still there" if better else "still there"


def _effective(finding: Finding, treated: frozenset[str]) -> frozenset[str]:
    """What of all that was done may have helped against a finding."""
    return treated & (CURES.get(finding.id, frozenset()) | EASES.get(finding.id, frozenset()))


def _judge_left(finding: Finding, left: Finding, treated: frozenset[str], moved: bool | None) -> Judged:
    """A finding that is still there: less severe by treatment, treated in vain, or not treated at its cause.

    A severity that fell by no more than noise is no help.
    """
    state = _state(finding, left, better=moved is True)
    effective = _effective(finding, treated)
    if effective and moved is not False and _less_severe(left, finding):
        return Judged(left, Verdict.HELPED_IN_PART, f"{state} after {_words(effective)}")
    cures = CURES.get(left.id, frozenset())
    if cures & treated:
        return Judged(left, Verdict.NOT_HELPED, f"{state} after {_words(cures & treated)}")
    named = (f"{task}, not in this version yet" if task in LATER else task for task in sorted(cures))
    if left.remedy == NETWORK_ITSELF:
        return Judged(left, Verdict.NEEDS_REMEDY, state, left.remedy)
    return Judged(left, Verdict.NEEDS_REMEDY, state, " or ".join(named) or left.remedy or "by hand")


def _less_severe(one: Finding, other: Finding) -> bool:
    order = tuple(Severity)
    return order.index(one.severity) > order.index(other.severity)


def treatments(finding: Finding, before: Look, after: Look) -> frozenset[str]:
    """Tasks whose effect shows between two looks, on the finding's host or anywhere in its cluster."""
    old = {host.name: host for host in before.cluster.hosts}
    pairs = [(old[new.name], new) for new in after.cluster.hosts if new.name in old]
    own = [pair for pair in pairs if finding.host in (None, pair[0].name)]
    return frozenset(task for pair in own for task, shows in _EFFECTS.items() if shows(*pair))


def _flags_changed(old: EtcdHost, new: EtcdHost) -> bool:
    return live_flags(old) != live_flags(new)


def _priority_changed(old: EtcdHost, new: EtcdHost) -> bool:
    first, second = ({(t.io_class, t.io_level, t.nice) for t in host.threads} for host in (old, new))
    return first != second


def _defragmented(old: EtcdHost, new: EtcdHost) -> bool:
    """Only defragmentation makes the file smaller."""
    return old.status is not None and new.status is not None and new.status.db_size < old.status.db_size


def _disk_changed(old: EtcdHost, new: EtcdHost) -> bool:
    return old.disk is not None and new.disk is not None and old.disk.device != new.disk.device


_EFFECTS: Final[Mapping[str, Callable[[EtcdHost, EtcdHost], bool]]] = {
    "etcd_flags": _flags_changed,
    "process_priority": _priority_changed,
    "etcd_defrag": _defragmented,
    "etcd_disk": _disk_changed,
}

_WORDS: Final = {
    "etcd_flags": "new flags",
    "process_priority": "new priorities",
    "etcd_defrag": "defragmentation",
    "etcd_disk": "the move to another disk",
}


def _words(tasks: frozenset[str]) -> str:
    """What was done, whichever task did it: `new flags, defragmentation`."""
    return joined(words for task, words in _WORDS.items() if task in tasks)


_NOISY: Final[Mapping[str, Callable[[Look, str], Reading]]] = {
    "slow-fsync": readings.fsync,
    "slow-backend-commit": readings.commit,
    "slow-health": readings.health,
}
"""Findings whose figure varies from one measurement to the next, and how to read it."""

_UNJUDGED: Final = frozenset({"unclear-fsync"})
"""It tells of the measurement, not of the cluster; slow-fsync then says that it cannot tell."""

_NEEDS_NETWORK: Final = frozenset({"slow-network", "bad-timers"})
_SHOWN_BY_SILENCE: Final = frozenset(
    {"member-down", "no-leader", "quorum-at-risk", "stray-manifest", "member-removed"}
)
"""Findings that a member which does not answer cannot hide."""


def _blind(finding: Finding, after: Look) -> str:
    """Why the second look cannot judge a finding; empty where it can."""
    if finding.host and not host_of(after, finding.host):
        return f"{finding.host} was not looked at again"
    if finding.id in _NOISY and finding.host:
        return _NOISY[finding.id](after, finding.host).why
    if finding.id in _NEEDS_NETWORK and not any(p.effective_ms is not None for p in after.measured.network):
        return "the network was not measured again"
    asked = [host_of(after, finding.host)] if finding.host else list(after.cluster.hosts)
    silent = [host.name for host in asked if host and host.status is None]
    return f"{', '.join(silent)} does not answer" if silent and finding.id not in _SHOWN_BY_SILENCE else ""


def _moved(finding: Finding, before: Look, after: Look) -> bool | None:
    """Whether a noisy figure got better by more than noise; None where a finding has no such figure."""
    if finding.id not in _NOISY or not finding.host:
        return None
    old, new = (_NOISY[finding.id](look, finding.host).edges for look in (before, after))
    return old is not None and new is not None and clearly_better(old, new)
