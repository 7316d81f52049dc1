"""Many probes as one script, and their answers apart again. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from remediate.facts.base import Fact, Frame
from remediate.node.shell import sh


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
    for match in re.finditer(rf"{nonce} (\d+)\n(.*?)(?:{nonce} \1 (\d+)\n|\Z)", output, re.DOTALL):
        number, out, code = int(match[1]), match[2], match[3]
        if code is None:
            return whole, number
        cap = facts[number].cap
        whole[number] = Frame(out[:cap], int(code), truncated=len(out) > cap)
    return whole, None


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
