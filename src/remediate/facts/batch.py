"""Many probes as one script, and their answers apart again. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from remediate.facts.base import Fact, Frame
from remediate.node.shell import sh

NOT_ROOT = "not root"
"""What follows the nonce, instead of all frames, where the script does not run as root."""

_NUMBERS = re.compile(r" (\d{1,4})(?: (\d{1,3}))?\n")


def compile_batch(facts: Sequence[Fact[Any]], nonce: str) -> str:
    """Build the script that reads all facts: one frame each, one failing or hanging alone.

    Facts that need nothing come first; a piece of the prelude comes before the first fact that needs it.

    Args:
        facts: what to read; a fact's place in the sequence is its frame's number.
        nonce: a random word that no probe can print by chance.
    """
    return sh("b_mark={}\n", nonce) + _body(tuple(facts))


def split_frames(output: str, nonce: str, facts: Sequence[Fact[Any]]) -> tuple[dict[int, Frame], int | None]:
    """Take the output of a batch apart.

    Args:
        output: what came, perhaps not all of it.
        nonce: as in compile_batch.
        facts: as in compile_batch.

    Returns:
        Whole frames by number, each held to its fact's cap, and the number of the frame that was never closed.
    """
    whole: dict[int, Frame] = {}
    opened: _Mark | None = None
    for mark in _marks(output, nonce, len(facts)):
        if opened is None and mark.code is None:
            opened = mark
        elif opened and mark.code is not None and mark.number == opened.number:
            out, cap = output[opened.end : mark.start], facts[mark.number].cap
            whole[mark.number] = Frame(out[:cap], mark.code, truncated=len(out) > cap)
            opened = None
    return whole, opened.number if opened else None


class _Mark(NamedTuple):
    """Where a frame opens, or where it closes with the probe's exit code."""

    start: int
    end: int
    number: int
    code: int | None


def _marks(output: str, nonce: str, count: int) -> Iterator[_Mark]:
    """The marks of `count` frames; the nonce alone, as a probe with `set -x` may print it, is none."""
    start = output.find(nonce)
    while start >= 0:
        match = _NUMBERS.match(output, start + len(nonce))
        if match and int(match[1]) < count:
            yield _Mark(start, match.end(), int(match[1]), int(match[2]) if match[2] else None)
        start = output.find(nonce, start + 1)


@lru_cache(maxsize=64)
def _body(facts: tuple[Fact[Any], ...]) -> str:
    """The script without its nonce: the same for every host that is asked the same."""
    loaded: dict[str, None] = {}
    parts = [_text("batch.sh")]
    for number, fact in sorted(enumerate(facts), key=lambda item: bool(item[1].needs)):
        for name in fact.needs:
            if name not in loaded:
                loaded[name] = None
                parts.append(_text(f"prelude/{name}.sh"))
        if fact.timeout == 0:
            parts.append(sh("b_inline {} {}", number, fact.probe()))
        else:
            parts.append(sh("b_guard {} {} {}", number, fact.timeout, fact.probe()))
    return "\n".join([*parts, ""])


@lru_cache(maxsize=64)
def _text(name: str) -> str:
    """A shell file of this package without its comments: the node's shell need not read them."""
    lines = files("remediate.facts").joinpath(name).read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))
