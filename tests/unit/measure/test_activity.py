"""An activity's script, its watchdog as a real process, and what the node's lines mean."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import pytest

from remediate.errors import Unreachable
from remediate.measure.activity import Activity, Finished, perform, script
from remediate.measure.model import NotMeasured
from remediate.node.api import DEFAULT_CAP, Completed

SLEEP = Activity("sleep", "sleep", "sleep 60", 60)


class Telling:
    """A node that says these lines, whatever it is asked."""

    name = "n1"
    execs = 0

    def __init__(self, *lines: str, error: Exception | None = None) -> None:
        self.lines, self.error, self.said = lines, error, 0

    def follow(
        self,
        script: str,  # noqa: ARG002
        on_line: Callable[[str], None],
        *,
        timeout: float,  # noqa: ARG002
        keepalive: float = 2.0,  # noqa: ARG002
    ) -> Completed:
        for line in self.lines:
            self.said += 1
            on_line(line)
        if self.error:
            raise self.error
        return Completed(0, b"", b"", 0.1)

    def run(
        self, script: str, *, timeout: float = 60, cap: int = DEFAULT_CAP, ok: Collection[int] | None = (0,)
    ) -> Completed:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


def test_a_load_that_ended_gives_its_output_errors_and_exit_code() -> None:
    node = Telling("t", "o one", "o ", "o  two", "t", "e noise", "r 3")
    assert perform(node, SLEEP) == Finished(3, "one\n\n two", "noise")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("m fio debian ", "fio is not installed: apt-get install fio"),
        ("m iperf3 rocky rhel fedora", "iperf3 is not installed: dnf install iperf3"),
        ("x the node does not run systemd", "the node does not run systemd"),
        ("garbage", "the node ended it without a word"),
    ],
)
def test_without_an_exit_code_nothing_was_measured(line: str, why: str) -> None:
    assert perform(Telling("t", "o half a result", line), SLEEP) == NotMeasured("sleep", "n1", why)


def test_a_reason_to_stop_leaves_at_once() -> None:
    node = Telling("t", "t", "t", "o never", "r 0")
    reasons = iter([None, "the leader changed"])
    assert perform(node, SLEEP, stop=lambda: next(reasons)) == NotMeasured(
        "sleep", "n1", "stopped: the leader changed"
    )
    assert node.said == 2


def test_a_broken_connection_is_a_reason_and_no_failure() -> None:
    found = perform(Telling("t", error=Unreachable("the connection broke", where="n1")), SLEEP)
    assert found == NotMeasured("sleep", "n1", "n1: the connection broke")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "../x", "A", "-x", "x" * 70, "x\n"])
def test_a_name_that_is_no_plain_word_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="plain word"):
        script(Activity("x", name, "true", 1))


def test_the_load_reaches_the_node_as_it_is() -> None:
    load = "echo \"$HOME\" '`id`' \\\n  {} % é\n"
    preset = script(Activity("x", "x", load, 1)).partition("\n# Runs one load")[0]
    shown = subprocess.run(
        ["sh", "-c", f'{preset}\nprintf %s "$load"'], capture_output=True, timeout=10, check=True
    )
    assert shown.stdout.decode() == load


def test_a_node_without_systemd_says_so_and_keeps_nothing(tmp_path: Path) -> None:
    text = script(Activity("x", "x", "true", 1)).replace("/run/systemd/system", str(tmp_path / "none"))
    done = subprocess.run(
        ["sh", "-c", text], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=True
    )
    assert done.stdout == b"x the node does not run systemd\n"
    assert not list(Path("/run/remediate").glob("x.*"))


class Watched:
    """watch.sh as a real process group, with a lease of its own."""

    def __init__(self, folder: Path, load: str, lease_seconds: int) -> None:
        self.folder = folder
        (folder / "load").write_text(load)
        self.renew()
        watch = files("remediate.measure").joinpath("watch.sh").read_text("utf-8")
        self.process = subprocess.Popen(
            ["sh", "-c", watch, "watch", str(folder), str(lease_seconds)], start_new_session=True
        )

    def renew(self) -> None:
        seconds = Path("/proc/uptime").read_text().split(".")[0]
        (self.folder / "lease").write_text(f"{seconds}\n")

    def ends_within(self, seconds: float) -> int:
        return self.process.wait(timeout=seconds)

    def close(self) -> None:
        """End the load, which is systemd's part on a node."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=5)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[[str, int], Watched]]:
    """Starts a watchdog in the test's folder."""
    started: list[Watched] = []

    def start(load: str, lease_seconds: int) -> Watched:
        started.append(Watched(tmp_path, load, lease_seconds))
        return started[-1]

    yield start
    for one in started:
        one.close()


Watch = Callable[[str, int], Watched]


def test_the_watchdog_ends_when_the_lease_is_not_renewed(watch: Watch) -> None:
    watched = watch("sleep 60", 2)
    began = time.monotonic()
    assert watched.ends_within(6) == 75
    assert (
        time.monotonic() - began > 0.9
    )  # not before the lease is over, but for the second it was written in


def test_a_renewed_lease_keeps_it(watch: Watch) -> None:
    watched = watch("sleep 60", 2)
    for _ in range(6):
        time.sleep(0.5)
        watched.renew()
    assert watched.process.poll() is None


def test_a_lease_that_was_taken_away_ends_it_at_once(watch: Watch, tmp_path: Path) -> None:
    watched = watch("sleep 60", 30)
    (tmp_path / "lease").unlink()
    assert watched.ends_within(2) == 75


def test_a_load_whose_lease_is_over_does_not_begin(watch: Watch, tmp_path: Path) -> None:
    watch("sleep 60", 30).close()
    (tmp_path / "lease").write_text("0\n")
    (tmp_path / "load").write_text("touch begun")
    text = files("remediate.measure").joinpath("watch.sh").read_text("utf-8")
    done = subprocess.run(["sh", "-c", text, "watch", str(tmp_path), "8"], timeout=5, check=False)
    assert done.returncode == 75
    time.sleep(0.3)
    assert not (tmp_path / "begun").exists()


def test_a_lease_that_is_being_written_does_not_end_it(watch: Watch, tmp_path: Path) -> None:
    watched = watch("sleep 60", 5)
    (tmp_path / "lease").write_text("")
    time.sleep(1)
    assert watched.process.poll() is None


def test_the_result_waits_until_it_is_taken(watch: Watch, tmp_path: Path) -> None:
    watched = watch("echo result; echo noise >&2; exit 3", 30)
    deadline = time.monotonic() + 5
    while not (tmp_path / "ended").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    found = [(tmp_path / name).read_text() for name in ("out", "err", "rc")]
    assert found == ["result\n", "noise\n", "3\n"]
    assert watched.process.poll() is None
    (tmp_path / "taken").touch()
    assert watched.ends_within(2) == 0
