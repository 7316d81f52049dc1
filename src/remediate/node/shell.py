"""The one way to build a command for a node: a template whose every argument is quoted."""

from __future__ import annotations

import re
import shlex

_FIELD = re.compile(r"\{\}|\{\{|\}\}")


def sh(template: str, *args: str | int | float) -> str:
    """Fill each `{}` of a shell template with one quoted argument; `{{` and `}}` stand for braces.

    Args:
        template: POSIX sh text.
        args: one value per field, quoted so that the shell sees exactly one word each.

    Returns:
        The command text.

    Raises:
        ValueError: the number of fields and arguments differ, or an argument holds a NUL byte.
    """
    left = list(args)
    for arg in left:
        if "\0" in str(arg):
            raise ValueError("a NUL byte cannot be passed to a shell")

    def fill(match: re.Match[str]) -> str:
        if match.group() != "{}":
            return match.group()[0]
        if not left:
            raise ValueError(f"too few arguments for {template!r}")
        return shlex.quote(str(left.pop(0)))

    text = _FIELD.sub(fill, template)
    if left:
        raise ValueError(f"too many arguments for {template!r}")
    return text
