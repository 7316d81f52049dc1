"""What a run tells while it happens: small frozen values, handed to observers.

The engine emits them from several threads; an observer locks what it writes to. Tasks never emit anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from remediate.diagnosis.model import Finding
from remediate.engine.gates import Check
from remediate.engine.result import ChangeResult, Mode, NoopResult, RunResult


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins; hosts in inventory order."""

    run: str
    playbook: str
    inventory: str
    hosts: tuple[str, ...]
    mode: Mode


@dataclass(frozen=True, slots=True)
class PlayStarted:
    """A play begins on the hosts that its pattern and `--limit` leave."""

    play: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Looking:
    """Facts are being read on these hosts."""

    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """One host's facts are there, or the reason why not."""

    host: str
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Measuring:
    """A measurement goes on: `what` is `fsync`, `network`, …; progress 0…1, None where it cannot be known."""

    what: str
    host: str
    progress: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The diagnosis of one cluster; an empty one says that nothing is wrong."""

    cluster: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What will be done on one host.

    Attributes:
        batch: 1, 2, …: hosts of one batch go together, batches one after another.
        changes: state pending, in the order in which they are made.
        note: what else to know: `leader: its leadership moves to n2 first`.
    """

    host: str
    cluster: str
    batch: int
    changes: tuple[ChangeResult, ...]
    noops: tuple[NoopResult, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """The exact plan of one play, hosts in the order in which they will be changed.

    Attributes:
        gate: name of the gate around each changed host, empty for none.
        settle: seconds of rest after each changed host.
        advice: what a person should do beside it, so that it lasts.
    """

    play: str
    hosts: tuple[HostPlan, ...]
    gate: str = ""
    settle: float = 0.0
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GateChecked:
    """A gate's last word; `when` is `before` or `after`, seconds is how long it was waited for."""

    host: str
    when: str
    passed: bool
    checks: tuple[Check, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class ChangeStarted:
    """A change is being made now."""

    host: str
    change: ChangeResult


@dataclass(frozen=True, slots=True)
class ChangeEnded:
    """A change was made, failed, is held, or was undone: see `change.state`."""

    host: str
    change: ChangeResult
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Settling:
    """The cluster is given rest after a host was changed."""

    host: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Undoing:
    """What was changed on a host is being taken back, and why."""

    host: str
    why: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth a line; `warning` where a person should look."""

    message: str
    host: str = ""
    warning: bool = False


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run is over; this is always the last event."""

    result: RunResult


Event = (
    RunStarted
    | PlayStarted
    | Looking
    | Looked
    | Measuring
    | Found
    | Planned
    | GateChecked
    | ChangeStarted
    | ChangeEnded
    | Settling
    | Undoing
    | Note
    | RunEnded
)


class Observer(Protocol):
    """Whoever wants to know. It must not raise and must be quick: the run waits for it."""

    def on(self, event: Event) -> None:
        """Take one event; may be called from several threads at once."""
        ...


class Observers:
    """Several observers that are told one after another; one that fails is told nothing more and fails nobody else.

    A closed pipe must not end a run between a change and its gate.

    Attributes:
        failures: what observers failed with.
    """

    def __init__(self, *observers: Observer) -> None:
        self._observers = list(observers)
        self.failures: list[Exception] = []

    def on(self, event: Event) -> None:
        """Tell each."""
        for observer in tuple(self._observers):
            try:
                observer.on(event)
            except Exception as problem:  # noqa: BLE001 - whatever a report's defect is, the nodes come first
                self._observers.remove(observer)
                self.failures.append(problem)
