"""A loaded play: batches, pace, tags, windows, measurements, and how playbooks and extra variables are found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from remediate.errors import UsageProblem
from remediate.playbook import Play, Serial, extra_vars, find, load, load_text
from remediate.playbook.pace import DISRUPTING, HARMLESS, parse_serial
from remediate.task.loader import TaskCatalog

TASK = "\n  tasks:\n    - greet: {names: {a: 1}}\n"


def play(catalog: TaskCatalog, words: str) -> Play:
    return load_text(f"- hosts: etcd\n  {words}{TASK}", "play.yml", catalog).plays[0]


@pytest.mark.parametrize(
    ("written", "count", "sizes"),
    [
        (1, 3, (1, 1, 1)),
        (2, 5, (2, 2, 1)),
        (9, 3, (3,)),
        ("2", 3, (2, 1)),
        ("30%", 10, (3, 3, 3, 1)),
        ("30%", 3, (1, 1, 1)),
        ("100%", 4, (4,)),
        ([1, 2], 6, (1, 2, 2, 1)),
        ([1, "50%"], 10, (1, 5, 4)),
        (1, 0, ()),
    ],
)
def test_batches_are_ansibles(written: Any, count: int, sizes: tuple[int, ...]) -> None:
    assert parse_serial(written).batches(count) == sizes


@pytest.mark.parametrize(
    "written", [0, -1, "0", "0%", "101%", "x", 1.5, True, [], [0], None, [[1]], "1 %", "9" * 20]
)
def test_no_batches(written: Any) -> None:
    with pytest.raises(ValueError, match="expected a number of hosts"):
        parse_serial(written)


def test_pace_is_careful_where_members_are_disrupted(catalog: TaskCatalog) -> None:
    silent = play(catalog, "name: x")
    assert silent.pace(disrupts=True) == DISRUPTING
    assert (DISRUPTING.serial, DISRUPTING.order, DISRUPTING.gate, DISRUPTING.settle) == (
        Serial([1]),
        "leader-last",
        "etcd-healthy",
        60,
    )
    assert silent.pace(disrupts=False) == HARMLESS


def test_what_the_play_says_counts(catalog: TaskCatalog) -> None:
    said = play(catalog, "serial: 50%\n  order: sorted\n  gate: none\n  settle: 0").pace(disrupts=True)
    assert (said.serial, said.order, said.gate, said.settle) == (Serial(["50%"]), "sorted", "none", 0.0)


def test_words_of_a_play(catalog: TaskCatalog) -> None:
    text = (
        "- hosts: [etcd, '!n2']\n  become: true\n  on_failure: rollback\n"
        f"  window: Sat,Sun 02:00-04:00 Europe/Berlin\n  settle: 1m{TASK}"
    )
    found = load_text(text, "play.yml", catalog).plays[0]
    assert (found.name, found.hosts, found.become, found.on_failure, found.settle) == (
        "etcd,!n2",
        "etcd,!n2",
        True,
        "rollback",
        60.0,
    )
    assert found.window == "Sat,Sun 02:00-04:00 Europe/Berlin"
    assert found.where == "play.yml:1:3"
    assert found.tasks[0].where == "play.yml:7:7"


@pytest.mark.parametrize(
    ("window", "right"),
    [
        ("02:00-04:00", True),
        ("Mon-Fri 22:00-02:00", True),
        ("Sat 02:00–04:00 UTC", True),
        ("Sat 2:00-24:00 Etc/GMT+2", True),
        ("Sat 25:00-26:00", False),
        ("Samstag 02:00-04:00", False),
        ("Sat 02:00", False),
        ("Sat 02:60-03:00", False),
    ],
)
def test_windows(catalog: TaskCatalog, window: str, right: bool) -> None:
    words = f"window: '{window}'"
    if right:
        assert play(catalog, words).window == window
    else:
        with pytest.raises(UsageProblem, match=r"play\.yml:2:11: window: expected a window"):
            play(catalog, words)


def test_measuring(catalog: TaskCatalog) -> None:
    assert play(catalog, "name: x").measure is None
    assert play(catalog, "measure: false").measure is None
    plain = play(catalog, "measure: true").measure
    assert plain and not plain.fio
    asked = load_text("- hosts: etcd\n  measure: {fio: true, iperf3: false}\n", "play.yml", catalog).plays[0]
    assert asked.measure and asked.measure.fio and not asked.measure.iperf3 and not asked.tasks


@pytest.mark.parametrize(
    ("own", "tags", "skip", "runs"),
    [
        ("[]", [], [], True),
        ("[]", ["a"], [], False),
        ("[a]", ["a"], [], True),
        ("[a, b]", ["a"], ["b"], False),
        ("[a]", ["all"], [], True),
        ("[a]", ["tagged"], [], True),
        ("[]", ["tagged"], [], False),
        ("[]", ["untagged"], [], True),
        ("[a]", ["untagged"], [], False),
        ("[always]", ["a"], [], True),
        ("[always]", [], ["always"], False),
        ("[never]", [], [], False),
        ("[never, a]", ["a"], [], True),
        ("[never, a]", ["all"], [], False),
        ("[never]", ["never"], [], True),
        ("[a]", [], ["tagged"], False),
        ("[]", [], ["untagged"], False),
        ("[a]", [], ["all"], False),
        ("[always]", [], ["all"], True),
        ("a,b", ["b"], [], True),
    ],
)
def test_tags_mean_what_ansible_means(
    catalog: TaskCatalog, own: str, tags: list[str], skip: list[str], runs: bool
) -> None:
    text = f"- hosts: all\n  tasks:\n    - greet: {{names: {{a: 1}}}}\n      tags: {own}\n"
    assert load_text(text, "p", catalog).plays[0].tasks[0].selected(tags, skip) is runs


def test_a_plays_tags_are_its_tasks_tags(catalog: TaskCatalog) -> None:
    assert play(catalog, "tags: [night]").tasks[0].tags == {"night"}


def test_what_a_condition_needs(catalog: TaskCatalog) -> None:
    text = "- hosts: all\n  tasks:\n" + "".join(
        f"    - greet: {{names: {{a: 1}}}}\n      when: {when}\n"
        for when in ("a", "finding('x')", "facts.Disk.free")
    )
    plain, asking, looking = load_text(text, "p", catalog).plays[0].tasks
    assert [call.uses_findings for call in (plain, asking, looking)] == [False, True, False]
    assert all(call.conditional for call in (plain, asking, looking))


def test_find_by_name_and_path(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find("hello", project) == project / "playbooks" / "hello.yml"
    assert find("other", project) == project / "playbooks" / "other.yaml"
    monkeypatch.chdir(project)
    assert find("playbooks/hello.yml", None) == Path("playbooks/hello.yml")
    with pytest.raises(UsageProblem, match=r"there is no playbook «helo» \(did you mean hello\?\)"):
        find("helo", project)
    with pytest.raises(UsageProblem, match=r"there is no playbook no/such\.yml"):
        find("no/such.yml", project)


def test_a_found_playbook_loads(project: Path, catalog: TaskCatalog) -> None:
    found = load(find("hello", project), catalog, project=project)
    assert (found.name, [call.name for call in found.plays[0].tasks]) == ("hello", ["greet"])


def test_extra_vars(tmp_path: Path) -> None:
    path = tmp_path / "vars.yml"
    path.write_text("b: [1, 2]\n")
    assert extra_vars(["a=1 c='x y'", '{"d": {"e": true}}', f"@{path}", "a=2", ""]) == {
        "a": "2",
        "b": [1, 2],
        "c": "x y",
        "d": {"e": True},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", r'--extra-vars: \'a\' is not KEY=VALUE \(or give {"key": value} or @FILE\)'),
        ("a='1", "cannot be read: No closing quotation"),
        ("a-b=1", "'a-b' cannot be a variable's name"),
        ("{a: 1", r"--extra-vars:2:1: is not YAML"),
        ("{item: 1}", "'item' has a meaning of its own"),
        ("@/no/such/file", "cannot be read: No such file"),
    ],
)
def test_bad_extra_vars(text: str, message: str) -> None:
    with pytest.raises(UsageProblem, match=message):
        extra_vars([text])


def test_a_bad_extra_vars_file(tmp_path: Path) -> None:
    path = tmp_path / "vars.yml"
    path.write_text("a: 1\nb:\n  - x: [\n")
    with pytest.raises(UsageProblem, match=r"vars\.yml:4:1: is not YAML"):
        extra_vars([f"@{path}"])


def test_jinja_is_imported_only_for_templates(project: Path) -> None:
    """It takes longer than all the rest of loading a playbook."""
    script = (
        "import sys; from pathlib import Path; from remediate.playbook import load\n"
        "from remediate.task.loader import discover\n"
        "project = Path(sys.argv[1])\n"
        "book = load(project / 'playbooks/hello.yml', discover(project), project=project)\n"
        "call = book.plays[0].tasks[0]\n"
        "assert call.resolve({})[0].letter == 'Dear all\\n' and call.wanted({}, ()) and call.expand({})\n"
        "sys.exit('jinja2' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(project)], timeout=60, check=False)
    assert done.returncode == 0
