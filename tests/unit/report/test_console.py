"""What people read, letter by letter: on a pipe, and on real pseudo-terminals of several widths.

The expected texts lie in `tests/data/report`; where the wording is changed on purpose, read the new text as an operator
would and put it there.
"""

from __future__ import annotations

import io
import json
import os
import pty
import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO

import pytest

from remediate.engine import events
from remediate.engine.result import Mode, RunResult
from remediate.inventory.secret import Secret
from remediate.report import observers
from remediate.report.console import Console
from remediate.report.paper import PlainPaper
from remediate.report.progress import Progress
from remediate.report.redact import escape

from . import scenario

DATA = Path(__file__).parents[2] / "data" / "report"
TIME = re.compile(r"\d\d:\d\d:\d\d ")


def tell(observer: events.Observer, story: Iterable[events.Event]) -> None:
    """Let an observer hear a story."""
    for event in story:
        observer.on(event)


def expected(name: str) -> str:
    """What it must look like; times of day are left out."""
    return (DATA / name).read_text(encoding="utf-8")


def without_times(text: str) -> str:
    """Every dated line as of the same moment."""
    return TIME.sub("hh:mm:ss ", text)


class Terminal:
    """A pseudo-terminal that is read as it is written."""

    def __init__(self) -> None:
        master, slave = pty.openpty()
        self.stream: TextIO = os.fdopen(slave, "w", encoding="utf-8")
        self._master = master
        self._bytes = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._master, 65536)
            except OSError:  # EIO: the other end was closed
                return
            if not chunk:
                return
            self._bytes += chunk

    def text(self) -> str:
        """Everything that was written."""
        self.stream.close()
        self._reader.join(10)
        os.close(self._master)
        return self._bytes.decode().replace("\r\n", "\n")


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> Iterator[Terminal]:
    """A terminal of so many columns."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "COLORTERM", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    yield Terminal()


@pytest.mark.parametrize(
    ("name", "story", "diff", "verbosity"),
    [
        ("run", scenario.run, True, 0),
        ("run-short", scenario.run, False, 0),
        ("run-verbose", scenario.run, False, 1),
        ("diagnosis", scenario.diagnosis, False, 0),
        ("healthy", scenario.healthy, False, 0),
        ("interrupted", scenario.interrupted, True, 0),
        ("interrupted-verbose", scenario.interrupted, False, 2),
        ("empty", scenario.empty, False, 0),
    ],
)
def test_on_a_pipe(name: str, story: partial[Iterator[events.Event]], diff: bool, verbosity: int) -> None:
    """Plain, unwrapped, result on one stream and progress on the other."""
    out, err = io.StringIO(), io.StringIO()
    tell(Console(out, err, escape, diff=diff, verbosity=verbosity), story())
    assert out.getvalue() == expected(f"{name}.out.txt")
    assert without_times(err.getvalue()) == expected(f"{name}.err.txt")
    assert "\x1b" not in out.getvalue() + err.getvalue()


@pytest.mark.parametrize("columns", [80, 120])
def test_on_a_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Coloured and wrapped at the terminal's width; nothing is wider than it."""
    with terminal(monkeypatch, columns) as screen:
        tell(Console(screen.stream, io.StringIO(), escape, diff=True, verbosity=0), scenario.run())
        text = screen.text()
    assert text == expected(f"run-{columns}.ansi")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, plain.splitlines())) <= columns
    assert "\x1b" not in plain
    assert "\x1b[32m       +    - --auto-compaction-mode=periodic" in text or "\x1b[32m+    - --auto" in text


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """no-color.org; no escape code of any kind, in the result as in the progress."""
    with terminal(monkeypatch, 80) as screen:
        monkeypatch.setenv("NO_COLOR", "1")
        tell(Console(screen.stream, screen.stream, escape, diff=True, verbosity=0), scenario.run())
        text = screen.text()
    assert "Before and after" in text
    assert "gate after is closed" in text
    assert "measuring network (6 paths)\n" in text
    assert "\x1b" not in text


def test_the_status_line_gives_way_and_leaves_the_cursor_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long work is shown while it lasts, and is gone when the result is written."""
    with terminal(monkeypatch, 80) as screen:
        out = io.StringIO()
        tell(Console(out, screen.stream, escape, diff=False, verbosity=0), scenario.run())
        text = screen.text()
    assert "measuring network (6 paths)" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") > 0
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_the_result_is_not_written_into_the_status_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both streams on one terminal, as usual: the status line is gone before the other stream is written to."""
    with terminal(monkeypatch, 80) as screen:
        err = os.fdopen(os.dup(screen.stream.fileno()), "w", encoding="utf-8")
        tell(Console(screen.stream, err, escape, diff=False, verbosity=0), scenario.run())
        err.close()
        text = screen.text()
    for heading in ("Cluster lab", "Before and after"):
        shown = text[: text.index(heading)]
        assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") > 0


def test_who_is_asked_sees_what_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the result in a file, the plan is on the terminal too, and no status line is written over the question."""
    with terminal(monkeypatch, 80) as screen:
        out = io.StringIO()
        console = Console(out, screen.stream, escape, diff=False, verbosity=0)
        tell(console, [*scenario.planned(), events.Looking(scenario.HOSTS)])
        time.sleep(0.3)  # several frames of a status line
        text = screen.text()
    assert "Play «Let etcd compact»" in text
    assert "Play «Let etcd compact»" in out.getvalue()
    assert "looking at" not in text


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One document on standard output, in ASCII; what people read on standard error."""
    tell(observers("json", diff=True), scenario.run())
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert out.isascii()
    assert "\x1b" not in out
    assert document["hosts"]["n3"]["error"] == f"n3: {scenario.CLOSED}"
    assert {
        "id": "low-priority",
        "host": "n1",
        "verdict": "helped",
        "why": "gone after new priorities",
        "needs": None,
    } in (document["verdicts"])
    assert "Before and after, cluster lab" in err
    assert "\x1b" not in err


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    """The same as on a pipe, through the command line's own factory."""
    tell(observers("text", diff=True), scenario.run())
    assert capsys.readouterr().out == expected("run.out.txt")


@pytest.mark.parametrize("output", ["text", "json"])
def test_secrets_do_not_leave(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Known ones and those that look so, in diffs of several lines as well."""
    note = events.Note("sudo said: hunter2 is wrong; password=letmein")
    key = "+-----BEGIN PRIVATE KEY-----\n+MIIEvQIBADANBg\n+-----END PRIVATE KEY-----\n"
    secret = scenario.change().__class__("t", "s hunter2", scenario.State.PENDING, key)
    plan = events.Planned("p", (events.HostPlan("n1", "", 1, (secret,)),))
    end = RunResult("r", "p", "i", Mode.CHECK, 1.0, (scenario.HostResult("n1", "", (secret,)),))
    tell(observers(output, diff=True, secrets=[Secret("hunter2")]), [note, plan, events.RunEnded(end)])
    out, err = capsys.readouterr()
    for text in ("hunter2", "letmein", "MIIEvQIBADANBg"):
        assert text not in out + err
    assert "[redacted]" in out


class Slow(io.StringIO):
    """A stream that lets other threads in between any two words."""

    def write(self, text: str) -> int:
        for word in re.split(r"(?<= )", text):
            super().write(word)
            time.sleep(0)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        for text in lines:
            self.write(text)


def test_lines_of_several_threads_stay_whole() -> None:
    """The engine emits from several threads; the observer locks."""
    err = Slow()
    console = Console(io.StringIO(), err, escape, diff=False, verbosity=0)
    words = " ".join(["word"] * 50)

    def emit(name: str) -> None:
        for number in range(20):
            console.on(events.Note(f"{number} {words}", name))

    threads = [threading.Thread(target=emit, args=(f"n{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    lines = without_times(err.getvalue()).splitlines()
    assert len(lines) == 120
    assert all(re.fullmatch(rf"hh:mm:ss n\d: \d+ {words}", line) for line in lines)


def test_progress_in_a_file_is_told_every_ten_seconds() -> None:
    """Not once per step: 100 steps of a second are ten lines."""
    err, moments = io.StringIO(), iter(range(10**6, 10**6 + 200))
    now = [0.0]
    progress = Progress(PlainPaper(err, escape), lambda: now[0])
    for second in range(100):
        now[0] = float(next(moments))
        progress.going("fsync", f"measuring {second} %")
    progress.going("network", "another matter")
    assert len(err.getvalue().splitlines()) == 11
    assert "measuring 90 %" in err.getvalue()
