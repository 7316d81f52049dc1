"""Broken inventories: each gives one line that says what, where, and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from remediate.errors import UsageProblem
from remediate.inventory import load

from .conftest import Put

YAML = {
    "no mapping at all": ("- n1\n", r":1:1: the inventory is a list, expected a mapping of groups"),
    "text at all": ("just text\n", r":1:1: the inventory is 'just text', expected a mapping of groups"),
    "hosts as a list": (
        "etcd:\n  hosts:\n    - n1\n",
        r":3:5: hosts of group 'etcd' is a list, expected a mapping of names",
    ),
    "group as text": (
        "etcd: n1\n",
        r":1:7: group 'etcd' is 'n1', expected a mapping of hosts, vars and children",
    ),
    "host as text": (
        "etcd: {hosts: {n1: up}}\n",
        r":1:20: host 'n1' is 'up', expected a mapping of variables",
    ),
    "vars as a list": ("etcd:\n  vars: [a]\n  hosts: {n1: }\n", r":2:9: vars of group 'etcd' is a list"),
    "unknown key": (
        "etcd:\n  host: {n1: }\n",
        r":2:3: group 'etcd' has the key 'host'.*did you mean hosts\?",
    ),
    "duplicate group": ("etcd: {hosts: {n1: }}\netcd: {}\n", r":2:1: the key 'etcd' is already on line 1"),
    "duplicate host": (
        "etcd:\n  hosts:\n    n1: {}\n    n1: {}\n",
        r":4:5: the key 'n1' is already on line 3",
    ),
    "duplicate variable": ("etcd: {hosts: {n1: {a: 1, a: 2}}}\n", r":1:27: the key 'a' is already on line 1"),
    "duplicate deep inside": (
        "etcd: {hosts: {n1: {a: {b: [{c: 1, c: 2}]}}}}\n",
        r"the key 'c' is already on line 1",
    ),
    "cycle": (
        "a:\n  children:\n    b:\n      children:\n        c:\n          children:\n            a:\n",
        r":7:13: the groups make a cycle: c > a > b > c|the groups make a cycle: .*a > b > c",
    ),
    "group in itself": ("a:\n  children:\n    a:\n", r":3:5: the groups make a cycle: a > a"),
    "all below a group": (
        "a: {children: {all: }, hosts: {n1: }}\n",
        r":1:1: the groups make a cycle: all > a > all",
    ),
    "host name that is a number": (
        "etcd: {hosts: {17: }}\n",
        r":1:16: the host's name 17 is no text \(quote it\)",
    ),
    "group name that is a number": ("17: {hosts: {n1: }}\n", r":1:1: the group's name 17 is no text"),
    "variable name that is a number": ("etcd: {hosts: {n1: {5: 1}}}\n", r":1:21: 5 is no name of a variable"),
    "list as a key": ("etcd: {[a]: 1}\n", r":1:8: a list or mapping cannot be a key"),
    "no YAML": ("etcd:\n  hosts: {n1: \n", r":3:1: is no valid YAML: .*"),
    "tabs": ("etcd:\n\thosts:\n", r":2:1: is no valid YAML: .*cannot start any token"),
    "unknown tag": ("etcd: {hosts: {n1: {a: !foo 1}}}\n", r":1:24: is no valid YAML: .*!foo"),
    "Python object": (
        "etcd: {vars: {a: !!python/object/apply:os.system [reboot]}}\n",
        r":1:18: is no valid YAML: .*python",
    ),
    "two documents": ("etcd: {hosts: {n1: }}\n---\na: {}\n", r":2:1: a second document begins here"),
    "impossible date": (
        "etcd: {hosts: {n1: {a: 2024-13-45}}}\n",
        r":1:24: the value is no timestamp: .*quote it",
    ),
    "impossible number": ("etcd: {hosts: {n1: {a: !!int x}}}\n", r":1:24: the value is no int"),
    "empty number": ('etcd: {hosts: {n1: {a: !!int ""}}}\n', r":1:24: the value is no int"),
    "alias without anchor": (
        "etcd: {hosts: *nowhere}\n",
        r":1:15: \*nowhere has no finished &nowhere before it",
    ),
    "alias inside its anchor": ("etcd: {vars: &v {a: *v}}\n", r":1:21: \*v has no finished &v"),
    "merge of text": ("etcd: {hosts: {n1: {<<: x}}}\n", r"is no valid YAML: .*for merging"),
    "plugin": (
        "plugin: aws_ec2\nregions: [eu]\n",
        r":1:1: configures an inventory plugin of Ansible.*ansible-inventory -i",
    ),
    "range": ("etcd: {hosts: {'n[1:2': }}\n", r":1:16: 'n\[1:2' cannot be a host's name"),
    "hostile host": (
        "etcd: {hosts: {-oProxyCommand=x: }}\n",
        r":1:16: '-oProxyCommand=x' cannot be a host's name",
    ),
    "priority": (
        "etcd: {vars: {ansible_group_priority: high}}\n",
        r":1:15: ansible_group_priority is 'high'",
    ),
    "endless priority": (
        "etcd: {vars: {ansible_group_priority: .inf}}\n",
        r"is inf, expected a whole number",
    ),
    "control character": (b"etcd:\n  hosts: {n\x07: }\n", r":2: is no YAML: .*not allowed"),
    "no UTF-8": (b"etcd:\n  # caf\xe9\n  hosts: {n1: }\n", r":2: is no UTF-8 text"),
    "empty": ("", r"the inventory names no host"),
    "comments": ("# nothing\n", r"the inventory names no host"),
    "only a group": ("etcd:\n", r"the inventory names no host"),
    "deep": ("a: " + "[" * 500, r"more than 100 levels inside each other"),
    "deep enough to crash libyaml": ("a: " + "[" * 200_000, r":1:\d+: more than 100 levels"),
    "deep in blocks": ("- " * 200_000, r"more than 100 levels"),
    "bomb": (
        "a: &a {vars: {v: &v [x, x, x, x, x, x, x, x, x, x]}}\n"
        + "".join(
            f"{new}: &{new} [*{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}]\n"
            for old, new in zip("vbcdefg", "bcdefgh", strict=True)
        ),
        r":\d+:\d+: more than 1000000 values \(its aliases \(\*\) multiply\)",
    ),
    "encrypted": (
        "$ANSIBLE_VAULT;1.1;AES256\n3364\n",
        r"is encrypted with ansible-vault, which cannot be read here",
    ),
}
INI = {
    "unknown kind": (
        "[etcd:host]\n",
        r":1: section \[etcd:host\] is of an unknown kind.*did you mean hosts\?",
    ),
    "blank in a section": ("[etcd nodes]\n", r":1: '\[etcd nodes\]' is no section"),
    "undefined child": (
        "[site:children]\netdc\n[etcd]\nn1\n",
        r":2: \[site:children\] names the group 'etdc', which is not there \(did you mean etcd\?\)",
    ),
    "variables of no group": (
        "n1\n[etcd:vars]\na=1\n",
        r":2: \[etcd:vars\] is for a group that is not there",
    ),
    "variable without =": ("[all:vars]\nname\n", r":2: 'name' stands where NAME = VALUE was expected"),
    "variable without a name": ("[all:vars]\n= 5\n", r":2: '= 5' stands where NAME = VALUE"),
    "host variable without =": ("n1 admin\n", r":1: 'admin' stands where NAME=VALUE was expected"),
    "quotes": ("n1 a='b\n", r":1: the host's line cannot be split: No closing quotation"),
    "cycle": ("[a:children]\nb\n[b:children]\na\n", r":\d: the groups make a cycle: (a > b > a|b > a > b)"),
    "child with a colon": ("[a:children]\nb:c\n", r":2: 'b:c' stands where the name of a group was expected"),
    "YAML": ("---\netcd:\n", r":1: looks like YAML in an INI inventory"),
    "port": ("n1:99999\n", r":1: the port of 'n1:99999' is not between 1 and 65535"),
    "range": ("n[5:1]\n", r":1: the range \[5:1\] is empty"),
    "hostile host": ("`reboot`\n", r":1: '`reboot`' cannot be a host's name"),
    "no UTF-8": (b"# caf\xe9 is fine here\nn1 a=caf\xe9\n", r":2: the line is no UTF-8 text"),
    "unhashable key": ("[all:vars]\na = {[]: 1}\n", r":2: the value cannot be understood: unhashable"),
    "priority": (
        "[etcd]\nn1\n[etcd:vars]\nansible_group_priority=high\n",
        r":4: ansible_group_priority is 'high'",
    ),
    "empty": ("; nothing\n", r"the inventory names no host"),
    "only groups": ("[etcd]\n", r"the inventory names no host"),
    "empty name": ('""\n', r":1: '' cannot be a host's name"),
    "chain": (
        "n1\n" + "".join(f"[g{i}:children]\ng{i + 1}\n" for i in range(150)) + "[g150]\n",
        r"more than 100 groups inside each other",
    ),
}


def problem(path: Path) -> str:
    """What `load` complains about; everything else that it raises fails the test."""
    with pytest.raises(UsageProblem) as caught:
        load(path)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value), "one line"
    return str(caught.value)


@pytest.mark.parametrize("case", YAML)
def test_yaml(put: Put, case: str) -> None:
    content, expected = YAML[case]
    path = put("hosts.yml", content)
    assert re.search(re.escape(str(path)) + ".*" + expected, problem(path))


@pytest.mark.parametrize("case", INI)
def test_ini(put: Put, case: str) -> None:
    content, expected = INI[case]
    path = put("hosts.ini", content)
    assert re.search(re.escape(str(path)) + ".*" + expected, problem(path))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"etcd": {"hosts": {"n1": {}, "n1": {}}}}', "the key 'n1' is there twice"),
        ('{"etcd": {"hosts": ["n1"]}}', "hosts of group 'etcd' is a list"),
        ('{"etcd": ', ":2:1: is no valid YAML"),
        ('{"a": ' * 300 + "1" + "}" * 300, "more than 100 levels"),
        ('{"a": ' * 5000 + "1" + "}" * 5000, "more than 100 levels"),
        ('{"a": {"vars": {"b": ' + "9" * 5000 + "}}}", "the value is no int"),
    ],
)
def test_json(put: Put, content: str, expected: str) -> None:
    assert expected in problem(put("hosts.json", content))


def test_variable_files(put: Put) -> None:
    inventory = put("hosts.ini", "[etcd]\nn1\n")
    for content, expected in {
        "- a list\n": r"group_vars/etcd.yml:1:1: the file is a list, expected a mapping of variables",
        "a: 1\na: 2\n": r"group_vars/etcd.yml:2:1: the key 'a' is already on line 1",
        "1: 2\n": r"group_vars/etcd.yml:1:1: 1 is no name of a variable",
        "$ANSIBLE_VAULT;1.1;AES256\n33\n": r"group_vars/etcd.yml: is encrypted with ansible-vault.*-K",
    }.items():
        put("group_vars/etcd.yml", content)
        assert re.search(expected, problem(inventory))


def test_what_is_no_file(tmp_path: Path, put: Put) -> None:
    import os

    assert "No such file or directory" in problem(tmp_path / "missing.yml")
    os.mkfifo(tmp_path / "pipe")
    assert "is no regular file" in problem(tmp_path / "pipe")
    assert "is no regular file" in problem(Path("/dev/null"))
    assert "TOML" in problem(put("hosts.toml", "[etcd]\n"))
    assert "is no name of an inventory" in problem(Path("nul\0byte"))
    assert "File name too long" in problem(Path("x" * 5000))
    assert "below the home of an unknown user" in problem(Path("~nobody-here/hosts"))


def test_a_file_that_is_too_large(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remediate.inventory.files.MAX_BYTES", 1024)
    assert "is larger than" in problem(put("hosts.ini", "n1\n" * 400))


def test_folders_in_a_circle(put: Put) -> None:
    folder = put("prod/hosts.ini", "n1\n").parent
    (folder / "again").symlink_to(folder)
    assert "more than 8 folders inside each other" in problem(folder)
