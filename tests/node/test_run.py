"""Scripts over a real sshd: all or nothing, bounded, and never in doubt about what happened."""

from __future__ import annotations

import os
import re
import resource
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from remediate.errors import ChangeFailed, Unreachable
from remediate.node.api import Node
from remediate.node.connector import Connector
from remediate.node.exchange import Exchange
from remediate.node.login import envelope
from remediate.node.ssh import SshNode
from tests.node.conftest import Users
from tests.node.sshd import Sshd, descendants

Connect = Callable[..., SshNode]


def test_it_is_a_node(connect: Connect) -> None:
    node: Node = connect()
    assert node.name == "n1"


def test_output_errors_and_exit_code_come_back_apart(connect: Connect) -> None:
    done = connect().run("echo out; echo err >&2; exit 3", ok=None)
    assert (done.out, done.err, done.rc, done.truncated) == (b"out\n", b"err\n", 3, False)


def test_one_channel_per_exec(connect: Connect, server: Sshd) -> None:
    before = server.log.count("Starting session")
    node = connect()
    for number in (1, 2, 3):
        node.run(":")
        assert node.execs == number
    assert server.log.count("Starting session") - before == 3


@pytest.mark.parametrize(("ok", "fails"), [((0,), True), ((0, 7), False), (None, False)])
def test_an_exit_code_that_is_not_accepted_fails_with_what_was_said(
    connect: Connect, ok: tuple[int, ...] | None, fails: bool
) -> None:
    node = connect()
    if not fails:
        assert node.run("exit 7", ok=ok).rc == 7
        return
    with pytest.raises(ChangeFailed, match=r"^n1: exit code 7: no such \\x1b\[31mthing$"):
        node.run("printf 'no such \\033[31mthing' >&2; exit 7", ok=ok)


def test_a_killed_script_has_no_exit_code(connect: Connect) -> None:
    assert connect().run("kill -KILL $$", ok=None).rc == -1


def test_children_find_no_script_on_their_input(connect: Connect) -> None:
    assert connect().run("cat; echo end").out == b"end\n"


def test_tools_speak_plainly_and_those_of_root_are_found(connect: Connect) -> None:
    assert connect().run("env | grep ^LC_; command -v sysctl").out == b"LC_ALL=C\n/usr/sbin/sysctl\n"


def test_a_script_may_be_larger_than_an_argument(connect: Connect) -> None:
    """128 KiB is the kernel's limit for one argument (MAX_ARG_STRLEN)."""
    script = "".join(f"x{number}='{'y' * 90}'\n" for number in range(4000)) + "echo $x3999"
    assert len(script) > 300_000
    assert connect().run(script).out == b"y" * 90 + b"\n"


def test_bytes_that_are_no_text_are_kept_and_shown_escaped(connect: Connect) -> None:
    done = connect().run(r"printf 'a\377\200z'")
    assert done.out == b"a\xff\x80z" and done.text == "a\\xff\\x80z"


def test_a_time_out_closes_the_channel(connect: Connect) -> None:
    node, began = connect(), time.monotonic()
    with pytest.raises(ChangeFailed, match=r"n1: no end after 0\.5 s"):
        node.run("sleep 60", timeout=0.5)
    assert time.monotonic() - began < 3
    assert node.run("echo on").out == b"on\n"


def test_what_prints_after_its_time_out_ends(connect: Connect, shared: Path) -> None:
    pid = shared / "pid"
    with pytest.raises(ChangeFailed) as kept:  # with its traceback, which holds the channel
        connect().run(f"echo $$ >{pid}; while echo on; do sleep 0.1; done", timeout=0.5)
    stat = Path(f"/proc/{pid.read_text().strip()}/stat")
    deadline = time.monotonic() + 5
    while stat.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not stat.exists() and kept


def test_a_process_left_behind_does_not_hold_the_exec(connect: Connect) -> None:
    began = time.monotonic()
    assert connect().run("sleep 20 & echo started").out == b"started\n"
    assert time.monotonic() - began < 5


def test_closed_output_is_not_the_end(connect: Connect, shared: Path) -> None:
    done = connect().run("exec >&- 2>&-; sleep 1; exit 5", ok=None)
    assert done.rc == 5 and done.seconds > 0.9


@pytest.mark.parametrize("flood", ["head -c 10G /dev/zero", "yes | tr -d '\\n'", "yes >&2"])
def test_a_flood_is_bounded_in_time_and_memory(connect: Connect, flood: str) -> None:
    node, began = connect(), time.monotonic()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = node.run(flood, ok=None, cap=1024 * 1024)
    assert done.truncated and done.rc == -1
    assert 1024 * 1024 <= len(done.out) + len(done.err) < 1.1 * 1024 * 1024
    assert time.monotonic() - began < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30 * 1024
    with pytest.raises(ChangeFailed, match="cut off"):
        node.run(flood, cap=1024 * 1024)


def test_a_connection_cut_in_mid_command_leaves_the_outcome_unknown(
    connect: Connect, server: Sshd, shared: Path
) -> None:
    count = shared / "count"
    node = connect()
    cut = threading.Timer(1, _cut, [server])
    cut.start()
    with pytest.raises(Unreachable, match="outcome is unknown"):
        node.run(f"echo once >>{count}; sleep 30", timeout=20)
    cut.join()
    assert node.run(f"cat {count}").out == b"once\n"  # connected anew, and nothing was run twice


def _cut(server: Sshd) -> None:
    """Kill the sshd of every connection."""
    for pid in descendants(server.pid):
        if Path(f"/proc/{pid}/comm").read_text() == "sshd\n":
            os.kill(pid, signal.SIGKILL)


def test_a_connection_that_died_while_idle_is_opened_anew(connect: Connect, server: Sshd) -> None:
    node = connect()
    node.run(":")
    _cut(server)
    assert node.run("echo back").out == b"back\n"


def test_a_frozen_host_costs_no_more_than_the_time_out(connect: Connect, server: Sshd) -> None:
    """Its kernel still acknowledges every packet, and sshd never answers."""
    node = connect()
    node.run(":")
    frozen = descendants(server.pid)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        with pytest.raises((Unreachable, ChangeFailed), match=r"^n1: "):
            node.run("echo never", timeout=1)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    assert time.monotonic() - began < 8  # the channel's own time-out is the connection's, 5 s here


def test_sshd_that_never_starts_the_command(connect: Connect, server: Sshd) -> None:
    node = connect()
    channel = node._link.channel()
    frozen = descendants(server.pid)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        with pytest.raises(Unreachable, match=r"^n1: sshd started no command"):
            Exchange(channel, "n1", timeout=0.5, cap=100).start("echo never")
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("share", [0.3, 0.999])
def test_half_a_script_runs_nothing(
    connector: Connector, server: Sshd, users: Users, shared: Path, share: float
) -> None:
    first = shared / "first"
    data = envelope(f"touch {first}\n" + ": padding\n" * 2000)
    node = connector.connect(server.settings(users.plain))
    with node._exchange(10, 1000) as exchange:
        exchange.send(data[: int(len(data) * share)])
        if share < 0.5:
            node.close()  # the connection is cut
        else:
            exchange.end_input()
            assert exchange.complete().rc == 2
    time.sleep(0.5)
    assert not first.exists()


def test_follow_hands_over_lines_as_they_come(connect: Connect) -> None:
    seen: list[tuple[str, float]] = []
    script = "echo one; sleep 1; printf 'two\\nthree'"
    done = connect().follow(script, lambda line: seen.append((line, time.monotonic())), timeout=20)
    assert [line for line, _ in seen] == ["one", "two", "three"]
    assert seen[1][1] - seen[0][1] > 0.8
    assert done.out == b"one\ntwo\nthree"


def test_follow_renews_the_lease_and_its_end_ends_the_load(connect: Connect, shared: Path) -> None:
    gone = shared / "gone"
    script = f"while read -r lease; do echo lease; done; : >{gone}"
    node = connect()
    leases: list[str] = []

    def until_third(line: str) -> None:
        leases.append(line)
        if len(leases) == 3:
            node.close()

    with pytest.raises(Unreachable):
        node.follow(script, until_third, timeout=30, keepalive=0.2)
    deadline = time.monotonic() + 5
    while not gone.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert leases == ["lease"] * 3 and gone.exists()


def test_follow_fails_as_run_does(connect: Connect) -> None:
    with pytest.raises(ChangeFailed, match=re.escape("n1: exit code 4: why")):
        connect().follow("echo why >&2; exit 4", lambda _: None, timeout=10)
