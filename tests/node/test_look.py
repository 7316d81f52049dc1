"""Looks over a real sshd: one channel, and each probe alone with its trouble."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from remediate.errors import Unreachable
from remediate.facts.base import Fact, FactError, Frame
from remediate.facts.look import look
from remediate.node.ssh import SshNode
from tests.node.conftest import Users

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


def running(pids: Path) -> list[str]:
    """Those of the processes listed in a file that still run; a zombie does not."""
    stats = [Path(f"/proc/{pid}/stat") for pid in pids.read_text().split()]
    return [stat.parent.name for stat in stats if stat.exists() and stat.read_text().split()[2] != "Z"]


def test_all_facts_come_in_one_channel(connect: Connect) -> None:
    facts = [Said(f"echo {number}", timeout=number % 2) for number in range(20)]
    node = connect()
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
def test_trouble_costs_only_its_own_value(connect: Connect, bad: Said, why: str, execs: int) -> None:
    node = connect()
    facts = [FINE[0], bad, FINE[1]]
    seen = look(node, facts)
    assert [seen.known(fact) for fact in FINE] == ["fine", "Linux\n"]
    assert node.execs == execs
    if why != "Said: not understood":
        assert why in str(seen.why_unknown(bad)) and "\x1b" not in str(seen.why_unknown(bad))


def test_output_beyond_the_cap_is_marked(connect: Connect) -> None:
    assert look(connect(), [Said("yes | head -c 5000")])[Said("yes | head -c 5000")] == "1000 and more"


def test_a_probe_cannot_fake_the_frames_of_others(connect: Connect) -> None:
    """A probe that prints the mark, as `set -x` or `env` may, keeps the others' values whole."""
    noisy = Said('echo "$b_mark"; echo "$b_mark 77 0"; echo "$b_mark 1"; set', timeout=0)
    seen = look(connect(), [noisy, *FINE])
    assert [seen.known(fact) for fact in FINE] == ["fine", "Linux\n"]


def test_a_hanging_probe_is_felled_with_its_children(connect: Connect, shared: Path) -> None:
    pids = shared / "pids"
    probe = f"sleep 300 & echo $! >{pids}; (trap '' TERM; sleep 300) & echo $! >>{pids}; wait"
    look(connect(), [Said(probe, timeout=1)])
    assert len(pids.read_text().split()) == 2 and running(pids) == []


def test_a_probe_that_starts_anew_what_is_killed_is_felled_too(connect: Connect, shared: Path) -> None:
    pids = shared / "pids"
    look(connect(), [Said(f"while :; do sleep 302 & echo $! >>{pids}; wait; done", timeout=1)])
    assert pids.exists() and running(pids) == []


def test_equal_facts_are_read_once(connect: Connect, shared: Path) -> None:
    fact = Said(f"echo read >>{shared}/reads")
    look(connect(), [fact, Said("echo"), fact])
    assert (shared / "reads").read_text() == "read\n"


def test_a_broken_connection_leaves_no_probe_behind(connect: Connect, shared: Path) -> None:
    pids = shared / "pids"
    node = connect()
    threading.Timer(1, node.close).start()
    with pytest.raises(Unreachable):
        look(node, [Said(f"echo $$ >{pids}; sleep 301 & echo $! >>{pids}; wait", timeout=60)])
    deadline = time.monotonic() + 5
    while running(pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(pids.read_text().split()) == 2 and running(pids) == []


def test_a_look_leaves_no_process(connect: Connect, users: Users) -> None:
    node = connect()
    look(node, [Said("echo a"), Said("echo b"), Said("sleep 50", timeout=1)])
    node.close()
    time.sleep(0.3)
    left = subprocess.run(
        ["ps", "-o", "args=", "-u", users.plain], capture_output=True, text=True, check=False
    )
    assert [line for line in left.stdout.splitlines() if "sh -s" in line or "sleep 50" in line] == []
