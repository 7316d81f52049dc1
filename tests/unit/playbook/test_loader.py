"""Tasks on the search path: found without being imported, and refused where somebody else could have written them."""

from __future__ import annotations

import os
import py_compile
import sys
from pathlib import Path

import pytest

from remediate.errors import UsageProblem
from remediate.task.loader import TaskCatalog, discover


def refusal(project: Path, name: str = "greet") -> str:
    with pytest.raises(UsageProblem) as caught:
        discover(project).load(name)
    return str(caught.value)


def test_a_project_adds_to_the_built_in_tasks(catalog: TaskCatalog) -> None:
    assert {"greet", "file", "process_priority", "sysctl"} <= set(catalog.names)
    assert "greet" not in discover(None)


def test_the_users_own_tasks(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = project.parent / "home"
    folder = home / ".config" / "remediate" / "tasks"
    folder.mkdir(parents=True, mode=0o755)
    (project / "tasks" / "greet.py").rename(folder / "mine.py")
    monkeypatch.setenv("HOME", str(home))
    assert discover(None).load("mine").__name__ == "Greet"


def test_the_projects_task_comes_before_the_users(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project.parent / ".config" / "remediate" / "tasks"
    folder.mkdir(parents=True, mode=0o755)
    (folder / "greet.py").write_text("raise RuntimeError('not this one')")
    monkeypatch.setenv("HOME", str(project.parent))
    assert discover(project).load("greet").__name__ == "Greet"


def test_nothing_is_imported_before_it_is_named(project: Path) -> None:
    (project / "tasks" / "broken.py").write_text("raise RuntimeError('imported')")
    found = discover(project)
    assert "broken" in found
    assert found.load("greet").__name__ == "Greet"


def test_loading_twice_gives_one_class(project: Path) -> None:
    assert discover(project).load("greet") is discover(project).load("greet")


def test_an_unknown_task(catalog: TaskCatalog) -> None:
    with pytest.raises(UsageProblem, match=r"there is no task «sysctrl» \(did you mean sysctl\?\)"):
        catalog.load("sysctrl")


@pytest.mark.parametrize("place", ["", "tasks", "tasks/greet.py"])
@pytest.mark.parametrize("bits", [0o020, 0o002])
def test_what_others_can_write_is_refused(project: Path, place: str, bits: int) -> None:
    path = project / place
    path.chmod(path.stat().st_mode | bits)
    assert refusal(project).startswith(f"{path}: others can write here")


@pytest.mark.parametrize("place", ["", "tasks", "tasks/greet.py"])
def test_what_somebody_else_owns_is_refused(
    project: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project / place
    real = Path.stat

    def stat(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = real(self, follow_symlinks=follow_symlinks)
        return os.stat_result((*found[:4], 4711, *found[5:])) if self == path else found

    monkeypatch.setattr(Path, "stat", stat)
    assert refusal(project).startswith(f"{path}: others can write here")


def test_a_sticky_folder_above_is_accepted(project: Path) -> None:
    project.chmod(0o1777)
    assert "greet" in discover(project)


def test_a_name_that_hides_a_built_in_task_is_refused(project: Path) -> None:
    (project / "tasks" / "greet.py").rename(project / "tasks" / "sysctl.py")
    assert "tasks/sysctl.py: the name hides the built-in task «sysctl»" in refusal(project)


def test_the_source_tree_as_project_hides_nothing() -> None:
    assert discover(Path(__file__).parents[3]).names == discover(None).names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def broken(:\n", "greet.py:1: the task cannot be imported: SyntaxError"),
        (
            "import os\n\nimport no_such_module_here\n",
            "greet.py:3: the task cannot be imported: ModuleNotFound",
        ),
        (
            "def f():\n    raise ValueError('x')\n\nf()\n",
            "greet.py:2: the task cannot be imported: ValueError: x",
        ),
        ("import sys\n\nsys.exit(0)\n", "greet.py:3: the task cannot be imported: SystemExit: 0"),
        ("x = 1\n", "greet.py: a task file defines exactly one Task, this one defines 0"),
        (
            "from remediate.task.base import Task\nclass A(Task): ...\nclass B(Task): ...\n",
            "greet.py: a task file defines exactly one Task, this one defines 2",
        ),
        ("from remediate.task.base import Task\n", "this one defines 0"),
    ],
)
def test_a_file_that_is_no_task(project: Path, text: str, expected: str) -> None:
    (project / "tasks" / "greet.py").write_text(text)
    assert expected in refusal(project)


def test_a_project_task_leaves_no_bytecode(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    discover(project).load("greet")
    assert not list((project / "tasks").glob("__pycache__"))


def test_bytecode_beside_a_project_task_is_not_read(project: Path) -> None:
    """It is not checked, so it could be somebody else's: here it says of itself that it fits the source."""
    source = project / "tasks" / "greet.py"
    real, times = source.read_text(), (source.stat().st_atime, source.stat().st_mtime)
    source.write_text("raise RuntimeError('smuggled')".ljust(len(real)))
    os.utime(source, times)
    py_compile.compile(str(source))
    source.write_text(real)
    os.utime(source, times)
    assert discover(project).load("greet").__name__ == "Greet"


def test_a_failed_import_leaves_no_module(project: Path) -> None:
    (project / "tasks" / "greet.py").write_text("x = 1/0\n")
    before = set(sys.modules)
    refusal(project)
    assert not [name for name in set(sys.modules) - before if name.startswith("remediate_tasks")]
