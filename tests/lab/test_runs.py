"""How a run behaves on real nodes: what it costs, and what it survives."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from remediate.command import _catalog
from remediate.engine.events import Event
from remediate.engine.result import Mode
from remediate.engine.run import Run
from remediate.engine.setup import Options
from remediate.engine.tools import Tools
from remediate.inventory import Host, load
from remediate.inventory.connection import ConnectionSettings
from remediate.node.api import Node
from remediate.node.clock import SystemClock
from remediate.node.connector import Connector
from remediate.playbook import load_text
from tests.lab.product import flags, playbook, remediate

pytestmark = pytest.mark.lab

MANIFEST = "/etc/kubernetes/manifests/etcd.yaml"


class Silent:
    """An observer that wants to know nothing."""

    def on(self, event: Event) -> None:
        """Nothing."""


def counted(lab: Any, text: str, mode: Mode) -> dict[str, int]:
    """Run a playbook and count the channels that it opened on each host."""
    connector = Connector()
    nodes: dict[str, Node] = {}

    def connect(host: Host) -> Node:
        nodes[host.name] = connector.connect(ConnectionSettings.from_host(host))
        return nodes[host.name]

    options = Options(mode=mode, yes=True)
    tools = Tools(connect, SystemClock(), Silent(), None)
    Run("test-count", load_text(text, "play.yml", _catalog()), load(lab.inventory), options, tools).execute()
    return {name: node.execs for name, node in nodes.items()}


def test_facts_cost_one_exec_per_host_and_play(lab: Any) -> None:
    text = (
        "- hosts: etcd\n  tasks:\n"
        "    - etcd_flags: {remove: [proxy-refresh-interval]}\n"
        "    - sysctl: {settings: {net.ipv4.ip_forward: 0}}\n"
        "    - process_priority: {process: etcd, io_class: best-effort, io_level: 0, nice: -20}\n"
    )
    assert counted(lab, text, Mode.CHECK) == dict.fromkeys(lab.nodes, 1)


def test_a_look_with_findings_is_still_one_exec(lab: Any) -> None:
    text = "- hosts: etcd\n  tasks:\n    - etcd_defrag: {min_size: 8GiB}\n      when: not finding('quorum-at-risk')\n"
    assert counted(lab, text, Mode.CHECK) == dict.fromkeys(lab.nodes, 1)


def started(lab: Any, node: str) -> str:
    """PID and start time of etcd."""
    return str(lab.ssh(node, "p=$(pgrep -x etcd); echo $p $(cut -d' ' -f22 /proc/$p/stat)"))


def wish(lab: Any, folder: Path) -> tuple[Path, str]:
    """A playbook that sets a flag to a value that no member has yet."""
    value = str(10_000 + int(time.time()) % 80_000)
    return flags(folder, f"{{set: {{snapshot-count: {value}}}}}"), value


def argv(lab: Any, node: str) -> str:
    """etcd's live command line."""
    return str(lab.ssh(node, "tr '\\0' ' ' </proc/$(pgrep -x etcd)/cmdline"))


def test_a_dropped_connection_kills_nothing_and_the_run_reads_the_outcome_again(
    lab: Any, tmp_path: Path
) -> None:
    book, value = wish(lab, tmp_path)
    cut = threading.Event()

    def cut_ssh() -> None:
        journal = "cat /var/lib/remediate/*/*/state 2>/dev/null | grep -q '^applying'"
        while not cut.is_set():
            if lab.ssh("n2", f"{journal} && echo now", check=False).strip() == "now":
                # Every SSH session of the node, this one included, in mid-change.
                lab.ssh("n2", "pkill -KILL -f 'sshd: root@notty'", check=False)
                cut.set()

    thread = threading.Thread(target=cut_ssh)
    thread.start()
    done = remediate("run", book, "-i", lab.inventory, "--limit", "n2", "--yes")
    was_cut = cut.is_set()
    cut.set()
    thread.join()
    assert was_cut, "the connection was never cut: the test did not test anything"
    assert done.code == 0, done.err + done.out
    assert f"--snapshot-count={value}" in argv(lab, "n2")


def test_ctrl_c_brings_the_member_in_work_to_a_safe_end_and_touches_no_other(
    lab: Any, tmp_path: Path
) -> None:
    book, value = wish(lab, tmp_path)
    before = {node: started(lab, node) for node in lab.nodes}
    process = subprocess.Popen(
        [sys.executable, "-m", "remediate", "run", str(book), "-i", str(lab.inventory), "--yes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "flags of etcd" in line:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    changed = [node for node in lab.nodes if started(lab, node) != before[node]]
    assert len(changed) == 1
    assert f"--snapshot-count={value}" in argv(lab, changed[0])
    lab.wait_healthy()
    assert remediate("run", book, "-i", lab.inventory, "--yes").code == 0
    assert all(f"--snapshot-count={value}" in argv(lab, node) for node in lab.nodes)


def test_a_rolling_change_loses_no_acknowledged_write(lab: Any, tmp_path: Path) -> None:
    book, _ = wish(lab, tmp_path)
    top = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, top / "benchmarks/write_gap.py", "--lab", lab.name, "--baseline", "2", "--",
         sys.executable, "-m", "remediate", "run", book, "-i", lab.inventory, "--yes"],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout[done.stdout.index("{") :])
    assert figures["exit_code"] == 0
    assert figures["lost"] == 0
    assert figures["during"]["acknowledged"] > 200


def test_two_clusters_of_one_inventory_go_side_by_side_each_leader_last(
    lab: Any, new_lab: Any, tmp_path: Path
) -> None:
    other = new_lab()
    text = Path(other.inventory).read_text()
    text = re.sub(r"^etcd:", "etcd:\n  children: {first: {}, second: {}}\nsecond:", text, flags=re.MULTILINE)
    first = re.sub(r"^etcd:", "first:", Path(lab.inventory).read_text(), flags=re.MULTILINE)
    both = tmp_path / "both.yml"
    both.write_text(first + re.sub(r"\bn([123]):", r"m\1:", text))
    book, _ = wish(lab, tmp_path)
    last = {
        prefix + next(name for name, node in one.status()["nodes"].items() if node["leader"])[1:]
        for prefix, one in (("n", lab), ("m", other))
    }
    done = remediate("run", book, "-i", both, "--yes", "--output", "json", "-e", "remediate_settle=0")
    assert done.code == 0, done.err
    gates = [(gate["host"], gate["when"]) for gate in done.document["gates"]]
    for prefix in "nm":
        order = [host for host, when in gates if when == "before" and host.startswith(prefix)]
        assert len(order) == 3
        assert order[-1] in last
    lines = [line for line in done.err.splitlines() if re.search(r"^\S+ [nm]\d: (flags of|applied)", line)]
    firsts = [next(i for i, line in enumerate(lines) if f" {prefix}" in line) for prefix in "nm"]
    assert max(firsts) < 4, f"one cluster waited for the other: {lines}"


def test_nospace_is_disarmed_after_the_defragmentation_and_a_write_works(
    new_lab: Any, tmp_path: Path
) -> None:
    lab = new_lab()
    quota = playbook(
        tmp_path, "- hosts: etcd\n  tasks:\n    - etcd_flags: {set: {quota-backend-bytes: 16777216}}\n"
    )
    assert remediate("run", quota, "-i", lab.inventory, "--yes").code == 0
    fill = (
        'export ETCDCTL_API=3; p=/etc/kubernetes/pki/etcd; c="etcdctl --endpoints=https://127.0.0.1:2379 '
        '--cacert=$p/ca.crt --cert=$p/healthcheck-client.crt --key=$p/healthcheck-client.key"; '
        "head -c 1000000 /dev/zero | tr '\\0' x >/tmp/v; i=0; "
        'while [ $i -lt 40 ]; do $c put big -- <"/tmp/v" || break; i=$((i+1)); done; '
        "$c compact $($c get big -w fields | sed -n 's/^\"Revision\" : //p'); $c alarm list"
    )
    said = lab.ssh("n1", fill, check=False)
    assert "NOSPACE" in said
    book = playbook(
        tmp_path, "- hosts: etcd\n  tasks:\n    - etcd_defrag: {min_size: 1MiB, min_fragmentation: 10%}\n"
    )
    done = remediate("run", book, "-i", lab.inventory, "--yes", "--output", "json")
    assert done.code == 0, done.err
    summaries = [c["summary"] for host in done.document["hosts"].values() for c in host["changes"]]
    assert any(text.startswith("disarm NOSPACE") for text in summaries)
    assert lab.etcdctl("n1", "alarm", "list").get("alarms") is None
    assert lab.etcdctl("n1", "put", "after", "1")["header"]["revision"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["run", "nosuch"], 2), (["run", "defrag", "--limit", "n9"], 2), (["run", "defrag", "--check"], 0)],
)
def test_json_is_one_document_with_every_promised_key_whatever_happens(
    lab: Any, arguments: list[str], code: int
) -> None:
    done = remediate(*arguments, "-i", lab.inventory, "--output", "json")
    assert done.code == code
    promised = "run playbook inventory mode outcome seconds hosts measurements findings gates before after"
    assert set(promised.split()) <= done.document.keys()
    assert {"fsync", "commit", "put", "network", "etcd"} <= done.document["measurements"].keys()
