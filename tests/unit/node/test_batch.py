"""Compiling a batch, and taking its output apart again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hypothesis import example, given
from hypothesis import strategies as st

from remediate.facts.base import Fact, Frame
from remediate.facts.batch import compile_batch, split_frames


@dataclass(frozen=True)
class Said(Fact[str]):
    text: str
    cap: ClassVar[int] = 100

    def probe(self) -> str:
        return self.text


@dataclass(frozen=True)
class OfEtcd(Said):
    needs: ClassVar[tuple[str, ...]] = ("etcd",)
    timeout: ClassVar[int] = 0


FACTS = [Said("a"), Said("b"), Said("c")]


def test_the_prelude_is_loaded_once_and_after_facts_that_need_nothing() -> None:
    script = compile_batch([OfEtcd("echo 0"), Said("echo 1"), OfEtcd("echo 2")], "mark")
    order = [
        line for line in script.splitlines() if line.startswith(("b_guard 1", "b_inline ", "etcd_print()"))
    ]
    assert [line.split()[:2] for line in order] == [
        ["b_guard", "1"],
        ["etcd_print()", "{"],
        ["b_inline", "0"],
        ["b_inline", "2"],
    ]


def test_the_same_facts_make_the_same_script_but_for_the_mark() -> None:
    assert compile_batch(FACTS, "one").replace("b_mark=one", "b_mark=two") == compile_batch(FACTS, "two")


def test_frames_come_apart() -> None:
    output = "noise\nmark 0\nx\nmark 0 0\nmark 1\nno end of linemark 1 7\nmark 2\nbroken"
    assert split_frames(output, "mark", FACTS) == ({0: Frame("x\n"), 1: Frame("no end of line", 7)}, 2)


def test_nothing_is_nothing() -> None:
    assert split_frames("", "mark", FACTS) == ({}, None)


def test_the_cap_is_the_fact_s_own() -> None:
    frames, _ = split_frames(f"mark 0\n{'x' * 101}mark 0 0\nmark 1\n{'x' * 100}mark 1 0\n", "mark", FACTS)
    assert frames == {0: Frame("x" * 100, truncated=True), 1: Frame("x" * 100)}


@given(st.lists(st.tuples(st.text(alphabet="mark 0123\nx"), st.integers(0, 255)), max_size=3), st.data())
def test_any_output_is_understood(frames: list[tuple[str, int]], data: st.DataObject) -> None:
    """What probes print comes back as it was, unless it holds the random mark itself; no text breaks the parser."""
    output = "".join(f"MARK {i}\n{out}MARK {i} {rc}\n" for i, (out, rc) in enumerate(frames))
    whole = {i: Frame(out[:100], rc, truncated=len(out) > 100) for i, (out, rc) in enumerate(frames)}
    assert split_frames(output, "MARK", FACTS) == (whole, None)
    cut = data.draw(st.integers(0, len(output)))
    some, _ = split_frames(output[:cut], "MARK", FACTS)
    assert some.items() <= whole.items()


@given(st.text(alphabet="MARK 0129\n"))
@example("MARK 9\nMARK 9 0\n")
@example("MARK 9\n")
def test_a_host_that_forges_marks_breaks_nothing(output: str) -> None:
    whole, broken = split_frames(output, "MARK", FACTS)
    assert set(whole) <= {0, 1, 2} and broken in {None, 0, 1, 2}
