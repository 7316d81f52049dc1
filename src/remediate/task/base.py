"""What a task is: a pure function from its arguments and facts to operations, or to no-ops that say why."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from remediate.facts.base import Fact, Seen


class Disrupts(StrEnum):
    """What a change does to the cluster while it happens."""

    NOTHING = "nothing"
    RESTART = "restarts a member"
    BLOCK = "blocks a member"


@dataclass(frozen=True, slots=True)
class Irreversible:
    """Why a change has no way back."""

    reason: str


@dataclass(frozen=True, slots=True)
class Noop:
    """Nothing to do, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a host's folded operations on one target become.

    Attributes:
        target: what is written or restarted, once.
        summary: one line for people.
        check: sh that exits non-zero when the node is no longer as the plan saw it (compare-and-swap).
        apply: sh that makes the change; idempotent; runs with `node/lib.sh` loaded.
        undo: sh that takes it back, or why that cannot be.
        files: staged content by name; `apply` and `undo` find them as `"$STAGE/NAME"`.
        diff: unified diff, empty where there is none.
        disrupts: what it does to the member.
        instance: which etcd instance it disrupts, empty where none.
        hand_over: a leader gives its leadership away before it is disrupted.
        estimate: seconds that it may take; the node unit's time-out comes from it.
        predicts: facts as they will be afterwards; the next phase is compiled on them.
        uniform: where it fails on one host, it is taken back on every host that had it already (timers).
        advice: what a person should do beside it, so that it lasts: lines by their heading.
        tasks: names of the tasks that wished it; the engine fills them in.
        keys: (resource, value) of its operations, what a person approves; the engine fills them in.
    """

    target: Hashable
    summary: str
    check: str
    apply: str
    undo: str | Irreversible
    files: Mapping[str, bytes] = field(default_factory=dict)
    diff: str = ""
    disrupts: Disrupts = Disrupts.NOTHING
    instance: str = ""
    hand_over: bool = True
    estimate: float = 30.0
    predicts: Mapping[Fact[Any], Any] = field(default_factory=dict)
    uniform: bool = False
    advice: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    keys: frozenset[tuple[Hashable, Hashable]] = frozenset()


class Operation(ABC):
    """One wish about one resource. Frozen dataclasses; equal wishes of two tasks are one wish."""

    @property
    @abstractmethod
    def resource(self) -> Hashable:
        """What is wished about; two operations on one resource must wish the same value."""

    @property
    @abstractmethod
    def value(self) -> Hashable:
        """What is wished."""

    @property
    def key(self) -> tuple[Hashable, Hashable]:
        """What a person approves: the resource and its value."""
        return (self.resource, self.value)

    @property
    @abstractmethod
    def target(self) -> Hashable:
        """What is written or restarted once for all operations that share it."""

    @abstractmethod
    def describe(self) -> str:
        """`flag heartbeat-interval: 100 → 250`, for messages and approvals."""

    @classmethod
    def split(cls, operations: Sequence[Any], seen: Seen) -> Sequence[Sequence[Any]]:  # noqa: ARG003
        """Distribute the operations of one target over phases of the whole cluster; one phase unless overridden.

        An empty part leaves its phase to others: `((), operations)` waits until every host has gone through phase one.
        """
        return (operations,)

    @classmethod
    @abstractmethod
    def compile(cls, operations: Sequence[Any], seen: Seen) -> Change:
        """Fold all operations of one target into one change. Raises Refused where a guard says no."""


class Task(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A task of the playbook language: its fields are the arguments, checked when the playbook is loaded."""

    def facts(self) -> Sequence[Fact[Any]]:
        """What must be known before `plan`."""
        return ()

    def guard(self, variables: Mapping[str, Any]) -> None:
        """Refuse by what the inventory says, before anything is contacted. Raises Refused."""

    def plan(self, seen: Seen) -> Iterator[Operation | Noop]:
        """Operations that are still to be done, or no-ops that say why. Pure."""
        raise NotImplementedError
