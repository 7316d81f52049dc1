"""Display, parallel work, waiting and ssh_config."""

from __future__ import annotations

import threading
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.errors import Refused, Unreachable, UsageProblem
from remediate.node.clock import SystemClock
from remediate.node.display import shown
from remediate.node.parallel import each
from remediate.node.ssh_config import read_ssh_config
from remediate.node.waiting import wait_until

# display


@given(st.one_of(st.text(), st.binary()))
def test_what_is_shown_is_one_harmless_line(said: str | bytes) -> None:
    line = shown(said, limit=40)
    assert all(char == " " or unicodedata.category(char)[0] not in "CZ" for char in line)
    assert len(line) <= 1 + 40 * 10  # an escape is at most 10 characters


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("  two\n lines\r\n", "two lines"),
        ("\x1b]0;title\x07red\x1b[31m", "\\x1b]0;title\\x07red\\x1b[31m"),
        (b"a\xff", "a\\xff"),
        ("right\u202eto left", "right\\u202eto left"),
        ("größe ✓", "größe ✓"),
        ("x" * 400, "…" + "x" * 300),
    ],
)
def test_what_is_shown(said: str | bytes, line: str) -> None:
    assert shown(said) == line


# parallel


def test_each_keeps_the_order_and_the_errors() -> None:
    lost = Unreachable("gone")

    def work(item: int) -> int:
        time.sleep((4 - item) / 100)
        if item == 2:
            raise lost
        return item * item

    assert list(each([1, 2, 3], work, forks=8).items()) == [(1, 1), (2, lost), (3, 9)]
    assert each([], work) == {}


def test_each_keeps_to_its_forks() -> None:
    gauge, running, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal running, most
        with gauge:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with gauge:
            running -= 1

    each(range(30), work, forks=4)
    assert most == 4


def test_a_defect_ends_the_work() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 0:
            raise ZeroDivisionError
        done.append(item)
        time.sleep(0.01)

    with pytest.raises(ZeroDivisionError):
        each(range(1000), work, forks=2)
    assert len(done) < 900


# waiting


class ModelClock:
    """Time that goes by only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.mark.parametrize(
    ("ready_at", "answer", "ends_at"),
    [(100, "yes", 100), (103.5, "yes", 104), (110, "yes", 110), (111, None, 110)],
)
def test_waiting_ends_with_the_answer_or_with_the_time(
    ready_at: float, answer: str | None, ends_at: float
) -> None:
    clock = ModelClock()
    assert wait_until(clock, lambda: "yes" if clock.time >= ready_at else None, timeout=10, every=1) == answer
    assert clock.time == ends_at


def test_the_last_sleep_is_not_longer_than_the_time() -> None:
    clock = ModelClock()
    assert not wait_until(clock, lambda: False, timeout=2.5, every=2)
    assert clock.time == 102.5


def test_an_error_ends_the_waiting() -> None:
    def answer() -> bool:
        raise Refused("no")

    with pytest.raises(Refused, match=r"^no$"):
        wait_until(ModelClock(), answer, timeout=10, every=1)


def test_the_system_clock_goes_on() -> None:
    clock = SystemClock()
    began = clock.now()
    clock.sleep(0.02)
    clock.sleep(-1)
    assert 0.02 <= clock.now() - began < 1


# ssh_config


def test_included_files_belong_to_their_place(tmp_path: Path) -> None:
    config = tmp_path / "config"
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10").write_text("Host a\n  User ten\nHost *\n  Port 10\n")
    (tmp_path / "conf.d" / "20").write_text("Include deeper\n")
    (tmp_path / "deeper").write_text("Host b\n  User deep\n")
    (tmp_path / "host-c").write_text("Host c\n  User see\n")
    config.write_text(f"Include conf.d/* {tmp_path}/none\nHost a\n  include=host-c\n  IdentityFile k\n")
    read = read_ssh_config([tmp_path / "missing", config])
    assert (read.lookup("a")["user"], read.lookup("a")["port"]) == ("ten", "10")
    assert read.lookup("a")["identityfile"] == ["k"] and "identityfile" not in read.lookup("c")
    assert read.lookup("b")["user"] == "deep"


def test_files_that_include_one_another_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Include config\n")
    with pytest.raises(UsageProblem, match="include one another"):
        read_ssh_config([tmp_path / "config"])
