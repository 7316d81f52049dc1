"""JSON with the limits and the strictness that the YAML reader has."""

from __future__ import annotations

import json
from typing import Any, Final

from remediate.errors import UsageProblem

MAX_DEPTH: Final = 100
"""Collections inside each other; inventories have about ten."""


def load_json(text: str, name: str) -> Any:
    """The value that a JSON text stands for.

    Args:
        text: the document.
        name: its name for messages.

    Raises:
        ValueError: it is no JSON.
        UsageProblem: a key is there twice, or collections are nested beyond `MAX_DEPTH`.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise UsageProblem(f"the key {twice!r} is there twice", where=name, hint="keep one of the two")
        return found

    try:
        value = json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise _too_deep(name) from None
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [item for found in level if isinstance(found, dict | list) for item in _items(found)]
    if level:
        raise _too_deep(name)
    return value


def _items(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _too_deep(name: str) -> UsageProblem:
    return UsageProblem(f"more than {MAX_DEPTH} levels inside each other", where=name, hint="unfold it")
