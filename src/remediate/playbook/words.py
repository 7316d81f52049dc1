"""The words of a play and their types: what may stand in a playbook, and nothing else."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from remediate.playbook.pace import Gate, OnFailure, Order, Serial, parse_serial
from remediate.task import units
from remediate.task.units import Duration

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WINDOW = re.compile(
    r"(?:(?P<days>(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?:[,-](?:Mon|Tue|Wed|Thu|Fri|Sat|Sun))*)\s+)?"
    r"(?:[01]?\d|2[0-3]):[0-5]\d\s*[-–]\s*(?:[01]?\d|2[0-4]):[0-5]\d(?:\s+(?P<zone>[A-Za-z0-9_+/-]+))?"
)

RESERVED = frozenset({"finding", "facts", "item"})
"""Names that mean something of their own in templates."""


class Measure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a play measures before its tasks are planned, and again after they were applied.

    etcd's own metrics and the network between its members always are; these words ask for load beside that.

    Attributes:
        fio: the disk's fsync latency with etcd's profile, beside etcd's own histogram.
        iperf3: UDP jitter.
        probe_writes: the latency of real puts under a key of remediate's own.
    """

    fio: bool = False
    iperf3: bool = False
    probe_writes: bool = False


class Words(tuple[str, ...]):
    """One word or a list of words; commas separate, too."""

    __slots__ = ()


class Variables(dict[str, Any]):
    """Variables by name."""


class Window(str):
    """A maintenance window, `Sat 02:00-04:00 Europe/Berlin`."""

    __slots__ = ()


class PlayWords(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A play as written. What is not said is None: its default depends on what the play disrupts."""

    hosts: Words
    name: str = ""
    tasks: list[dict[str, Any]] = []
    vars: Variables = Variables()
    when: Any = None
    tags: Words = Words()
    become: bool | None = None
    measure: Measure | bool = False
    serial: Serial | None = None
    order: Order | None = None
    gate: Gate | None = None
    settle: Duration | None = None
    on_failure: OnFailure | None = None
    window: Window | None = None


class TaskWords(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task's words beside the one that names the task."""

    name: str = ""
    when: Any = None
    tags: Words = Words()
    loop: str | list[Any] | None = None


def decode(kind: type, written: Any) -> Any:
    """msgspec's hook for the types above. Raises ValueError."""
    if kind is Serial:
        return parse_serial(written)
    if kind is Words:
        return Words(_words(written))
    if kind is Variables:
        return _variables(written)
    if kind is Window:
        return _window(written)
    return units.decode(kind, written)


def _words(written: Any) -> list[str]:
    items = written if isinstance(written, list) else [written]
    if not all(isinstance(item, str) for item in items):
        raise ValueError("expected a word or a list of words")
    words = [word.strip() for item in items for word in item.split(",")]
    if not all(words):
        raise ValueError("expected a word or a list of words, one of them is empty")
    return words


def _variables(written: Any) -> Variables:
    if not isinstance(written, dict):
        raise ValueError("expected a mapping of variables")
    for name in written:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be a variable's name: letters, digits and _ only")
        if name in RESERVED:
            raise ValueError(f"{name!r} has a meaning of its own in templates; choose another name")
    return Variables(written)


def _window(written: Any) -> Window:
    if not isinstance(written, str) or not _WINDOW.fullmatch(written.strip()):
        raise ValueError("expected a window such as «Sat 02:00-04:00 Europe/Berlin»")
    return Window(written.strip())
