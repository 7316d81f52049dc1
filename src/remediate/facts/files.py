"""One text file of a node, to the byte."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from remediate.facts.base import Fact, FactError, Frame
from remediate.node.shell import sh


class Kind(StrEnum):
    """What is found at a path."""

    FILE = "file"
    ABSENT = "absent"
    NO_FOLDER = "no-folder"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A path of a node.

    Attributes:
        kind: a regular file, nothing, nothing in a folder that is not there either, a symbolic link, or something else.
        text: content of a regular file.
        mode: octal digits as stat prints them, `644`.
        owner: `root:root`.
        ids: `0:0`.
    """

    path: str
    kind: Kind
    text: str = ""
    mode: str = ""
    owner: str = ""
    ids: str = ""

    @property
    def exists(self) -> bool:
        """Whether it is a regular file."""
        return self.kind is Kind.FILE

    @property
    def sha256(self) -> str:
        """Hash of its bytes in hexadecimal, or `absent`: what `r_same` takes."""
        return hashlib.sha256(self.text.encode()).hexdigest() if self.exists else "absent"


@dataclass(frozen=True)
class TextFile(Fact[FileSeen]):
    """A file with its content. Forks: a stat and a cat where it exists, none where it does not.

    Attributes:
        path: absolute path on the node.
    """

    path: str

    def probe(self) -> str:
        """Symbolic links are not followed."""
        return sh(
            'f_path={}; if [ -L "$f_path" ]; then echo link\n'
            'elif [ -f "$f_path" ]; then stat -c "file %a %U:%G %u:%g %s" -- "$f_path" && exec cat -- "$f_path"\n'
            'elif [ -e "$f_path" ]; then echo other\n'
            'elif [ -d "${{f_path%/*}}/" ]; then echo absent\n'
            "else echo no-folder; fi\n",
            self.path,
        )

    def parse(self, frame: Frame) -> FileSeen:
        """Raises FactError where the content is no UTF-8 text or is longer than the cap."""
        head, _, rest = frame.out.partition("\n")
        words = head.split(" ")
        if words[0] != Kind.FILE:
            kinds = [kind for kind in Kind if kind == head]
            if not kinds:
                raise FactError(f"{self.path} could not be read")
            return FileSeen(self.path, kinds[0])
        _, mode, owner, ids, size = words
        content = rest.encode()
        if frame.truncated or len(content) < int(size):
            raise FactError(f"{self.path} is longer than what is read of it, or changed meanwhile")
        if content[int(size) :].strip():
            raise FactError(f"{self.path} is not UTF-8 text, or changed while it was read")
        return FileSeen(self.path, Kind.FILE, content[: int(size)].decode(), mode, owner, ids)
