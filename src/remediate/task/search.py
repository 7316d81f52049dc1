"""Where tasks, playbooks and templates are looked for: the project, the user's folder, the built-in ones."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import remediate

Kind = Literal["tasks", "playbooks", "templates"]


def builtin(kind: Kind) -> Path:
    """The folder that ships with remediate: inside the wheel, or at the top of a source tree."""
    package = Path(remediate.__file__).resolve().parent
    installed = package / "builtin" / kind
    return installed if installed.is_dir() else package.parents[1] / kind


def search_path(kind: Kind, project: Path | None) -> tuple[Path, ...]:
    """Existing folders of one kind, the first wins: project, `~/.config/remediate`, built-in.

    Args:
        kind: what is looked for.
        project: the project's folder, None for none.
    """
    places = [Path.home() / ".config" / "remediate" / kind, builtin(kind)]
    if project is not None:
        places.insert(0, project / kind)
    found = dict.fromkeys(place.resolve() for place in places if place.is_dir())
    return tuple(found)


def shipped(name: str) -> str:
    """The text of a template that ships with remediate; for constants of task modules."""
    return (builtin("templates") / name).read_text(encoding="utf-8")
