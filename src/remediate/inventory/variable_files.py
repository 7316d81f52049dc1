"""The folders `group_vars/` and `host_vars/` beside a source."""

from __future__ import annotations

from pathlib import Path

from remediate.inventory.build import Variables
from remediate.inventory.files import list_folder, read_bytes

_EXTENSIONS = ("", ".yml", ".yaml", ".json")


class FolderVariables:
    """What the files of `group_vars/` and `host_vars/` say; each is read once."""

    def __init__(self, folder: Path) -> None:
        """Take the folder that holds the two; neither needs to be there."""
        self._groups = _Folder(folder / "group_vars")
        self._hosts = _Folder(folder / "host_vars")

    def of_group(self, name: str) -> Variables:
        """What the files say for a group; raises UsageProblem where one of them is broken."""
        return self._groups.of(name)

    def of_host(self, name: str) -> Variables:
        """What the files say for a host; raises UsageProblem where one of them is broken."""
        return self._hosts.of(name)


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = frozenset(list_folder(folder)) if folder.is_dir() else frozenset()
        self._read: dict[str, Variables] = {}

    def of(self, name: str) -> Variables:
        if name not in self._read:
            self._read[name] = self._load(name)
        return self._read[name]

    def _load(self, name: str) -> Variables:
        """The first of NAME, NAME.yml, NAME.yaml, NAME.json counts: a file, or a folder with files."""
        found = next((name + extension for extension in _EXTENSIONS if name + extension in self._names), None)
        variables: Variables = {}
        if found is not None:
            from remediate.inventory.yaml_file import read_variables

            for path in _files(self._folder / found):
                variables |= read_variables(read_bytes(path), str(path))
        return variables


def _files(path: Path) -> list[Path]:
    """The file itself, or a folder's files by name, those of its folders included.

    Hidden files, `~` backups, folders with a dot in their name and other kinds of files are passed over.
    """
    if not path.is_dir():
        return [path]
    found: list[Path] = []
    for name in list_folder(path):
        entry = path / name
        if name.startswith(".") or name.endswith("~"):
            continue
        if entry.is_dir():
            found += _files(entry) if not entry.suffix else []
        elif entry.suffix in _EXTENSIONS:
            found.append(entry)
    return found
