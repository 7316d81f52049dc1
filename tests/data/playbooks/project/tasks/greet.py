"""Greet people, more or less warmly.

A task of the tests: it has an argument of every kind.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from remediate.task.base import Task
from remediate.task.rendered import Rendered
from remediate.task.units import Duration, Share, Size


class Greet(Task, frozen=True):
    """A greeting.

    Attributes:
        names: how often each
            person is greeted.
        level: how warmly.
    """

    names: dict[str, int | str]
    level: Annotated[int, msgspec.Meta(ge=0, le=7)] = 0
    tone: Literal["loud", "low"] = "low"
    polite: bool = True
    wait: Duration = Duration(60)
    room: Size = Size.parse("100MiB")
    part: Share = Share(0.45)
    words: list[int] = msgspec.field(default_factory=list)
    letter: Rendered | None = None

    def __post_init__(self) -> None:
        if "nobody" in self.names:
            raise ValueError("names: nobody cannot be greeted")
