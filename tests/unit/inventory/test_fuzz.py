"""Whatever the files hold, loading gives an inventory or one line; never a traceback."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.errors import UsageProblem
from remediate.inventory import graph, load, to_list_json
from remediate.inventory.build import Builder
from remediate.inventory.script import take_output

from .conftest import calm

YAML_BITS = r"""
etcd n1 n[1:3] hosts vars children all ungrouped plugin a b - ? : , { } [ ] & * ! | > # % @ ` ~ " ' << --- ...
!!int !!set !!binary !!timestamp !!omap !!pairs !!str !!float !!bool !!null !vault !unsafe
null yes 1 .inf ansible_group_priority 1e3 0x 2024-01-01 .nan
""".split()  # noqa: SIM905 - as a list nobody could read it
INI_BITS = r"""
[etcd] [etcd:vars] [etcd:children] [a:b] etcd n1 n[1:3] n[a:c] n[:] :22
= ' " # ; \ { } ( ) [ ] , 1 -1 1j ... b'x'
""".split()  # noqa: SIM905
JSON_KEYS = st.sampled_from(
    [
        "etcd",
        "all",
        "ansible_group_priority",
        "hosts",
        "vars",
        "children",
        "n1",
        "plugin",
        "_meta",
        "a b",
        "-x",
        "n[1:2]",
    ]
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), JSON_KEYS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(JSON_KEYS, inner, max_size=4),
    max_leaves=12,
)


def soup(bits: list[str]) -> st.SearchStrategy[bytes]:
    """Words of a language in any order, with blanks and new lines between them."""
    gaps = st.sampled_from([" ", "", "\n", "\n  ", "\n    ", "\t", "\r\n"])
    return st.lists(st.tuples(gaps, st.sampled_from(bits)), max_size=25).map(
        lambda words: "".join(gap + word for gap, word in words).encode()
    )


def check(name: str, content: bytes, beside: str = "") -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        if beside:
            Path(folder, beside).write_text("[etcd]\nn1\n")
        try:
            inventory = load(Path(folder, beside) if beside else path)
        except UsageProblem as problem:
            assert "\n" not in str(problem)
            return
        assert inventory.hosts
        assert json.loads(to_list_json(inventory))["_meta"]
        assert graph(inventory).startswith("@all:")
        to_list_json(inventory).encode()


@pytest.mark.parametrize("name", ["hosts", "hosts.yml", "hosts.ini", "hosts.json"])
def test_any_bytes(name: str) -> None:
    @calm
    @given(st.binary(max_size=60))
    def run(content: bytes) -> None:
        check(name, content)

    run()


@calm
@given(soup(YAML_BITS))
def test_yaml_soup(content: bytes) -> None:
    check("hosts.yml", content)


@calm
@given(soup(INI_BITS))
def test_ini_soup(content: bytes) -> None:
    check("hosts.ini", content)


@calm
@given(JSON)
def test_any_json(value: object) -> None:
    check("hosts.json", json.dumps(value).encode())


@calm
@given(soup(YAML_BITS))
def test_variable_file_soup(content: bytes) -> None:
    check("group_vars/etcd", content, beside="inventory")


@calm
@given(JSON)
def test_any_json_from_a_program(value: object) -> None:
    try:
        take_output(
            Builder(), value if isinstance(value, dict) else {"etcd": value}, Path("/x"), "x", lambda _: {}
        )
    except UsageProblem as problem:
        assert "\n" not in str(problem)
