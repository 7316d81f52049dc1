"""Rolling changes on a real cluster: gates, order, undo, consent. Judged from outside, never by the engine's facts."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab.product import flags, playbook, remediate

pytestmark = pytest.mark.lab

MANIFEST = "/etc/kubernetes/manifests/etcd.yaml"
NODES = ("n1", "n2", "n3")


def argv(lab: Any, node: str) -> list[str]:
    """etcd's live command line."""
    return str(lab.ssh(node, "tr '\\0' '\\n' </proc/$(pgrep -x etcd)/cmdline")).split("\n")


def started(lab: Any, node: str) -> str:
    """PID and start time of etcd: another process has another one."""
    return str(lab.ssh(node, "p=$(pgrep -x etcd); echo $p $(cut -d' ' -f22 /proc/$p/stat)")).strip()


def state(lab: Any) -> dict[str, tuple[str, str]]:
    """Manifest's checksum and etcd's process of every node."""
    return {node: (str(lab.ssh(node, f"sha256sum {MANIFEST}")), started(lab, node)) for node in NODES}


def leader(lab: Any) -> str:
    """Who leads, as etcdctl says."""
    status = lab.status()
    return next(name for name, node in status["nodes"].items() if node["leader"])


@pytest.fixture(autouse=True)
def as_before(lab: Any) -> Any:
    """Put the manifests back when a test is over, so that tests do not build on each other."""
    kept = {node: lab.ssh(node, f"cat {MANIFEST}") for node in NODES}
    yield
    for node in NODES:
        if lab.ssh(node, f"cat {MANIFEST}") != kept[node]:
            before = started(lab, node)
            lab.put(node, MANIFEST, kept[node])
            lab.wait(lambda node=node, before=before: started(lab, node) not in ("", before))
            lab.wait_healthy()


def test_a_flag_goes_over_all_members_leader_last_and_a_second_run_changes_nothing(
    lab: Any, tmp_path: Path
) -> None:
    book = flags(tmp_path, "{set: {snapshot-count: 20000}}")
    last = leader(lab)
    before = state(lab)
    done = remediate("run", book, "-i", lab.inventory, "--yes", "--output", "json")
    assert done.code == 0, done.err
    document = done.document
    assert document["outcome"] == "changed"
    for node in NODES:
        assert "--snapshot-count=20000" in argv(lab, node)
        assert started(lab, node) != before[node][1]
    order = [gate["host"] for gate in document["gates"] if gate["when"] == "before"]
    assert order[-1] == last
    assert sorted(order) == list(NODES)
    assert [gate["when"] for gate in document["gates"]] == ["before", "after"] * 3
    again = state(lab)
    began = time.monotonic()
    second = remediate("run", book, "-i", lab.inventory, "--yes", "--output", "json")
    assert time.monotonic() - began <= 2.0, (
        "a rolling no-op must take no longer than 2 s (issue 2, section 5)"
    )
    assert (second.code, second.document["outcome"]) == (0, "unchanged")
    assert second.document["gates"] == []
    assert all(noop["why"] for host in second.document["hosts"].values() for noop in host["noops"])
    assert state(lab) == again


def test_comments_and_order_of_the_manifest_stay(lab: Any, tmp_path: Path) -> None:
    before = str(lab.ssh("n2", f"cat {MANIFEST}")).splitlines()
    book = flags(tmp_path, "{set: {snapshot-count: 30000}}")
    assert remediate("run", book, "-i", lab.inventory, "--limit", "n2", "--yes").code == 0
    after = str(lab.ssh("n2", f"cat {MANIFEST}")).splitlines()
    changed = [line for line in after if line not in before]
    assert [line.strip() for line in changed] == ["- --snapshot-count=30000"]
    assert [line for line in after if line not in changed] == [
        line for line in before if "--snapshot-count=" not in line
    ]


def test_a_harmful_flag_is_undone_on_its_member_and_the_others_are_not_touched(
    lab: Any, tmp_path: Path
) -> None:
    # etcd accepts it and starts; but the member and the others do not believe each other any more.
    book = flags(tmp_path, "{set: {peer-trusted-ca-file: /etc/kubernetes/pki/etcd/server.crt}}")
    before, lines = state(lab), {node: argv(lab, node) for node in NODES}
    done = remediate("run", book, "-i", lab.inventory, "--yes", "--output", "json")
    assert done.code == 1
    hosts = done.document["hosts"]
    tried = [name for name, host in hosts.items() if host["changes"][0]["state"] == "undone"]
    assert len(tried) == 1
    assert hosts[tried[0]]["error"]
    after = state(lab)
    for node in NODES:
        assert argv(lab, node) == lines[node]
        assert after[node][0] == before[node][0]
        assert (after[node][1] == before[node][1]) is (node != tried[0])
    assert all(hosts[node]["changes"][0]["state"] == "pending" for node in NODES if node != tried[0])
    lab.wait_healthy()


def test_a_flag_that_crash_loops_etcd_is_undone(lab: Any, tmp_path: Path) -> None:
    book = flags(tmp_path, "{set: {listen-client-urls: 'https://192.0.2.1:2379'}}")
    before = state(lab)
    done = remediate("run", book, "-i", lab.inventory, "--limit", "n3", "--yes", "--output", "json")
    assert done.code == 1
    assert done.document["hosts"]["n3"]["changes"][0]["state"] == "undone"
    assert {n: s[0] for n, s in state(lab).items()} == {n: s[0] for n, s in before.items()}
    lab.wait_healthy()


def test_without_a_terminal_and_without_yes_nothing_is_changed(lab: Any, tmp_path: Path) -> None:
    before = state(lab)
    done = remediate("run", flags(tmp_path, "{set: {snapshot-count: 40000}}"), "-i", lab.inventory)
    assert done.code == 4
    assert "--yes" in done.err
    assert state(lab) == before


def asked(arguments: list[str], answer: Callable[[], str]) -> tuple[int, str]:
    """Run on a terminal; `answer` is called when the question stands there. Exit code, and all that was shown."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "remediate", *arguments], stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    shown, answered = b"", False
    while chunk := _read(master):
        shown += chunk
        if not answered and b"[y/N]" in shown:
            os.write(master, answer().encode() + b"\n")
            answered = True
    return process.wait(timeout=120), shown.decode()


def _read(master: int) -> bytes:
    """What the terminal shows next; nothing when the program has ended."""
    try:
        return os.read(master, 4096)
    except OSError:
        return b""


@pytest.mark.parametrize(("answer", "code"), [("n", 4), ("y", 0)])
def test_on_a_terminal_a_person_is_asked_once(lab: Any, tmp_path: Path, answer: str, code: int) -> None:
    book = flags(tmp_path, "{set: {snapshot-count: 41000}}")
    before = state(lab)
    arguments = ["run", str(book), "-i", str(lab.inventory), "--limit", "n1", "--diff"]
    ended, shown = asked(arguments, lambda: answer)
    assert ended == code, shown
    assert shown.count("[y/N]") == 1
    assert "--snapshot-count=41000" in shown, "the whole plan with its diff is shown before the question"
    assert (state(lab) == before) is (code == 4)


def test_a_manifest_that_was_edited_since_the_plan_is_not_overwritten(lab: Any, tmp_path: Path) -> None:
    book = flags(tmp_path, "{set: {snapshot-count: 41500}}")
    kept = lab.ssh("n1", f"cat {MANIFEST}")
    mine = kept.replace("spec:\n", "# somebody else's words\nspec:\n", 1)

    def edit_then_agree() -> str:
        lab.put("n1", MANIFEST, mine)
        return "y"

    code, shown = asked(["run", str(book), "-i", str(lab.inventory), "--limit", "n1"], edit_then_agree)
    assert code == 4, shown
    assert "edited since" in " ".join(shown.split())
    assert lab.ssh("n1", f"cat {MANIFEST}") == mine


def test_what_is_not_as_planned_when_it_is_read_again_is_a_failure(lab: Any, tmp_path: Path) -> None:
    """No database is ever without any free page: a threshold of 0 % cannot be reached, and the run must say so."""
    book = playbook(
        tmp_path, "- hosts: etcd\n  tasks:\n    - etcd_defrag: {min_fragmentation: 0%, min_size: 1B}\n"
    )
    done = remediate("run", book, "-i", lab.inventory, "--yes", "--output", "json")
    assert done.code == 1
    states = sorted(host["changes"][0]["state"] for host in done.document["hosts"].values())
    assert states == ["failed", "pending", "pending"], (
        "the rollout stops at the first member that is not as planned"
    )


def test_check_shows_the_plan_and_changes_nothing(lab: Any, tmp_path: Path) -> None:
    before = state(lab)
    book = flags(tmp_path, "{set: {snapshot-count: 42000}}")
    done = remediate("run", book, "-i", lab.inventory, "--check", "--diff")
    assert done.code == 5
    assert "+    - --snapshot-count=42000" in done.out
    assert state(lab) == before


def test_timers_widen_election_first_and_end_uniform(lab: Any, tmp_path: Path) -> None:
    book = flags(tmp_path, "{set: {heartbeat-interval: 250, election-timeout: 2500}}")
    done = remediate("run", book, "-i", lab.inventory, "--yes", "--output", "json")
    assert done.code == 0, done.err
    summaries = [change["summary"] for change in done.document["hosts"]["n1"]["changes"]]
    assert ["election-timeout" in text for text in summaries] == [True, False]
    assert ["heartbeat-interval" in text for text in summaries] == [False, True]
    for node in NODES:
        assert {"--heartbeat-interval=250", "--election-timeout=2500"} <= set(argv(lab, node))


def test_settle_rests_between_members_that_changed(lab: Any, tmp_path: Path) -> None:
    book = flags(tmp_path, "{set: {snapshot-count: 43000}}")
    began = time.monotonic()
    done = remediate(
        "run", book, "-i", lab.inventory, "--limit", "n1,n2", "--yes", "-e", '{"remediate_settle": 4}'
    )
    assert done.code == 0, done.err
    assert time.monotonic() - began > 4
    assert "settle" in done.err.lower() or "rest" in done.err.lower()


REFUSED = {
    "an unknown flag": ("{set: {no-such-flag: 1}}", "no-such-flag"),
    "election less than five heartbeats": ("{set: {heartbeat-interval: 900}}", "election"),
    "a retention that never compacts": (
        "{set: {auto-compaction-mode: revision, auto-compaction-retention: 1h}}",
        "auto-compaction-retention",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_etcd_would_not_start_with_is_refused_before_anything_is_written(
    lab: Any, tmp_path: Path, name: str
) -> None:
    wishes, word = REFUSED[name]
    before = state(lab)
    done = remediate("run", flags(tmp_path, wishes), "-i", lab.inventory, "--yes")
    assert done.code == 4, done.err
    assert word in done.out
    assert state(lab) == before


def test_unsafe_no_fsync_is_refused_outside_dev_and_lab_without_contact(lab: Any, tmp_path: Path) -> None:
    before = state(lab)
    text = Path(lab.inventory).read_text()
    production = tmp_path / "production.yml"
    production.write_text(text.replace("remediate_environment: lab", "remediate_environment: production"))
    book = flags(tmp_path, "{set: {unsafe-no-fsync: true}}", more="  vars: {remediate_environment: dev}\n")
    # Neither the play nor the command line can say what only the inventory may.
    done = remediate("run", book, "-i", production, "--yes", "-e", "remediate_environment=lab")
    assert done.code == 4
    assert "remediate_environment" in done.err
    assert "looking at" not in done.err
    assert state(lab) == before


@pytest.mark.parametrize(
    "wishes",
    [
        "{set: {force-new-cluster: true}}",
        "{set: {data-dir: /var/lib/other}}",
        "{remove: [client-cert-auth]}",
        "{set: {name: foo}}",
    ],
)
def test_identity_and_authentication_are_not_changed_by_a_restart(
    lab: Any, tmp_path: Path, wishes: str
) -> None:
    before = state(lab)
    done = remediate("run", flags(tmp_path, wishes), "-i", lab.inventory, "--yes")
    assert done.code == 4, done.err
    assert "looking at" not in done.err
    assert state(lab) == before


def test_an_option_before_the_command_is_not_lost(lab: Any, tmp_path: Path) -> None:
    before = state(lab)
    book = flags(tmp_path, "{set: {snapshot-count: 45000}}")
    done = remediate("--check", "run", book, "-i", lab.inventory, "--yes")
    assert done.code == 2
    assert "--check" in done.err
    assert state(lab) == before


@pytest.mark.parametrize("value", ["abc", "-3", "nan", "null"])
def test_a_deadline_that_is_none_is_exit_2_before_contact(lab: Any, tmp_path: Path, value: str) -> None:
    book = flags(tmp_path, "{set: {snapshot-count: 45000}}")
    done = remediate(
        "run", book, "-i", lab.inventory, "--check", "-e", f'{{"remediate_deadline": "{value}"}}'
    )
    assert done.code == 2
    assert "remediate_deadline" in done.err
    assert "looking at" not in done.err


def test_two_tasks_with_different_values_are_an_error(lab: Any, tmp_path: Path) -> None:
    book = playbook(
        tmp_path,
        "- hosts: etcd\n  tasks:\n"
        "    - {name: one, etcd_flags: {set: {snapshot-count: 1000}}}\n"
        "    - {name: two, etcd_flags: {set: {snapshot-count: 2000}}}\n",
    )
    before = state(lab)
    done = remediate("run", book, "-i", lab.inventory, "--yes")
    assert done.code == 2
    assert "«one»" in done.err
    assert "«two»" in done.err
    assert state(lab) == before


def test_timers_that_fail_on_one_member_are_taken_back_on_all(lab: Any, tmp_path: Path) -> None:
    """Members must end with the same timers: the member that fails is undone, and those before it, too."""
    last = leader(lab)
    text = Path(lab.inventory).read_text()
    ca = "/etc/kubernetes/pki/etcd/{}.crt"
    for node in NODES:
        kind = "server" if node == last else "ca"
        text = text.replace(f"    {node}:\n", f"    {node}:\n      peer_ca: {ca.format(kind)}\n")
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(text)
    book = flags(tmp_path, "{set: {election-timeout: 3000, peer-trusted-ca-file: '{{ peer_ca }}'}}")
    before = {node: argv(lab, node) for node in NODES}
    done = remediate("run", book, "-i", inventory, "--yes", "--output", "json")
    assert done.code == 1, done.err
    states = {name: host["changes"][0]["state"] for name, host in done.document["hosts"].items()}
    assert states == dict.fromkeys(NODES, "undone")
    assert done.document["hosts"][last]["error"]
    assert {node: argv(lab, node) for node in NODES} == before
    lab.wait_healthy()


NOT_YET = {
    "a gate that is none": ("  gate: none\n", 4, "gate: none"),
    "a window": ("  window: Sat 02:00-04:00\n", 2, "window"),
    "a rollback": ("  on_failure: rollback\n", 2, "on_failure"),
}


@pytest.mark.parametrize("name", NOT_YET)
def test_a_protection_that_would_be_missing_is_refused(lab: Any, tmp_path: Path, name: str) -> None:
    more, code, word = NOT_YET[name]
    before = state(lab)
    done = remediate(
        "run", flags(tmp_path, "{set: {snapshot-count: 44000}}", more=more), "-i", lab.inventory, "--yes"
    )
    assert done.code == code
    assert word in done.err
    assert state(lab) == before
