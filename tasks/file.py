"""Put a text file in place: its content, mode and owner.

The content is written in the playbook, or comes from a file of the project's `templates/`, rendered with the host's
variables. The old file is kept and put back on undo; a symbolic link is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec

from remediate.facts.base import Fact, Seen
from remediate.facts.files import TextFile
from remediate.task.base import Noop, Operation, Task
from remediate.task.files import WriteFile
from remediate.task.rendered import Rendered

Mode = Annotated[str, msgspec.Meta(pattern="^0?[0-7]{3}$")]
Owner = Annotated[str, msgspec.Meta(pattern="^[a-z0-9_][a-z0-9_-]*:[a-z0-9_][a-z0-9_-]*$")]


class File(Task, frozen=True):
    """A file on the node.

    Attributes:
        path: where it is, absolute.
        content: its text; or
        template: the name of a file in `templates/`.
        mode: octal digits in quotes.
        owner: user and group.
    """

    path: str
    content: str | None = None
    template: Rendered | None = None
    mode: Mode = "0644"
    owner: Owner = "root:root"

    def __post_init__(self) -> None:
        parts = self.path.split("/")
        if parts[0] or not all(parts[1:]) or {".", ".."} & set(parts) or not self.path.isprintable():
            raise ValueError(f"path: {self.path!r} is not the absolute path of a file, without `.` and `..`")
        if (self.content is None) == (self.template is None):
            raise ValueError("give either `content` or `template`")

    def facts(self) -> Sequence[Fact[Any]]:
        """The file as it is."""
        return (TextFile(self.path),)

    def plan(self, seen: Seen) -> Iterator[Operation | Noop]:
        """One write, unless the file is as wished."""
        text = self.content if self.content is not None else str(self.template)
        yield WriteFile(self.path, text, self.mode, self.owner).unless_done(seen)
