"""Generated pages are as the code says, and the documents name only what is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import remediate
from remediate.facts.base import Seen
from remediate.facts.files import FileSeen, Kind
from remediate.playbook import load_text
from remediate.task.base import Noop
from remediate.task.files import WriteFile
from remediate.task.loader import discover

TOP = Path(__file__).parents[2]


def test_the_reference_of_the_tasks_is_up_to_date(tmp_path: Path) -> None:
    page = tmp_path / "tasks.md"
    subprocess.run([TOP / "script/docs", page], check=True, timeout=60)
    assert page.read_text() == (TOP / "docs/tasks.md").read_text(), "run script/docs"


def test_readme_names_only_scripts_and_playbooks_that_exist() -> None:
    text = (TOP / "README.md").read_text()
    for script in re.findall(r"script/[a-z]+", text):
        assert (TOP / script).is_file(), script
    for book in re.findall(r"remediate run ([a-z-]+) ", text):
        assert (TOP / f"playbooks/{book}.yml").is_file(), book


def test_the_task_in_readme_works(tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", (TOP / "README.md").read_text(), re.DOTALL)
    assert code
    (tmp_path / "tasks").mkdir(mode=0o755)
    (tmp_path / "tasks/module_options.py").write_text(code[1])
    task = discover(tmp_path).load("module_options")(module="bonding", options="max_bonds=0")  # type: ignore[call-arg]
    (fact,) = task.facts()
    before = FileSeen("/etc/modprobe.d/bonding.conf", Kind.ABSENT)
    (wish,) = task.plan(Seen("n1", {fact: before}))
    assert isinstance(wish, WriteFile)
    (done,) = task.plan(
        Seen(
            "n1",
            {fact: FileSeen(before.path, Kind.FILE, "options bonding max_bonds=0\n", "644", "root:root")},
        )
    )
    assert isinstance(done, Noop)


def test_the_playbook_in_readme_is_one(tmp_path: Path) -> None:
    text = next(
        t
        for t in re.findall(r"```yaml\n(.*?)```", (TOP / "README.md").read_text(), re.DOTALL)
        if "tasks:" in t
    )
    assert load_text(text, "README.md", discover(None)).plays[0].settle == 60


def test_the_changelog_tells_of_this_version() -> None:
    assert f"## {remediate.__version__}" in (TOP / "CHANGELOG.md").read_text()
