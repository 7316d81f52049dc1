"""Each broken playbook says what is wrong, at which line and column; its first line is the expected message."""

from __future__ import annotations

from pathlib import Path

import pytest

from remediate.errors import UsageProblem
from remediate.playbook import load
from remediate.task.loader import TaskCatalog

CASES = sorted((Path(__file__).parents[2] / "data" / "playbooks" / "errors").glob("*.yml"))
FINDINGS = ("quorum-at-risk", "slow-fsync")


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_broken_playbook(
    case: Path, catalog: TaskCatalog, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(case.parent)
    expected = case.read_text().partition("\n")[0].removeprefix("# expect: ")
    with pytest.raises(UsageProblem) as caught:
        load(Path(case.name), catalog, project=project, finding_ids=FINDINGS)
    assert str(caught.value) == expected
    assert caught.value.exit_code == 2


def test_there_are_cases() -> None:
    assert len(CASES) > 50


def test_a_file_that_is_not_there(catalog: TaskCatalog) -> None:
    with pytest.raises(UsageProblem, match=r"^nowhere/no\.yml: cannot be read: No such file"):
        load(Path("nowhere/no.yml"), catalog)


def test_a_file_that_is_no_text(catalog: TaskCatalog, tmp_path: Path) -> None:
    path = tmp_path / "bytes.yml"
    path.write_bytes(b"- hosts: a\n  name: \xff\n")
    with pytest.raises(UsageProblem, match=r"bytes\.yml:2: is not UTF-8 text"):
        load(path, catalog)


def test_a_file_that_is_too_large(catalog: TaskCatalog, tmp_path: Path) -> None:
    path = tmp_path / "large.yml"
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(UsageProblem, match="is larger than 1024 KiB"):
        load(path, catalog)


def test_nesting_without_end(catalog: TaskCatalog, tmp_path: Path) -> None:
    path = tmp_path / "deep.yml"
    path.write_text("- hosts: all\n  vars: {a: " + "[" * 60 + "]" * 60 + "}\n")
    with pytest.raises(UsageProblem, match=r"deep\.yml:2:\d+: is nested deeper than 50 levels"):
        load(path, catalog)


def test_aliases_that_grow_without_bound(catalog: TaskCatalog, tmp_path: Path) -> None:
    path = tmp_path / "bomb.yml"
    lines = ["- hosts: all", "  vars:", "    a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"    a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    path.write_text("\n".join(lines))
    with pytest.raises(UsageProblem, match=r"bomb\.yml:\d+:\d+: stands for more than 100000 values"):
        load(path, catalog)
