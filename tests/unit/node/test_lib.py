"""The shell that writes on nodes, run here on files of the test's own."""

from __future__ import annotations

import subprocess
from importlib.resources import files
from pathlib import Path

import pytest


class Shell:
    """`lib.sh` with a transaction's folder, and one file to work on."""

    def __init__(self, folder: Path) -> None:
        (folder / "tx" / "old").mkdir(parents=True)
        (folder / "there").mkdir()
        self.folder, self.path = folder, folder / "there" / "etcd.yaml"
        self._library = str(files("remediate.node").joinpath("lib.sh"))

    def run(self, text: str) -> tuple[int, str]:
        """Exit code and standard error."""
        script = f"set -eu; TX={self.folder}/tx; F={self.path}; . {self._library}\n{text}"
        done = subprocess.run(
            ["/bin/sh", "-c", script], capture_output=True, text=True, timeout=20, check=False
        )
        return done.returncode, done.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path.resolve())


SHA = 'S=$(r_sha "$F"); '


def test_what_was_written_is_taken_back_with_mode_and_owner(shell: Shell) -> None:
    shell.path.write_text("old")
    shell.path.chmod(0o640)
    (shell.folder / "new").write_text("new")
    text = f'r_save "$F" f; r_put {shell.folder}/new "$F" 600 root:root; {SHA} r_restore f "$F" "$S"'
    assert shell.run(text) == (0, "")
    assert (shell.path.read_text(), shell.path.stat().st_mode & 0o777) == ("old", 0o640)
    assert [entry.name for entry in shell.path.parent.iterdir()] == ["etcd.yaml"], "nothing is left beside it"


def test_somebody_elses_later_edit_is_kept(shell: Shell) -> None:
    shell.path.write_text("old")
    (shell.folder / "new").write_text("new")
    code, said = shell.run(
        f'r_save "$F" f; r_put {shell.folder}/new "$F" 600 root:root; {SHA} echo mine >"$F"; r_restore f "$F" "$S"'
    )
    assert (code, shell.path.read_text()) == (9, "mine\n")
    assert "edited by somebody else" in said


def test_a_file_that_we_took_away_is_put_back_and_one_that_others_took_away_is_not(shell: Shell) -> None:
    shell.path.write_text("old")
    assert shell.run('r_save "$F" f; r_remove "$F" f; r_restore f "$F" 0000')[0] == 0
    assert shell.path.read_text() == "old"
    other = Shell(shell.folder / "other")
    other.path.write_text("old")
    assert other.run('r_save "$F" f; rm "$F"; r_restore f "$F" 0000')[0] == 9
    assert not other.path.exists()


def test_a_file_that_was_not_there_is_removed_again(shell: Shell) -> None:
    (shell.folder / "new").write_text("new")
    assert shell.run(
        f'r_save "$F" f; r_put {shell.folder}/new "$F" 600 root:root; {SHA} r_restore f "$F" "$S"'
    ) == (0, "")
    assert not shell.path.exists()


@pytest.mark.parametrize(
    ("now", "expected", "code"),
    [("seen", "seen", 0), ("edited", "seen", 9), (None, "seen", 9), ("seen", None, 9), (None, None, 0)],
)
def test_compare_and_swap(shell: Shell, now: str | None, expected: str | None, code: int) -> None:
    if now is not None:
        shell.path.write_text(now)
    want = f'$(printf %s {expected} | sha256sum | cut -d" " -f1)' if expected else "absent"
    assert shell.run(f'r_same "$F" "{want}"')[0] == code


@pytest.mark.parametrize("what", ["file", "folder"])
def test_links_are_not_followed(shell: Shell, what: str) -> None:
    (shell.folder / "new").write_text("new")
    target = shell.folder / "target"
    target.mkdir()
    if what == "file":
        (target / "secret").write_text("secret")
        shell.path.symlink_to(target / "secret")
    else:
        shell.path.parent.rmdir()
        shell.path.parent.symlink_to(target)
    code, said = shell.run(f'r_put {shell.folder}/new "$F" 600 root:root')
    assert code == 1
    assert "link" in said
    assert [entry.read_text() for entry in target.iterdir()] == (["secret"] if what == "file" else [])
