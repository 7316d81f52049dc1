"""The generated reference, and quantities as people write them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.task.documentation import documentation
from remediate.task.loader import TaskCatalog
from remediate.task.units import Duration, Share, Size, decode, shown

EXPECTED = """\
greet: Greet people, more or less warmly.

A task of the tests: it has an argument of every kind.

Arguments:
  names: mapping of text to number or text; required
      how often each person is greeted.
  level: number 0…7; default 0
      how warmly.
  tone: one of loud, low; default low
  polite: true or false; default true
  wait: a duration in seconds, written `500ms`, `60s`, `1m`, `2h`, or a bare number of seconds; default 60s
  room: a size in bytes, written `512B`, `100MiB`, `2GiB`, `8GB` (decimal), or a bare number of bytes; default 100MiB
  part: a share from 0 to 1, written `45%` or `0.45`; default 45%
  words: list of number; default []
  letter: the name of a file in `templates/`, whose text is rendered with the host's variables; default none"""


def test_documentation_of_every_kind_of_argument(catalog: TaskCatalog) -> None:
    assert str(documentation("greet", catalog.load("greet"))) == EXPECTED


@pytest.mark.parametrize("name", ["file", "process_priority", "sysctl"])
def test_built_in_tasks_document_every_argument(catalog: TaskCatalog, name: str) -> None:
    found = documentation(name, catalog.load(name))
    assert found.summary.endswith(".")
    assert [one.name for one in found.arguments if not one.about] == []


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (Duration, "60s", 60.0),
        (Duration, "1m", 60.0),
        (Duration, "1.5h", 5400.0),
        (Duration, "250ms", 0.25),
        (Duration, 5, 5.0),
        (Duration, " 5 s ", 5.0),
        (Size, "100MiB", 104857600),
        (Size, "2GB", 2000000000),
        (Size, "512B", 512),
        (Size, 7, 7),
        (Size, "1.5KiB", 1536),
        (Share, "45%", 0.45),
        (Share, 0.45, 0.45),
        (Share, "100%", 1.0),
    ],
)
def test_quantities(kind: Any, written: Any, value: float) -> None:
    found = msgspec.convert(written, kind, dec_hook=decode)
    assert found == pytest.approx(value)
    assert isinstance(found, kind)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (Duration, "60 sec"),
        (Duration, "-1s"),
        (Duration, -1),
        (Duration, True),
        (Duration, ""),
        (Duration, "s"),
        (Duration, float("nan")),
        (Duration, "9" * 50),
        (Size, "100 MB/s"),
        (Size, "1Mib"),
        (Size, []),
        (Share, "101%"),
        (Share, 45),
        (Share, None),
    ],
)
def test_no_quantities(kind: Any, written: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match="expected a"):
        msgspec.convert(written, kind, dec_hook=decode)


@given(
    st.integers(0, 2**50).map(Size)
    | st.integers(0, 86400).map(Duration)
    | st.integers(0, 100).map(lambda n: Share(n / 100))
)
def test_what_is_shown_is_read_again(value: Duration | Size | Share) -> None:
    assert type(value).parse(shown(value)) == pytest.approx(value)
