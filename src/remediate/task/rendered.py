"""A type of task arguments: the name of a file in `templates/`, of which the task sees the rendered text."""

from __future__ import annotations


class Rendered(str):
    """The name of a file in `templates/`, whose text is rendered with the host's variables."""

    __slots__ = ()
