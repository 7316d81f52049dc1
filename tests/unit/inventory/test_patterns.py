"""Patterns for hosts and --limit, with Ansible's inventory manager as the oracle."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from hypothesis import given
from hypothesis import strategies as st

from remediate.errors import UsageProblem
from remediate.inventory import Inventory, load

from .conftest import calm

TEXT = """
[etcd]
n1
n2
n3
[control]
n3
n1
n4
[eu]
n2
n4
e1.example.com
[db_a]
[db_b]
d[1:5]
[db:children]
db_b
db_a
[site:children]
etcd
eu
"""
WORDS = (
    "all",
    "ungrouped",
    "etcd",
    "control",
    "eu",
    "db",
    "db_a",
    "site",
    "n1",
    "n4",
    "d3",
    "e1.example.com",
)
WILD = (
    "*",
    "n*",
    "e*",
    "n?",
    "n[!3]*",
    "d[!1]",
    "db*",
    "~n[13]",
    "~(n|d)[12]$",
    "~e",
    "e1.*",
    "zzz*",
    "~zzz",
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Inventory, InventoryManager]:
    path = tmp_path_factory.mktemp("patterns") / "hosts.ini"
    path.write_text(TEXT)
    return load(path), InventoryManager(DataLoader(), sources=[str(path)])


def ordered(pattern: str, names: list[str]) -> list[str]:
    """The names; sorted where the pattern means "all", whose order Ansible takes from a set two levels down."""
    pieces = re.sub(r"\[.*?\]| ", "", pattern).replace(",", ":").split(":")
    everything = {"all", "*"} & set(pieces) or all(piece[0] in "!&" for piece in pieces)
    return sorted(names) if everything else names


def by_ansible(manager: InventoryManager, pattern: str | list[str], limit: str | None = None) -> list[str]:
    manager.subset(limit)
    manager.clear_caches()
    return [host.name for host in manager.get_hosts(pattern)]


@st.composite
def pieces(draw: st.DrawFn) -> str:
    word = draw(st.one_of(st.sampled_from(WORDS), st.sampled_from(WILD)))
    if word in ("etcd", "control", "db"):  # each has three hosts or more
        word += draw(
            st.sampled_from(["", "", "[0]", "[2]", "[-1]", "[0:1]", "[1:]", "[1:9]", "[5:9]", "[2:2]"])
        )
    return draw(st.sampled_from(["", "", "&", "!"])) + word


@st.composite
def patterns(draw: st.DrawFn) -> str:
    return draw(st.sampled_from([":", ",", ", "])).join(draw(st.lists(pieces(), min_size=1, max_size=4)))


@calm
@given(pattern=patterns(), limit=st.none() | patterns())
def test_patterns_mean_what_they_mean_to_ansible(
    sources: tuple[Inventory, InventoryManager], pattern: str, limit: str | None
) -> None:
    inventory, manager = sources
    found = [host.name for host in inventory.select(pattern, limit)]
    assert ordered(pattern, found) == ordered(pattern, by_ansible(manager, pattern, limit))


@calm
@given(st.lists(patterns(), min_size=1, max_size=3))
def test_lists_of_patterns_too(sources: tuple[Inventory, InventoryManager], several: list[str]) -> None:
    inventory, manager = sources
    found = [host.name for host in inventory.select(several)]
    assert ordered(",".join(several), found) == ordered(",".join(several), by_ansible(manager, several))


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("etcd:!n2", "n1 n3"),
        ("etcd:&eu", "n2"),
        ("eu,etcd,&control", "n4 n1 n3"),
        ("control", "n3 n1 n4"),
        ("etcd[0]", "n1"),
        ("etcd[-1]", "n3"),
        ("etcd[1:]", "n2 n3"),
        ("n1 n2", "n1 n2"),
        ("!etcd", "n4 d1 d2 d3 d4 d5 e1.example.com"),
        ("db_a", ""),
        ("nothing*", ""),
        (f"etcd[{'9' * 5000}]", ""),  # no subscript that long
    ],
)
def test_some_by_hand(sources: tuple[Inventory, InventoryManager], pattern: str, names: str) -> None:
    assert [host.name for host in sources[0].select(pattern)] == names.split()


@pytest.mark.parametrize(
    ("pattern", "limit", "message"),
    [
        ("etdc", None, r"no host or group 'etdc' in the inventory \(did you mean etcd\?\)"),
        ("etcd:!n22", None, r"'n22'.*did you mean n2\?"),
        ("etcd:&ue", None, "'ue'"),
        ("e2.example.com", None, "did you mean e1.example.com"),
        ("etcd", "n11", r"'n11'.*did you mean n1\?"),
        ("n[12]", None, "no host or group 'n'"),  # a subscript, not a wildcard
        ("etcd[3]", None, r"'etcd\[3\]' matches no host \(there are 3, counted from 0\)"),
        ("etcd[-4]", None, "matches no host"),
        ("", None, "pattern for hosts is empty"),
        (" , ", None, "pattern for hosts is empty"),
        ("etcd", "", "--limit is empty"),
        ("etcd", "@/nonexistent/file", "cannot be read: .*No such file"),
        ("etcd:!", None, "without a name behind it"),
        ("~(", None, r"'~\(' is no pattern"),
        ("localhost", None, "no host or group 'localhost'"),
    ],
)
def test_what_matches_nothing_is_told(
    sources: tuple[Inventory, InventoryManager], pattern: str, limit: str | None, message: str
) -> None:
    with pytest.raises(UsageProblem, match=message):
        sources[0].select(pattern, limit)


def test_limit_reads_patterns_from_a_file(
    sources: tuple[Inventory, InventoryManager], tmp_path: Path
) -> None:
    file = tmp_path / "retry"
    file.write_text("n1\n\n n4 \n")
    assert [host.name for host in sources[0].select("all", f"@{file}")] == ["n1", "n4"]
    assert by_ansible(sources[1], "all", f"@{file}") == ["n1", "n4"]
    file.write_text("\n")
    with pytest.raises(UsageProblem, match="names no host"):  # Ansible would take it for no limit at all
        sources[0].select("all", f"@{file}")


@calm
@given(st.text(max_size=12), st.none() | st.text(max_size=6))
def test_any_text_gives_hosts_or_one_line(
    sources: tuple[Inventory, InventoryManager], pattern: str, limit: str | None
) -> None:
    try:
        found = sources[0].select(pattern, limit)
    except UsageProblem as problem:
        assert str(problem)
    else:
        assert len(found) == len({host.name for host in found})
