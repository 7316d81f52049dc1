"""Find a playbook by its name or its path."""

from __future__ import annotations

from pathlib import Path

from remediate.errors import UsageProblem
from remediate.inventory.names import nearest
from remediate.task.search import search_path

_SUFFIXES = (".yml", ".yaml")


def find(name: str, project: Path | None) -> Path:
    """The file of a playbook.

    Args:
        name: a path (anything with a `/`, `.yml` or `.yaml`), or a name looked for in the project's
            `playbooks/`, in `~/.config/remediate/playbooks` and among the built-in ones.
        project: the project's folder, None for none.

    Raises:
        UsageProblem: there is no such playbook.
    """
    if "/" in name or name.endswith(_SUFFIXES):
        path = Path(name)
        if path.is_file():
            return path
        raise UsageProblem(f"there is no playbook {name}")
    known = names(project)
    if name not in known:
        raise UsageProblem(f"there is no playbook «{name}»", hint=nearest(name, known))
    return known[name]


def names(project: Path | None) -> dict[str, Path]:
    """Every playbook that can be named, the first of a name wins."""
    found: dict[str, Path] = {}
    for folder in search_path("playbooks", project):
        for path in sorted(folder.iterdir()):
            if path.suffix in _SUFFIXES and path.is_file():
                found.setdefault(path.stem, path)
    return found
