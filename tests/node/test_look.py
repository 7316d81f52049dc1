"""Looks over a real sshd: one channel, and each probe alone with its trouble."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from remediate.engine.events import Event, Looked
from remediate.engine.world import Fleet
from remediate.errors import Refused, Unreachable
from remediate.facts.base import Fact, FactError, Frame
from remediate.facts.look import look
from remediate.inventory import Host
from remediate.node.clock import SystemClock
from remediate.node.ssh import SshNode
from tests.node.conftest import Users
from tests.node.sshd import Sshd

Connect = Callable[..., SshNode]


@dataclass(frozen=True)
class Said(Fact[str]):
    """What a probe printed."""

    text: str
    timeout: int = 10
    cap: int = 1000

    def probe(self) -> str:
        return self.text

    def parse(self, frame: Frame) -> str:
        if frame.rc == 3:
            raise FactError("it is not there")
        if "raw" in self.text:
            raise RuntimeError(frame.out)
        if frame.truncated:
            return f"{len(frame.out)} and more"
        return str(int(frame.out)) if "number" in self.text else frame.out


@pytest.fixture
def rooted(connect: Connect, users: Users) -> Callable[[], SshNode]:
    """Log in as an own user and become root, as most nodes are reached."""
    return lambda: connect(users.free, become=True)


def running(pids: Path) -> list[str]:
    """Those of the processes listed in a file that still run; a zombie does not."""
    stats = [Path(f"/proc/{pid}/stat") for pid in pids.read_text().split()]
    return [stat.parent.name for stat in stats if stat.exists() and stat.read_text().split()[2] != "Z"]


def test_all_facts_come_in_one_channel(rooted: Callable[[], SshNode]) -> None:
    facts = [Said(f"echo {number}", timeout=number % 2) for number in range(20)]
    node = rooted()
    seen = look(node, [*facts, *facts])
    assert [seen[fact] for fact in facts] == [f"{number}\n" for number in range(20)]
    assert node.execs == 1 and seen.host == "n1"


FINE = Said("printf fine"), Said("read -r x </proc/sys/kernel/ostype; echo $x", timeout=0)


@pytest.mark.parametrize(
    ("bad", "why", "execs"),
    [
        (Said("sleep 100; echo late", timeout=1), "Said: no answer within 1 s", 1),
        (
            Said("trap '' TERM HUP INT; while :; do sleep 100; done", timeout=1),
            "Said: no answer within 1 s",
            1,
        ),
        (Said("exit 3"), "it is not there", 1),
        (Said("nosuchcommand; exit 3"), "it is not there", 1),
        (Said("echo $(", timeout=5), "Said: not understood", 1),
        (Said("echo no number"), "Said: its output is not understood (ValueError: invalid literal", 1),
        (
            Said("printf '\\033[2J no number'"),
            "(ValueError: invalid literal for int() with base 10: '\\x1b[2J",
            1,
        ),
        (Said("printf '\\033[2Jraw'"), "(RuntimeError: \\x1b[2Jraw)", 1),
        (Said("exit 1", timeout=0), "Said: its probe ended the shell", 2),
        (Said("echo $(", timeout=0), "Said: its probe ended the shell", 2),
        (Said("yes", timeout=20), "cut off", 2),
        (Said("head -c 1G /dev/zero", timeout=20), "cut off", 2),
    ],
    ids=lambda value: value.text if isinstance(value, Said) else None,
)
def test_trouble_costs_only_its_own_value(
    rooted: Callable[[], SshNode], bad: Said, why: str, execs: int
) -> None:
    node = rooted()
    facts = [FINE[0], bad, FINE[1]]
    seen = look(node, facts)
    assert [seen.known(fact) for fact in FINE] == ["fine", "Linux\n"]
    assert node.execs == execs
    if why != "Said: not understood":
        assert why in str(seen.why_unknown(bad)) and "\x1b" not in str(seen.why_unknown(bad))


def test_output_beyond_the_cap_is_marked(rooted: Callable[[], SshNode]) -> None:
    assert look(rooted(), [Said("yes | head -c 5000")])[Said("yes | head -c 5000")] == "1000 and more"


def test_a_probe_cannot_fake_the_frames_of_others(rooted: Callable[[], SshNode]) -> None:
    """A probe that prints the mark, as `set -x` or `env` may, keeps the others' values whole."""
    noisy = Said('echo "$b_mark"; echo "$b_mark 77 0"; echo "$b_mark 1"; set', timeout=0)
    seen = look(rooted(), [noisy, *FINE])
    assert [seen.known(fact) for fact in FINE] == ["fine", "Linux\n"]


def test_a_hanging_probe_is_felled_with_its_children(rooted: Callable[[], SshNode], shared: Path) -> None:
    pids = shared / "pids"
    probe = f"sleep 300 & echo $! >{pids}; (trap '' TERM; sleep 300) & echo $! >>{pids}; wait"
    look(rooted(), [Said(probe, timeout=1)])
    assert len(pids.read_text().split()) == 2 and running(pids) == []


def test_a_probe_that_starts_anew_what_is_killed_is_felled_too(
    rooted: Callable[[], SshNode], shared: Path
) -> None:
    pids = shared / "pids"
    look(rooted(), [Said(f"while :; do sleep 302 & echo $! >>{pids}; wait; done", timeout=1)])
    assert pids.exists() and running(pids) == []


def test_equal_facts_are_read_once(rooted: Callable[[], SshNode], shared: Path) -> None:
    fact = Said(f"echo read >>{shared}/reads")
    look(rooted(), [fact, Said("echo"), fact])
    assert (shared / "reads").read_text() == "read\n"


def test_a_broken_connection_leaves_no_probe_behind(rooted: Callable[[], SshNode], shared: Path) -> None:
    pids = shared / "pids"
    node = rooted()
    threading.Timer(1, node.close).start()
    with pytest.raises(Unreachable):
        look(node, [Said(f"echo $$ >{pids}; sleep 301 & echo $! >>{pids}; wait", timeout=60)])
    deadline = time.monotonic() + 5
    while running(pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(pids.read_text().split()) == 2 and running(pids) == []


def test_a_look_leaves_no_process(rooted: Callable[[], SshNode]) -> None:
    node = rooted()
    group = Said("read -r a b c d e group f </proc/self/stat; echo $group", timeout=0)  # the session's number
    seen = look(node, [group, Said("echo a"), Said("echo b"), Said("sleep 50", timeout=1)])
    node.close()
    time.sleep(0.3)
    left = subprocess.run(
        ["ps", "-o", "args=", "-s", seen[group].strip()], capture_output=True, text=True, check=False
    )
    assert [line for line in left.stdout.splitlines() if "<defunct>" not in line] == []


def test_without_root_nothing_is_read(connect: Connect, users: Users, shared: Path) -> None:
    """Half of a host reads like a host on which nothing is to be done."""
    probes = [Said(f"touch {shared}/read", timeout=0), Said(f"touch {shared}/read")]
    for settings in ({}, {"become": True, "become_user": users.plain}):
        with pytest.raises(Refused) as refused:
            look(connect(users.free, **settings), probes)
        assert str(refused.value) == "n1: not root there: set ansible_become: true (or log in as root)"
    assert refused.value.exit_code == 4 and not list(shared.iterdir())


def test_the_observer_is_told_the_host_s_name_once(connect: Connect, users: Users) -> None:
    told: list[Event] = []

    class Told:
        def on(self, event: Event) -> None:
            told.append(event)

    host = Host("n1", {})
    fleet = Fleet({"n1": host}, lambda _: connect(users.plain), SystemClock(), Told(), 1)
    answers = fleet.look({"n1": FINE})
    assert str(answers["n1"]).startswith("n1: not root there")
    assert [event.error for event in told if isinstance(event, Looked)] == [
        "not root there: set ansible_become: true (or log in as root)"
    ]


def test_a_diagnosis_without_root_finds_nothing(server: Sshd, users: Users, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        f"etcd: {{hosts: {{n1: }}, vars: {{ansible_host: 127.0.0.1, ansible_port: {server.port},\n"
        f"  ansible_user: {users.plain}, ansible_ssh_private_key_file: {server.user_key},\n"
        f"  ansible_ssh_common_args: -o UserKnownHostsFile={server.known}}}}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "remediate", "diagnose", "-i", inventory],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4 and "not root there: set ansible_become: true" in done.stdout, done.stderr
    assert "CRITICAL" not in done.stdout and "Cluster" not in done.stdout
