"""Ranges and ports of host names, with Ansible's own functions as the oracle."""

from __future__ import annotations

import pytest
from ansible.parsing.utils.addresses import parse_address
from ansible.plugins.inventory import expand_hostname_range
from hypothesis import given
from hypothesis import strategies as st

from remediate.errors import UsageProblem
from remediate.inventory.names import MAX_HOSTS, check_group_name, expand_hosts, nearest, split_port

from .conftest import calm

LETTERS = st.sampled_from("abcxyzABCXYZ")


@st.composite
def number_ranges(draw: st.DrawFn) -> str:
    first = draw(st.integers(0, 120))
    last = draw(st.integers(first, first + 30))
    width = draw(st.sampled_from([0, len(str(last)), 4]))
    step = draw(st.sampled_from(["", ":1", ":2", ":7"]))
    if width > len(str(first)):
        return f"[{first:0{width}}:{last:0{width}}{step}]"
    return f"[{first}:{last}{step}]"


@st.composite
def letter_ranges(draw: st.DrawFn) -> str:
    first, last = sorted(draw(st.tuples(LETTERS, LETTERS)), key="abcxyzABCXYZ".index)
    return f"[{first}:{last}{draw(st.sampled_from(['', ':2']))}]"


WORDS = st.from_regex(r"[a-z0-9]{0,3}", fullmatch=True)
HOSTS = (
    st.lists(st.one_of(WORDS, number_ranges(), letter_ranges()), min_size=1, max_size=3)
    .map(lambda parts: "h" + "".join(parts))
    .filter(lambda text: text.count("[") < 3)
)


@calm
@given(HOSTS)
def test_ranges_mean_what_they_mean_to_ansible(text: str) -> None:
    assert expand_hosts(text, "here")[0] == (expand_hostname_range(text) if "[" in text else [text])


ADDRESSES = st.one_of(
    HOSTS,
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6)
    .filter(lambda address: address.ipv4_mapped is None)
    .map(lambda address: address.compressed),
    st.from_regex(r"[a-z0-9_.-]{1,8}", fullmatch=True),
    st.from_regex(r"[a-z0-9:\[\].]{1,8}", fullmatch=True),
)


@calm
@given(ADDRESSES, st.sampled_from(["", ":22", ":0", "bracketed"]))
def test_ports_are_where_ansible_sees_them(address: str, port: str) -> None:
    text = f"[{address}]:2222" if port == "bracketed" else address + port
    try:
        expected = parse_address(text, allow_ranges=True)
    except Exception:  # noqa: BLE001 - AnsibleError, and ValueErrors from within
        expected = None
    assert split_port(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n[1:3", "cannot be a host's name"),
        ("n[1]", r"range \[1\] is broken"),
        ("n[1:]", r"range \[1:\] is broken"),
        ("n[1:2:3:4]", "is broken"),
        ("n[3:1]", r"range \[3:1\] is empty"),
        ("n[c:a]", "is empty"),
        ("n[1:3:0]", "step of the range"),
        ("n[1:3:x]", "step of the range"),
        ("n[a:3]", "two numbers or two single letters"),
        ("n[aa:bb]", "two numbers or two single letters"),
        ("n[-1:3]", "two numbers or two single letters"),
        ("n[1:٣]", "two numbers or two single letters"),
        ("n[01:100]", "write both ends with as many digits"),
        ("n[1:99999999]", f"more than {MAX_HOSTS} hosts"),
        ("n[1:999999999999999999999]", "two numbers or two single letters"),
        ("n[1:1000][1:1000]", f"more than {MAX_HOSTS} hosts"),
        ("n1:0", "not between 1 and 65535"),
        ("n1:65536", "not between 1 and 65535"),
        ("n1:", "is no host"),
        ("web-:22", "is no host"),
        ("", "cannot be a host's name"),
        ("-oProxyCommand=reboot", "cannot be a host's name"),
        (".hidden", "cannot be a host's name"),
        ("a/../../b", "cannot be a host's name"),
        ("a b", "cannot be a host's name"),
        ("`reboot`", "cannot be a host's name"),
        ("$(reboot)", "cannot be a host's name"),
        ("a\nb", "cannot be a host's name"),
        ("n1\n", "cannot be a host's name"),
        ("a\x1b[31m", "cannot be a host's name"),
    ],
)
def test_what_is_no_host(text: str, message: str) -> None:
    with pytest.raises(UsageProblem, match=message) as problem:
        expand_hosts(text, "hosts.ini:7")
    assert problem.value.where == "hosts.ini:7"


@pytest.mark.parametrize(
    "name", ["n1", "_n", "müller", "web-", "2001:db8::1", "::1", "fe80::1%eth0", "a.b.example"]
)
def test_what_is_a_host(name: str) -> None:
    assert expand_hosts(name, "here") == ([name], None)


@pytest.mark.parametrize("name", ["", "a\x1b[2J", "a\nb"])
def test_what_is_no_group(name: str) -> None:
    with pytest.raises(UsageProblem, match="cannot be a group's name"):
        check_group_name(name, "here")


def test_nearest_names_the_most_alike_or_the_few() -> None:
    assert nearest("etdc", ["etcd", "control"]) == "did you mean etcd?"
    assert nearest("zzz", ["etcd", "control"]) == "known: control, etcd"
    assert nearest("zzz", [f"n{i}" for i in range(13)]) == ""
    assert nearest("zzz", []) == ""
