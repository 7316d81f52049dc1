"""Find tasks on the search path, and import those that a playbook names.

Importing a task file is running its code, so a folder that others can write is refused, and so is a name that
hides a built-in task (DESIGN, "Rooms"). There is no registry: a task's name is the name of its file.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from remediate.errors import UsageProblem
from remediate.task.base import Task
from remediate.task.search import builtin, search_path

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class _FromSource(SourceFileLoader):
    """Compiles the source that was checked; a cached file beside it could be somebody else's."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


@dataclass(frozen=True, slots=True)
class TaskCatalog:
    """The tasks that can be named, by name; none is imported before `load` asks for it.

    Attributes:
        files: where each task is defined.
    """

    files: Mapping[str, Path]

    @property
    def names(self) -> tuple[str, ...]:
        """Every task's name, sorted."""
        return tuple(sorted(self.files))

    def __contains__(self, name: object) -> bool:
        return name in self.files

    def load(self, name: str) -> type[Task]:
        """Import one task.

        Raises:
            UsageProblem: there is no such task, its file cannot be imported or does not define one Task.
        """
        from remediate.inventory.names import nearest

        if name not in self.files:
            raise UsageProblem(f"there is no task «{name}»", hint=nearest(name, self.names))
        path = self.files[name]
        module = _imported(name, path)
        found = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Task) and value.__module__ == module.__name__
        ]
        if len(found) != 1:
            raise UsageProblem(
                f"a task file defines exactly one Task, this one defines {len(found)}", where=str(path)
            )
        return found[0]


def discover(project: Path | None) -> TaskCatalog:
    """The tasks of the project, of the user, and the built-in ones; nothing is imported.

    Args:
        project: the folder whose `tasks/` comes first, None for none.

    Raises:
        UsageProblem: a folder or file that others can write, or a name that hides a built-in task.
    """
    own = builtin("tasks")
    known = _task_files(own)
    files: dict[str, Path] = {}
    for folder in search_path("tasks", project):
        found = known if folder == own else _trusted(folder, known)
        files = found | files
    return TaskCatalog(files)


def _task_files(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("*.py")) if _NAME.fullmatch(path.stem)}


def _trusted(folder: Path, known: Mapping[str, Path]) -> dict[str, Path]:
    found = _task_files(folder)
    for path in (folder.parent, folder, *found.values()) if found else ():
        _refuse_if_writable_by_others(path)
    for name in found.keys() & known.keys():
        raise UsageProblem(
            f"the name hides the built-in task «{name}»",
            where=str(found[name]),
            hint="give the file another name",
        )
    return found


def _refuse_if_writable_by_others(path: Path) -> None:
    status = path.stat()
    shared_but_sticky = stat.S_ISDIR(status.st_mode) and bool(status.st_mode & stat.S_ISVTX)
    loose = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not shared_but_sticky
    if loose or status.st_uid not in (0, os.geteuid()):
        raise UsageProblem(
            "others can write here, and loading tasks runs what is written",
            where=str(path),
            hint=f"chown it to yourself and run chmod go-w {path}",
        )


def _imported(name: str, path: Path) -> ModuleType:
    built_in = path.parent == builtin("tasks")
    place = "builtin" if built_in else f"p{sha256(str(path.parent).encode()).hexdigest()[:12]}"
    full = f"remediate_tasks.{place}.{name}"
    if full in sys.modules:
        return sys.modules[full]
    loader = None if built_in else _FromSource(full, str(path))
    spec = spec_from_file_location(full, path, loader=loader)
    if spec is None or spec.loader is None:
        raise UsageProblem("the task file cannot be read", where=str(path))
    return _executed(spec, path)


def _executed(spec: ModuleSpec, path: Path) -> ModuleType:
    """Run a task file; what it raises becomes one line that names the file and the line."""
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # typed fields are resolved through it
    try:
        spec.loader.exec_module(module)  # type: ignore[union-attr]
    except (Exception, SystemExit) as problem:  # noqa: BLE001 - a file of somebody else can raise anything
        del sys.modules[spec.name]
        raise UsageProblem(
            f"the task cannot be imported: {type(problem).__name__}: {problem}", where=_line(problem, path)
        ) from None
    return module


def _line(problem: BaseException, path: Path) -> str:
    if isinstance(problem, SyntaxError) and problem.filename == str(path):
        return f"{path}:{problem.lineno}"
    lines, trace = [], problem.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f"{path}:{lines[-1]}" if lines else str(path)
