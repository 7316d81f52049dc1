"""Say where something was refused, for functions that see only a text or a set of flags."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from remediate.errors import Refused


@contextmanager
def refused_at(where: str) -> Iterator[None]:
    """Give the place to a refusal that has none yet."""
    try:
        yield
    except Refused as problem:
        raise Refused(problem.message, where=problem.where or where, hint=problem.hint) from None
