"""Generated pages are as the code says, and the documents name only what is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import remediate

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


def test_the_changelog_tells_of_this_version() -> None:
    assert f"## {remediate.__version__}" in (TOP / "CHANGELOG.md").read_text()
