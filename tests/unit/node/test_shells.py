"""What nodes run, in each shell that a node's `sh` may be."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from remediate.errors import Refused
from remediate.facts.base import Fact, Frame
from remediate.facts.look import look
from remediate.node.login import envelope
from tests.unit.node.shells import SHELLS, LocalNode

pytestmark = pytest.mark.parametrize("shell", SHELLS)


@dataclass(frozen=True)
class Said(Fact[tuple[str, int]]):
    """What a probe printed, and its exit code."""

    text: str
    timeout: int = 10

    def probe(self) -> str:
        return self.text

    def parse(self, frame: Frame) -> tuple[str, int]:
        return frame.out, frame.rc


def test_no_beginning_of_a_script_runs_anything(shell: str, tmp_path: Path) -> None:
    node, made = LocalNode(shell, tmp_path), tmp_path / "made"
    script = f"touch {made}\ncat <<'E' >{made}2\ntext\nE\nif true; then touch {made}3; fi\n"
    whole = envelope(script)
    end = whole.rindex(b"}")
    cuts = {end, *random.Random(7).sample(range(end), 40)}  # noqa: S311 (no secret)
    for cut in sorted(cuts):
        with node.start(whole[:cut]) as process:
            process.communicate()
        assert not list(tmp_path.glob("made*")), f"{whole[:cut]!r} ran"
    assert node.run(script).rc == 0 and len(list(tmp_path.glob("made*"))) == 3


def test_a_script_s_exit_code_and_input(shell: str, tmp_path: Path) -> None:
    node = LocalNode(shell, tmp_path)
    assert node.run("cat; echo out; exit 7", ok=(7,)).out == b"out\n"
    assert node.run("(exit 9)", ok=(9,)).rc == 9


def test_a_script_may_go_on_reading_its_input(shell: str, tmp_path: Path) -> None:
    lines: list[str] = []
    node = LocalNode(shell, tmp_path)
    node.follow("read -r a; echo one; read -r b; echo two", lines.append, timeout=9, keepalive=0.1)
    assert lines == ["one", "two"]


def test_each_probe_is_alone_with_its_trouble(shell: str, tmp_path: Path) -> None:
    node = LocalNode(shell, tmp_path)
    fine = [Said("echo inline", timeout=0), Said("printf guarded; (exit 4)"), Said("cat; echo $b_none")]
    hangs = Said("(trap '' TERM; sleep 99); echo late", timeout=1)
    syntax = Said("echo $(")
    ends = Said("exit 5", timeout=0)
    began = time.monotonic()
    seen = look(node, [hangs, fine[0], syntax, ends, *fine[1:]])
    assert [seen[fact] for fact in fine] == [("inline\n", 0), ("guarded", 4), ("\n", 0)]
    assert seen.why_unknown(hangs) == "Said: no answer within 1 s"
    assert seen.why_unknown(ends) == "Said: its probe ended the shell"
    assert seen[syntax][0] == "" and seen[syntax][1] != 0
    assert node.execs == 2 and time.monotonic() - began < 5


def test_without_root_no_probe_runs(shell: str, tmp_path: Path) -> None:
    """In a user namespace that maps nobody, as any user without root's rights is seen by the shell."""
    node, made = LocalNode(shell, tmp_path, "unshare", "--user"), tmp_path / "made"
    with pytest.raises(Refused, match=r"^local: not root there: set ansible_become: true"):
        look(node, [Said(f"touch {made}", timeout=0), Said(f"touch {made}")])
    assert node.execs == 1 and not made.exists()


def test_many_slow_probes_keep_their_own_time(shell: str, tmp_path: Path) -> None:
    """Each has its second; none pays for those before it."""
    node = LocalNode(shell, tmp_path)
    slow = [Said(f"sleep 0.7; echo {number}", timeout=1) for number in range(4)]
    seen = look(node, slow)
    assert [seen[fact] for fact in slow] == [(f"{number}\n", 0) for number in range(4)]


def test_a_probe_ends_when_nobody_waits_for_it(shell: str, tmp_path: Path) -> None:
    from remediate.facts.batch import compile_batch

    pids = tmp_path / "pids"
    probe = Said(f"sleep 98 & echo $! >{pids}; echo $$ >>{pids}; wait", timeout=60)
    later = Said(f"touch {tmp_path}/later")
    node = LocalNode(shell, tmp_path)
    with node.start(envelope(compile_batch([probe, later], "mark"))) as process:
        while not pids.exists() or len(pids.read_text().split()) < 2:
            time.sleep(0.02)
        assert process.stdin
        process.stdin.close()
        process.wait(timeout=5)
        assert process.stdout and process.stderr
        process.stdout.close()
        process.stderr.close()
    assert not (tmp_path / "later").exists()
    states = [Path(f"/proc/{pid}/stat") for pid in pids.read_text().split()]
    assert all(not stat.exists() or stat.read_text().split()[2] == "Z" for stat in states)
