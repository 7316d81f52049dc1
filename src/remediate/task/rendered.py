"""A type of task arguments: the name of a file in `templates/`, of which the task sees the rendered text."""

from __future__ import annotations


class Rendered(str):
    """The text of a template file, rendered with the host's variables before the task sees it."""

    __slots__ = ()
