"""Activities: loads on a node that never outlive the controller (DESIGN, "Activities").

A load runs as a transient systemd unit in a root-only folder. It holds a lease that the newlines of `Node.follow`
renew; when they stop, with or without an end of file, a watchdog inside the unit ends everything and cleans up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files

from remediate.errors import RemediateError
from remediate.measure.hints import how_to_install
from remediate.measure.model import NotMeasured
from remediate.node.api import Node
from remediate.node.shell import sh

LEASE_S = 8
"""Seconds that a load lives without a renewal. Looking at the lease and killing take under a second more, so the
load is gone 10 s after the controller's death (DESIGN); a renewal comes every 2 s."""

OUTPUT_CAP = 1024 * 1024
"""Bytes of a load's output that are read back; a report of fio has 8 kB, one of iperf3 for 10 s has 20 kB."""

_SETTLE_S = 5
"""Seconds beyond the load's own time in which its result must have been taken; the node looks every 0.2 s."""

_CLEAN_S = 30
"""Seconds in which a unit is gone after its load: systemd gives the clean-up 20 (activity.sh)."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Activity:
    """One load.

    Attributes:
        what: what it measures, for messages: `fio`, `ping`, `iperf3`, `puts`.
        name: plain word; the unit is `remediate-NAME.service`, and one of a name runs on a node at a time.
        load: sh text; it runs in a folder of its own and prints the result.
        seconds: the longest that the load may take; then the node ends it.
        clean: sh text that runs in the same folder whatever way the load ended.
        programs: what must be on the node.
        patience: seconds to wait for another one of this name, of a cluster that shares the node.
    """

    what: str
    name: str
    load: str
    seconds: int
    clean: str = ":"
    programs: tuple[str, ...] = ()
    patience: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """A load that ended by itself: its exit code, its output, and the end of its errors."""

    rc: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The last line that it had to say, for messages."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1].strip() if lines else "it said nothing"


def script(activity: Activity) -> str:
    """The sh text that runs an activity on a node.

    Raises:
        ValueError: the name is no plain word.
    """
    if not _NAME.fullmatch(activity.name):
        raise ValueError(f"{activity.name!r} is no plain word")
    here = files("remediate.measure")
    preset = sh(
        "name={} seconds={} patience={} lease_seconds={} cap={} programs={}\nload={}\nclean={}\nwatch={}\n",
        activity.name,
        activity.seconds + _SETTLE_S,
        activity.patience,
        LEASE_S,
        OUTPUT_CAP,
        " ".join(activity.programs),
        activity.load,
        activity.clean,
        here.joinpath("watch.sh").read_text("utf-8"),
    )
    return preset + here.joinpath("activity.sh").read_text("utf-8")


def keep_going() -> None:
    """The `stop` of an activity that nothing stops."""


def perform(
    node: Node, activity: Activity, *, stop: Callable[[], str | None] = keep_going
) -> Finished | NotMeasured:
    """Run an activity to its end.

    Args:
        node: where.
        activity: what.
        stop: asked about once a second; a reason ends the load at once. It should answer within a second or two.

    Returns:
        What it printed, or why there is nothing: a missing program, no systemd, stopped, or a broken connection.
    """
    report = _Report(stop)
    limit = activity.patience + activity.seconds + _SETTLE_S + _CLEAN_S
    try:
        node.follow(script(activity), report.take, timeout=limit)
    except _StoppedError as stopped:
        return NotMeasured(activity.what, node.name, f"stopped: {stopped}")
    except RemediateError as error:
        return NotMeasured(activity.what, node.name, str(error))
    return report.result(activity, node.name)


class _StoppedError(Exception):
    """Leaves `Node.follow`: the channel closes, the lease goes with it, and the node ends the load."""


@dataclass(slots=True)
class _Report:
    """What activity.sh says, line by line."""

    stop: Callable[[], str | None]
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    rc: int | None = None
    why: str = "the node ended it without a word"

    def take(self, line: str) -> None:
        word, _, text = line.rstrip("\r\n").partition(" ")
        if word == "t":
            self._ask()
        elif word == "o":
            self.out.append(text)
        elif word == "e":
            self.err.append(text)
        elif word == "r":
            self.rc = int(text) if text.isdigit() else -1
        elif word == "m":
            program, _, identifiers = text.partition(" ")
            self.why = f"{program} is not installed: {how_to_install(program, identifiers)}"
        elif word == "x":
            self.why = text

    def _ask(self) -> None:
        reason = self.stop()
        if reason:
            raise _StoppedError(reason)

    def result(self, activity: Activity, host: str) -> Finished | NotMeasured:
        if self.rc is None:
            return NotMeasured(activity.what, host, self.why)
        return Finished(self.rc, "\n".join(self.out), "\n".join(self.err))
