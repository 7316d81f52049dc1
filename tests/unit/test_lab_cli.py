"""`remediate lab`: wrong use gives one line and exit 2."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from remediate.errors import UsageProblem
from remediate.lab import lifecycle


def remediate_lab(*arguments: str, path: str | None = None, state: Path) -> subprocess.CompletedProcess[str]:
    """Run `remediate lab …` on a machine without labs."""
    environment = {**os.environ, "REMEDIATE_LAB_STATE": str(state)}
    if path is not None:
        environment["PATH"] = path
    argv = [sys.executable, "-m", "remediate", "lab", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment, check=False)


WRONG = {
    "a bad name": (("up", "--name", "A/B"), "'A/B' is no lab name"),
    "sick and bare": (("up", "--sick", "--bare"), "--sick and --bare exclude each other"),
    "two nodes": (("up", "--nodes", "2"), "'2' is not one of"),
    "another etcd": (("up", "--etcd", "3.3"), "'3.3' is not one of"),
    "status of no lab": (("status",), "lab 'lab' is not up (remediate lab up --name lab)"),
    "ssh into no lab": (("ssh", "n1"), "lab 'lab' is not up"),
    "a fault in no lab": (("fault", "n1", "kill"), "lab 'lab' is not up"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_gives_exit_2_and_says_what_is_wrong(case: str, tmp_path: Path) -> None:
    arguments, message = WRONG[case]
    done = remediate_lab(*arguments, state=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_missing_host_tool_is_one_line_with_the_package(tmp_path: Path) -> None:
    done = remediate_lab("up", path="/nonexistent", state=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "systemd-nspawn" in done.stderr
    assert "apt-get install" in done.stderr
    assert "systemd-container" in done.stderr


@pytest.mark.parametrize("command", ["up", "down"])
def test_without_root_it_is_one_clear_line(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("REMEDIATE_LAB_STATE", str(tmp_path))
    request = lifecycle.Request(
        name="lab",
        size=1,
        etcd="3.5",
        sick=False,
        bare=False,
        kubelet_delay=1,
        inventory=tmp_path / "lab.yml",
    )
    with pytest.raises(UsageProblem, match="the lab needs root") as problem:
        if command == "up":
            lifecycle.up(request, print)
        else:
            lifecycle.down("lab")
    assert problem.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_help_lists_every_fault(tmp_path: Path) -> None:
    from remediate.lab.faults import KINDS

    said = remediate_lab("fault", "--help", state=tmp_path).stdout
    assert [kind for kind in KINDS if f"  {kind}  " in said] == list(KINDS)
