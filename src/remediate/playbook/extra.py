"""`--extra-vars`: `key=value …`, a YAML or JSON mapping, or `@FILE`, as in Ansible."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from remediate.errors import UsageProblem
from remediate.playbook.document import Document, parse, read
from remediate.playbook.typed import typed
from remediate.playbook.words import Variables, decode

_WHERE = "--extra-vars"


def extra_vars(texts: Iterable[str]) -> dict[str, Any]:
    """Variables from the command line; of a repeated name the last one counts.

    Values of `key=value` are text; use `{"key": 1}` for other types.

    Raises:
        UsageProblem: something that is none of the three forms.
    """
    found: dict[str, Any] = {}
    for text in texts:
        found |= _one(text.strip())
    return found


def _one(text: str) -> dict[str, Any]:
    if text.startswith("@"):
        return _mapping(read(Path(text[1:])))
    if text.startswith("{"):
        return _mapping(parse(text, _WHERE))
    try:
        words = shlex.split(text)
    except ValueError as problem:
        raise UsageProblem(f"{text!r} cannot be read: {problem}", where=_WHERE) from None
    pairs = [word.partition("=") for word in words]
    for name, equals, _ in pairs:
        if not equals:
            raise UsageProblem(
                f"{name!r} is not KEY=VALUE", where=_WHERE, hint='or give {"key": value} or @FILE'
            )
    return _mapping(Document(_WHERE, {name: value for name, _, value in pairs}))


def _mapping(document: Document) -> dict[str, Any]:
    return dict(typed(document.value or {}, Variables, document, (), decode=decode))
