"""Files as resources: one wish for a file's content, mode and owner, and the scripts that put a file in place."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from remediate.errors import Refused
from remediate.facts.base import Fact, Seen
from remediate.facts.files import FileSeen, Kind, TextFile
from remediate.node.shell import sh
from remediate.task.base import Change, Noop, Operation

_FOLDERS = """\
f_make() {
    f_top=$1
    while [ ! -d "${f_top%/*}/" ]; do f_top=${f_top%/*}; done
    printf '%s\\n' "$f_top" >"$TX/old/$2.made"
    (umask 022 && mkdir -p -- "$1")
}
f_unmake() {
    if [ ! -e "$TX/old/$2.made" ]; then return 0; fi
    f_top=$(cat "$TX/old/$2.made")
    f_dir=$1
    while rmdir -- "$f_dir" 2>/dev/null && [ "$f_dir" != "$f_top" ]; do f_dir=${f_dir%/*}; done
}
"""
"""Make the missing folders above a file, and take away again those that were made, as far as they are empty."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What it takes to put files in place on a node, and back; parts are joined with `+`.

    Attributes:
        check, apply, undo: sh for a Change; `apply` and `undo` need `node/lib.sh`.
        files: staged content.
        diff: unified diff.
        predicts: the facts about the files as they will be.
    """

    check: str = ""
    apply: str = ""
    undo: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    diff: str = ""
    predicts: Mapping[Fact[Any], Any] = field(default_factory=dict)

    def __add__(self, other: Placed) -> Placed:
        """Both, this one first; undone in the opposite order."""
        return Placed(
            self.check + other.check,
            self.apply + other.apply,
            other.undo + self.undo,
            {**self.files, **other.files},
            self.diff + other.diff,
            {**self.predicts, **other.predicts},
        )


def placed(
    seen: FileSeen, content: str, mode: str = "0644", owner: str = "root:root", *, host: str = ""
) -> Placed:
    """Scripts that replace a file atomically if it is still as seen, and put back exactly what was there.

    Args:
        seen: the file as the plan saw it.
        content: its new text.
        mode, owner: `0644`, `root:root`.
        host: for the message.

    Raises:
        Refused: a symbolic link or a special file is in the way.
    """
    _refuse_what_is_no_file(seen, host)
    name, path = _staged_name(seen.path), seen.path
    folder = path.rpartition("/")[0]
    digest = hashlib.sha256(content.encode()).hexdigest()
    apply = sh("r_save {} {}\n", path, name) + f'r_put "$STAGE/{name}" ' + sh("{} {} {}\n", path, mode, owner)
    undo = sh("r_restore {} {} {}\n", name, path, digest)
    if seen.exists and not _same_rights(seen, mode, owner):
        undo += sh("chown -- {} {}; chmod -- {} {}\n", seen.owner, path, seen.mode, path)
    if seen.kind is Kind.NO_FOLDER:
        apply = _FOLDERS + sh("f_make {} {}\n", folder, name) + apply
        undo = _FOLDERS + undo + sh("f_unmake {} {}\n", folder, name)
    after = FileSeen(path, Kind.FILE, content, mode.lstrip("0") or "0", owner)
    return Placed(
        sh("r_same {} {}\n", path, seen.sha256),
        apply,
        undo,
        {name: content.encode()},
        diff(path, seen.text if seen.exists else None, content),
        {TextFile(path): after},
    )


def removed(seen: FileSeen, *, host: str = "") -> Placed:
    """Scripts that remove a file if it is still as seen, and put it back. Raises Refused as `placed` does."""
    _refuse_what_is_no_file(seen, host)
    name, path = _staged_name(seen.path), seen.path
    return Placed(
        sh("r_same {} {}\n", path, seen.sha256),
        sh("r_save {} {}\nrm -f -- {} && sync -- {}\n", path, name, path, path.rpartition("/")[0] or "/"),
        sh("r_restore {} {} absent\n", name, path),
        {},
        diff(path, seen.text, None),
        {TextFile(path): FileSeen(path, Kind.ABSENT)},
    )


def is_placed(seen: FileSeen, content: str, mode: str, owner: str) -> bool:
    """Whether a file already is as wished."""
    return seen.exists and seen.text == content and _same_rights(seen, mode, owner)


def diff(path: str, old: str | None, new: str | None) -> str:
    """A unified diff; None stands for no file."""
    from difflib import unified_diff

    def lines(text: str | None) -> list[str]:
        found = (text or "").split("\n")
        ends = [f"{line}\n" for line in found[:-1]]
        return ends + ([f"{found[-1]}\n\\ No newline at end of file\n"] if found[-1] else [])

    before, after = ("/dev/null" if text is None else path for text in (old, new))
    return "".join(unified_diff(lines(old), lines(new), before, after))


def _same_rights(seen: FileSeen, mode: str, owner: str) -> bool:
    return int(seen.mode, 8) == int(mode, 8) and owner in (seen.owner, seen.ids)


def _refuse_what_is_no_file(seen: FileSeen, host: str) -> None:
    if seen.kind in (Kind.LINK, Kind.OTHER):
        what = "a symbolic link" if seen.kind is Kind.LINK else "no regular file"
        raise Refused(f"{seen.path} is {what} and is not replaced", where=host, hint="name the file itself")


def _staged_name(path: str) -> str:
    """One plain word per path: two files of one change may share their last name."""
    return f"{hashlib.sha256(path.encode()).hexdigest()[:12]}.file"


@dataclass(frozen=True, slots=True)
class WriteFile(Operation):
    """A file with this content, mode and owner.

    Attributes:
        path: absolute.
        mode: octal digits, `0644`.
        owner: `root:root`.
    """

    path: str
    content: str = field(repr=False)
    mode: str = "0644"
    owner: str = "root:root"

    @property
    def resource(self) -> Hashable:
        """The path."""
        return ("file", self.path)

    @property
    def value(self) -> Hashable:
        """Content, mode and owner."""
        return (self.content, self.mode, self.owner)

    @property
    def target(self) -> Hashable:
        """The path: one file, one write."""
        return ("file", self.path)

    def describe(self) -> str:
        """`file /etc/x: 120 bytes, mode 0644, root:root`."""
        return f"file {self.path}: {len(self.content.encode())} bytes, mode {self.mode}, {self.owner}"

    def unless_done(self, seen: Seen) -> Self | Noop:
        """The wish itself, or a no-op where the file is as wished already."""
        if is_placed(seen[TextFile(self.path)], self.content, self.mode, self.owner):
            return Noop(f"{self.path} has this content, mode and owner already")
        return self

    @classmethod
    def compile(cls, operations: Sequence[WriteFile], seen: Seen) -> Change:
        """One write. Raises Refused where something else than a file is in the way."""
        one = operations[0]
        before = seen[TextFile(one.path)]
        parts = placed(before, one.content, one.mode, one.owner, host=seen.host)
        verb = "replace" if before.exists else "create"
        return change(one.target, f"{verb} {one.path}", [parts])


def change(target: Hashable, summary: str, parts: Iterable[Placed], **more: Any) -> Change:
    """A change that is made of files put in place."""
    whole = sum(parts, Placed())
    return Change(
        target,
        summary,
        whole.check,
        whole.apply,
        whole.undo,
        files=whole.files,
        diff=whole.diff,
        predicts=whole.predicts,
        **more,
    )
