"""Lines of text: wrapping, tables, and words for numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.report.compare import compare
from remediate.report.tables import comparison_lines
from remediate.report.text import Span, line, named, paragraph, plain, seconds, table

from .scenario import look

WORDS = st.lists(st.text(st.sampled_from("abc–"), min_size=1, max_size=9), max_size=30).map(" ".join)


@given(WORDS, st.integers(24, 60))
def test_paragraphs_keep_their_words_and_their_width(text: str, width: int) -> None:
    """Nothing is lost, nothing is wider than the terminal, and what follows is indented as the first line is."""
    lines = [plain(pieces) for pieces in paragraph(line("  remedy  "), text, width)]
    assert " ".join(" ".join(lines).split()) == " ".join(["remedy", *text.split()])
    assert max(map(len, lines)) <= width
    assert all(more.startswith(" " * 10) for more in lines[1:])


@given(WORDS)
def test_paragraphs_in_a_file_are_one_line(text: str) -> None:
    """So that grep finds them."""
    assert len(list(paragraph(line("x "), text, None))) == 1


def test_tables_are_aligned() -> None:
    """Columns start where the widest cell above lets them; the last one is wrapped below itself."""
    rows = [("n1", Span("down", "bad"), "no answer to anything"), ("master-1", "up", "")]
    assert [plain(pieces) for pieces in table(rows, 30)] == [
        "  n1        down  no answer to",
        "                  anything",
        "  master-1  up",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (60, "60 s"),
        (119.4, "119 s"),
        (120, "2 min"),
        (185, "3 min 5 s"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    """As people say them."""
    assert seconds(value) == text


def test_many_hosts_are_counted() -> None:
    """Five are named, six are not."""
    hosts = [f"n{number}" for number in range(1, 7)]
    assert named(hosts[:5]) == "n1, n2, n3, n4, n5"
    assert named(hosts) == "6 hosts"


def test_a_cluster_without_findings_has_no_verdicts() -> None:
    """Only the table."""
    lines = [plain(pieces) for pieces in comparison_lines(compare(look({}), look({})), 100)]
    assert lines[0] == "Before and after, cluster lab"
    assert "What became of the findings" not in lines
