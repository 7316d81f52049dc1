"""The same work on many hosts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from remediate.errors import RemediateError

FORKS = 32
"""Hosts worked on at the same time unless `--forks` says otherwise."""

K = TypeVar("K")
T = TypeVar("T")


def each(items: Iterable[K], work: Callable[[K], T], forks: int = FORKS) -> dict[K, T | RemediateError]:
    """Do the work for every item, at most `forks` at once.

    Args:
        items: mostly hosts.
        work: called in a thread of its own; what it raises as RemediateError becomes the item's result.
        forks: threads.

    Returns:
        Result or error by item, in the items' order. Any other exception ends the work and is raised here.
    """

    def attempt(item: K) -> T | RemediateError:
        try:
            return work(item)
        except RemediateError as error:
            return error

    items = list(items)
    with ThreadPoolExecutor(max_workers=max(1, min(forks, len(items)))) as pool:
        return dict(zip(items, pool.map(attempt, items), strict=True))
