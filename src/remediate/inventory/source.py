"""Finding an inventory and reading it: a file, a folder of files, or a program."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from remediate.errors import UsageProblem
from remediate.inventory.build import Builder
from remediate.inventory.files import list_folder, read_bytes
from remediate.inventory.model import Inventory
from remediate.inventory.names import nearest
from remediate.inventory.variable_files import FolderVariables

MAX_FOLDERS: Final = 8
"""Folders inside each other; more is a symbolic link to a folder above."""

_YAML = (".yml", ".yaml", ".json")
_IGNORED = (  # Ansible's INVENTORY_IGNORE_EXTS
    *(".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst"),
    *(".orig", ".cfg", ".retry"),
)
_OTHER_FOLDERS = frozenset({"group_vars", "host_vars", "vars_plugins"})
_YAML_LOOK = re.compile(rb"""---|[{%]|("[^"\n]*"|'[^'\n]*'|[^\s\[=#;][^=\n]*?)[ \t]*:(\s|$)""")
_PROGRAM_LOOK = (b"#!", b"\x7fELF")


def find(name: str, folder: Path) -> Path:
    """The inventory that `-i NAME` means.

    Args:
        name: the name of one in `FOLDER/inventory/`, with or without `.yml`, `.yaml` or `.ini`, or a path.
        folder: the project's folder.

    Returns:
        An existing file or folder; a name without a slash means `inventory/` first, a path itself first.

    Raises:
        UsageProblem: there is none; the message lists where it was looked for.
    """
    own = folder / "inventory"
    named = [own / f"{name}{extension}" for extension in ("", ".yml", ".yaml", ".ini")]
    path = _expanded(name)
    places = dict.fromkeys([path, *named] if os.sep in name else [*named, path])
    for place in places:
        if os.path.exists(place):  # noqa: PTH110 - Path.exists() raises where a name is too long
            return place
    known = (
        [Path(entry).stem for entry in list_folder(own) if not entry.startswith(".")] if own.is_dir() else []
    )
    looked = ", ".join(str(place) for place in places)
    raise UsageProblem(f"there is no inventory {name!r}; looked at {looked}", hint=nearest(name, known))


def load(source: Path | str) -> Inventory:
    """Read an inventory, with the `group_vars/` and `host_vars/` beside it.

    Args:
        source: a file in Ansible's YAML, JSON or INI format, a folder of sources, or an executable inventory.

    Returns:
        Its hosts, groups and variables.

    Raises:
        UsageProblem: whatever cannot be read or means nothing, with file, line and column where known.
    """
    path = _expanded(source)
    name, absolute = str(path), Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow symbolic links
    builder = Builder()
    try:
        _read(builder, absolute, name, 0)
        folder = absolute if absolute.is_dir() else absolute.parent
        return builder.finish(name, FolderVariables(folder.resolve()))
    except OSError as error:  # a name that is too long, a folder that is not ours
        raise UsageProblem(f"cannot be read: {error.strerror}", where=name) from None


def _expanded(source: Path | str) -> Path:
    if not str(source) or "\0" in str(source):
        raise UsageProblem(f"{str(source)!r} is no name of an inventory", hint="give -i NAME or -i PATH")
    try:
        return Path(source).expanduser()
    except RuntimeError:
        raise UsageProblem("is below the home of an unknown user", where=str(source)) from None


def _read(builder: Builder, path: Path, name: str, depth: int) -> None:
    if not path.is_dir():
        _read_file(builder, path, name)
        return
    if depth > MAX_FOLDERS:
        raise UsageProblem(f"more than {MAX_FOLDERS} folders inside each other", where=name)
    for entry in list_folder(path):
        if not (entry.startswith(".") or entry.endswith(_IGNORED) or entry in _OTHER_FOLDERS):
            _read(builder, path / entry, str(Path(name, entry)), depth + 1)


def _read_file(builder: Builder, path: Path, name: str) -> None:
    data = read_bytes(path)
    if os.access(path, os.X_OK) and data.startswith(_PROGRAM_LOOK):
        from remediate.inventory.script import read_script

        read_script(builder, path, name)
    elif _is_yaml(path, data):
        from remediate.inventory.yaml_file import read_yaml

        read_yaml(builder, data, path, name)
    elif path.suffix == ".toml":
        raise UsageProblem("is TOML, which is not supported", where=name, hint="write it as YAML or INI")
    else:
        from remediate.inventory.ini import read_ini

        read_ini(builder, data, path, name)


def _is_yaml(path: Path, data: bytes) -> bool:
    """By the extension; without one by the first line that says something (Ansible tries YAML, then INI)."""
    if path.suffix:
        return path.suffix in _YAML
    lines = (line.strip() for line in data.splitlines())
    first = next((line for line in lines if line and line[:1] not in b"#;"), b"")
    return _YAML_LOOK.match(first) is not None
