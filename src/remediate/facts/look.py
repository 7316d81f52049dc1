"""Read facts of a host: one exec for all of them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from remediate.errors import ChangeFailed, Refused
from remediate.facts.base import Fact, FactError, Frame, Seen, Unknown
from remediate.facts.batch import NOT_ROOT, compile_batch, split_frames
from remediate.node.api import Node
from remediate.node.display import shown

TICK = 1.0
"""Seconds between the newlines that drive the probes' time-outs on the node."""

OVERHEAD = 30
"""Seconds that a look may take beyond its probes' own time-outs."""


def look(node: Node, facts: Sequence[Fact[Any]]) -> Seen:
    """Read facts, in one exec unless a probe breaks the shell that all share: the others are then read in another.

    Args:
        node: whose facts.
        facts: what to read; equal facts are read once.

    Returns:
        Every fact with its value, or with the reason why it has none.

    Raises:
        Unreachable: no connection, or it broke.
        Refused: not root there, or sudo's password is missing or wrong; no fact is trusted.
        ChangeFailed: the node answered nothing at all.
    """
    values: dict[Fact[Any], Any] = {}
    wanted = tuple(dict.fromkeys(facts))
    while left := tuple(fact for fact in wanted if fact not in values):
        values |= _ask(node, left) or dict.fromkeys(left, Unknown("the look ended before it was read"))
    return Seen(node.name, values)


def _ask(node: Node, facts: tuple[Fact[Any], ...]) -> dict[Fact[Any], Any]:
    """The facts that one exec answers, with values or reasons."""
    nonce = secrets.token_hex(12)
    lines: list[str] = []
    trouble: ChangeFailed | None = None
    limit = sum(fact.timeout for fact in facts) + OVERHEAD
    try:
        node.follow(compile_batch(facts, nonce), lines.append, timeout=limit, keepalive=TICK)
    except ChangeFailed as error:
        trouble = error
    if f"{nonce} {NOT_ROOT}" in lines:
        raise Refused("not root there: set ansible_become: true", where=node.name, hint="or log in as root")
    frames, broken = split_frames("".join(f"{line}\n" for line in lines), nonce, facts)
    if trouble and not frames and broken is None:
        raise trouble
    values = {facts[number]: _value(facts[number], frame) for number, frame in frames.items()}
    if broken is not None:
        reason = trouble.message if trouble else "its probe ended the shell"
        values[facts[broken]] = Unknown(f"{facts[broken].name}: {reason}")
    return values


def _value(fact: Fact[Any], frame: Frame) -> Any:
    if frame.rc == 124:
        return Unknown(f"{fact.name}: no answer within {fact.timeout} s")
    try:
        return fact.parse(frame)
    except FactError as error:
        return Unknown(str(error))
    except Exception as error:  # noqa: BLE001 (a host may print anything; what no parser expects is no value)
        return Unknown(
            f"{fact.name}: its output is not understood ({type(error).__name__}: {shown(str(error))})"
        )
