"""What a run is given from outside: machines, time and people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from remediate.engine.events import Observer
from remediate.engine.world import Connect
from remediate.node.api import Clock


@dataclass(frozen=True, slots=True)
class Tools:
    """The run's way to machines, time and people.

    Attributes:
        ask: is the plan that the observer was told wanted? None where nobody can be asked.
        done: called when nothing more will be connected to (jump hosts are closed).
    """

    connect: Connect
    clock: Clock
    observer: Observer
    ask: Callable[[], bool] | None
    done: Callable[[], None] = lambda: None
