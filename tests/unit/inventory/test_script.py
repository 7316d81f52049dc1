"""Executable inventories: real programs that are run, refused, stopped and misunderstood."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from remediate.errors import UsageProblem
from remediate.inventory import load
from remediate.inventory.build import Builder
from remediate.inventory.process import TooMuchOutputError, run_capped
from remediate.inventory.script import check_owner, read_script

from .conftest import Put

GOOD = '#!/bin/sh\necho \'{"etcd": {"hosts": ["n1"]}, "_meta": {"hostvars": {}}}\'\n'


def problem(path: Path) -> str:
    with pytest.raises(UsageProblem) as caught:
        load(path)
    return str(caught.value)


def prints(text: str) -> str:
    return f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n"


def test_a_program_is_run_with_list(put: Put) -> None:
    inventory = load(put("inv", GOOD, 0o755))
    assert [host.name for host in inventory.select("etcd")] == ["n1"]
    assert inventory.hosts["n1"].where.endswith("inv --list")


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_program_that_others_can_write_to_is_not_run(put: Put, tmp_path: Path, mode: int) -> None:
    path = put("inv", f"#!/bin/sh\ntouch {tmp_path}/was-run\n{GOOD}", mode)
    assert f"is not run: others can write to {path} (chmod go-w {path})" in problem(path)
    assert not (tmp_path / "was-run").exists()


def test_nor_one_in_a_folder_that_others_can_write_to(put: Put) -> None:
    path = put("open/inv", GOOD, 0o755)
    path.parent.chmod(0o777)
    assert f"others can write to {path.parent}" in problem(path)
    path.parent.chmod(0o1777)  # sticky, as /tmp: nobody else can replace the file
    assert load(path).hosts


def test_nor_a_link_to_one(put: Put, tmp_path: Path) -> None:
    (tmp_path / "inv").symlink_to(put("elsewhere/inv", GOOD, 0o777))
    assert "others can write to" in problem(tmp_path / "inv")


def test_nor_one_of_another_user(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("inv", GOOD, 0o755)
    owner = path.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    if owner == 0:
        check_owner(path, "inv")  # root may change everything anyway
        os.chown(path, 12345, -1)
    with pytest.raises(UsageProblem, match="belongs to another user"):
        check_owner(path, "inv")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "#!/bin/sh\necho first >&2; echo 'no API key' >&2; exit 3\n",
            "ended with exit code 3, saying 'no API key'",
        ),
        ("#!/bin/sh\nprintf '\\033[31mred' >&2; exit 1\n", r"saying '\x1b[31mred'"),
        ("#!/nonexistent/interpreter\n", "cannot be run: No such file"),
        (prints("no json"), "printed no JSON"),
        (prints('["n1"]'), "printed no JSON object"),
        ("#!/bin/sh\nprintf '\\377'\n", "printed no JSON"),
        (prints('{"_meta": []}'), "a _meta without hostvars"),
        (prints('{"_meta": {"hostvars": ["n1"]}}'), "a _meta without hostvars"),
        (prints('{"etcd": {"hosts": {"n1": {}}}}'), "hosts of group 'etcd' is no list of names"),
        (prints('{"etcd": {"hosts": [1]}}'), "hosts of group 'etcd' is no list of names"),
        (prints('{"etcd": {"children": "x"}}'), "children of group 'etcd' is no list of names"),
        (prints('{"etcd": {"vars": []}}'), "vars of group 'etcd' is no mapping"),
        (prints('{"etcd": "n1"}'), "hosts of group 'etcd' is no list of names"),
        (
            prints('{"etcd": ["n1"], "_meta": {"hostvars": {"n1": [1]}}}'),
            "said about host 'n1' is no mapping",
        ),
        (prints('{"etcd": ["-oProxyCommand=x"]}'), "'-oProxyCommand=x' cannot be a host's name"),
        (prints('{"a": {"children": ["b"]}, "b": {"children": ["a"]}}'), "the groups make a cycle"),
        (prints('{"a": ["n1"], "a": ["n2"]}'), "the key 'a' is there twice"),
        (prints('{"a": ' * 200 + "1" + "}" * 200), "more than 100 levels"),
        (prints('{"etcd": []}'), "the inventory names no host"),
        (prints(""), "the inventory names no host"),
    ],
)
def test_what_a_program_can_do_wrong(put: Put, script: str, expected: str) -> None:
    assert expected in problem(put("inv", script, 0o755))


def test_a_failing_host_call_is_named(put: Put) -> None:
    script = '#!/bin/sh\n[ "$1" = --list ] && echo \'{"a": ["n1"]}\' || exit 4\n'
    assert "inv --host n1: ended with exit code 4" in problem(put("inv", script, 0o755))


def test_a_slow_program_is_stopped_with_its_children(put: Put, tmp_path: Path) -> None:
    path = put("inv", f"#!/bin/sh\n(sleep 1.5; touch {tmp_path}/survived) & sleep 60\n", 0o755)
    start = time.monotonic()
    with pytest.raises(UsageProblem, match="took too long and was stopped"):
        read_script(Builder(), path, "inv", timeout=0.3)
    assert time.monotonic() - start < 1.4
    time.sleep(1.5)
    assert not (tmp_path / "survived").exists()


def test_one_that_closes_its_output_and_stays_is_stopped_too(put: Put) -> None:
    path = put("inv", "#!/bin/sh\nexec >&- 2>&-\nsleep 60\n", 0o755)
    with pytest.raises(UsageProblem, match="took too long"):
        read_script(Builder(), path, "inv", timeout=0.3)


def test_a_program_gets_no_input(put: Put) -> None:
    path = put("inv", "#!/bin/sh\nread line || exit 7\n", 0o755)
    reader, writer = os.pipe()
    os.write(writer, b"what the terminal's user types\n")
    own = os.dup(0)
    try:
        os.dup2(reader, 0)
        assert "ended with exit code 7" in problem(path)
    finally:
        os.dup2(own, 0)
        for number in (own, reader, writer):
            os.close(number)


def test_endless_output_is_cut() -> None:
    start = time.monotonic()
    with pytest.raises(TooMuchOutputError):
        run_capped(["/bin/sh", "-c", "exec cat /dev/zero"], deadline=time.monotonic() + 20, cap=1 << 20)
    with pytest.raises(TooMuchOutputError):
        run_capped(["/bin/sh", "-c", "exec cat /dev/zero >&2"], deadline=time.monotonic() + 20, cap=1 << 20)
    assert time.monotonic() - start < 10


def test_endless_output_is_told(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remediate.inventory.script.MAX_OUTPUT", 1 << 20)
    assert "printed more than 1 MiB and was stopped" in problem(
        put("inv", "#!/bin/sh\nexec cat /dev/zero\n", 0o755)
    )


def test_both_outputs_are_read_whole() -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo out$i; echo err$i >&2; i=$((i+1)); done; exit 5"
    code, out, err = run_capped(["/bin/sh", "-c", script], deadline=time.monotonic() + 20, cap=1 << 20)
    assert code == 5
    assert out.split()[-1] == b"out2999"
    assert err.split()[-1] == b"err2999"
