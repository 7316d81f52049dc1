"""Finding inventories, telling their formats apart, and what is known about where each value comes from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from remediate.errors import UsageProblem
from remediate.inventory import find, load, to_list_json

from .conftest import Put


@pytest.mark.parametrize("extension", ["", ".yml", ".yaml", ".ini"])
def test_find_knows_the_extensions(put: Put, tmp_path: Path, extension: str) -> None:
    path = put(f"inventory/prod{extension}", "n1\n")
    assert find("prod", tmp_path) == path


def test_find_takes_a_folder_and_a_path(put: Put, tmp_path: Path) -> None:
    path = put("elsewhere/hosts", "n1\n")
    (tmp_path / "inventory" / "site").mkdir(parents=True)
    assert find("site", tmp_path) == tmp_path / "inventory" / "site"
    assert find(str(path), tmp_path) == path


def test_a_name_means_the_inventory_folder_first_and_a_path_itself(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, here, below = put("inventory/lab.yml", ""), put("cwd/lab", ""), put("inventory/eu/lab.ini", "")
    monkeypatch.chdir(here.parent)
    assert find("lab", tmp_path) == named
    assert find("./lab", tmp_path) == Path("lab")
    assert find("eu/lab", tmp_path) == below


def test_find_lists_where_it_looked(put: Put, tmp_path: Path) -> None:
    put("inventory/prod.yml", "")
    put("inventory/.gitkeep", "")
    with pytest.raises(UsageProblem) as problem:
        find("prdo", tmp_path)
    text = str(problem.value)
    places = [tmp_path / "inventory" / f"prdo{extension}" for extension in ("", ".yml", ".yaml", ".ini")]
    assert "looked at " + ", ".join([*map(str, places), "prdo"]) in text
    assert "did you mean prod?" in text
    assert problem.value.exit_code == 2
    for name, message in {
        "": "no name",
        "a\0b": "no name",
        "x" * 5000: "no inventory",
        "~nobody-here/x": "home",
    }.items():
        with pytest.raises(UsageProblem, match=message):
            find(name, tmp_path)


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("etcd:\n  hosts: {n1: }\n", {"etcd"}),
        ("# comment\n\n---\netcd: {hosts: {n1: }}\n", {"etcd"}),
        ("'etcd':\n  hosts: {n1: }\n", {"etcd"}),
        ("{etcd: {hosts: {n1: }}}\n", {"etcd"}),
        ("%YAML 1.1\n---\netcd: {hosts: {n1: }}\n", {"etcd"}),
        ("[etcd]\nn1\n", {"etcd"}),
        ("n1:2222\n", set()),
        ("n1 note='a: b'\n[etcd]\nn1\n", {"etcd"}),
        ("[2001:db8::1]:22\n", set()),
        ("; comment: with a colon\nn1\n", set()),
    ],
)
def test_without_an_extension_the_first_line_tells_the_format(put: Put, text: str, groups: set[str]) -> None:
    assert set(load(put("hosts", text)).groups) == {"all", "ungrouped", *groups}


def test_an_executable_bit_alone_makes_no_program(put: Put) -> None:
    assert list(load(put("hosts.ini", "n1\n", 0o755)).hosts) == ["n1"]


def test_a_byte_order_mark_is_no_part_of_the_first_name(put: Put) -> None:
    assert list(load(put("hosts.ini", b"\xef\xbb\xbfn1\n")).hosts) == ["n1"]
    assert "etcd" in load(put("hosts.yml", b"\xef\xbb\xbfetcd: {hosts: {n1: }}\n")).groups


def test_magic_variables(put: Put) -> None:
    path = put("hosts.ini", "[etcd]\nn1.example.com\n10.0.0.1\n[eu:children]\netcd\n")
    inventory = load(path)
    host = inventory.hosts["n1.example.com"]
    assert host.groups == ("etcd", "eu")
    assert host.variables["inventory_hostname"] == "n1.example.com"
    assert host.variables["inventory_hostname_short"] == "n1"
    assert inventory.hosts["10.0.0.1"].variables["inventory_hostname_short"] == "10.0.0.1"
    assert host.variables["group_names"] == ["etcd", "eu"]
    assert host.variables["groups"]["eu"] == ["n1.example.com", "10.0.0.1"]
    assert host.variables["inventory_dir"] == str(path.parent)
    assert host.variables["inventory_file"] == str(path)


def test_magic_variables_outrank_the_inventory(put: Put) -> None:
    inventory = load(put("hosts.ini", "n1 inventory_hostname=n2 group_names=x\n"))
    assert inventory.hosts["n1"].variables["inventory_hostname"] == "n1"
    assert inventory.hosts["n1"].variables["group_names"] == ["ungrouped"]


def test_every_value_knows_where_it_comes_from(put: Put) -> None:
    path = put("hosts.yml", "etcd:\n  vars:\n    a: 1\n    b: 1\n  hosts:\n    n1: {b: 2}\n")
    extra = put("group_vars/all.yml", "c: 3\n")
    host = load(path).hosts["n1"]
    assert host.where == f"{path}:6:5"
    assert dict(host.origins) == {"a": f"{path}:3:5", "b": f"{path}:6:10", "c": f"{extra}:1:1"}


def test_relative_names_stay_relative_in_messages(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("inventory/hosts.ini", "[etcd]\nn1\n")
    monkeypatch.chdir(path.parents[1])
    inventory = load("inventory/hosts.ini")
    assert inventory.source == "inventory/hosts.ini"
    assert inventory.hosts["n1"].where == "inventory/hosts.ini:2"
    assert inventory.hosts["n1"].variables["inventory_dir"] == str(path.parent)


def test_variable_files_stand_beside_a_linked_inventory(put: Put, tmp_path: Path) -> None:
    real = put("real/hosts.ini", "n1\n")
    put("real/host_vars/n1.yml", "a: beside the real file\n")
    put("linked/host_vars/n1.yml", "a: beside the link\n")
    link = tmp_path / "linked" / "hosts.ini"
    link.symlink_to(real)
    assert load(link).hosts["n1"].variables["a"] == "beside the link"  # as Ansible


def test_names_cannot_leave_the_variable_folders(put: Put) -> None:
    put("secret.yml", "a: 1\n")
    inventory = put("inv/hosts.yml", "'../secret': {hosts: {n1: }}\n")
    put("inv/group_vars/x.yml", "b: 1\n")
    assert "a" not in load(inventory).hosts["n1"].variables


def test_inventories_cannot_be_changed(put: Put) -> None:
    inventory = load(put("hosts.ini", "[etcd]\nn1 a=1\n"))
    for mapping in (inventory.hosts, inventory.groups, inventory.hosts["n1"].variables):
        with pytest.raises(TypeError):
            mapping["x"] = 1  # type: ignore[index]


def test_values_are_kept_out_of_representations(put: Put) -> None:
    inventory = load(put("hosts.ini", "n1 ansible_become_password=hunter2\n"))
    assert "hunter2" not in repr(inventory) + repr(inventory.hosts["n1"]) + repr(inventory.groups["all"])


def test_unreadable_files_are_named(put: Put, tmp_path: Path) -> None:
    path = put("hosts.ini", "n1\n")
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars" / "n1.yml").symlink_to(tmp_path / "missing")
    with pytest.raises(UsageProblem, match=r"host_vars/n1.yml: cannot be read: No such file"):
        load(path)


def test_without_libyaml(put: Put) -> None:
    """PyYAML may be built without libyaml; its own parser must mean and refuse the same."""
    good = put(
        "hosts.yml",
        "etcd:\n  hosts:\n    n1: &a {d: 2024-01-01, l: [1, 'two', !unsafe '{{ x }}']}\n    n2: *a\n",
    )
    deep = put("deep.yml", "a: " + "[" * 200_000)
    broken = put("broken.yml", "etcd:\n  hosts: {n\x07: }\n")
    code = (
        "import sys, yaml\n"
        "if sys.argv[1] == 'slow': del yaml.CSafeLoader\n"
        "from remediate.errors import UsageProblem\n"
        "from remediate.inventory import load, to_list_json\n"
        "for path in sys.argv[2:]:\n"
        "    try: print(to_list_json(load(path)))\n"
        "    except UsageProblem as problem: print(problem.where)\n"
    )
    fast, slow = (
        subprocess.run(
            [sys.executable, "-c", code, kind, good, deep, broken],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        for kind in ("fast", "slow")
    )
    assert fast == slow
    assert str(deep) in fast


def test_the_list_is_always_unicode(put: Put) -> None:
    """A literal in an INI file can hold half a surrogate pair, which no terminal and no file takes."""
    text = to_list_json(load(put("hosts.ini", 'n1\n[all:vars]\nhalf = "\\ud800"\n')))
    assert json.loads(text.encode())["_meta"]["hostvars"]["n1"]["half"] == "\ud800"
