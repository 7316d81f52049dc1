"""Loading is quick, and imports only what a source needs."""

from __future__ import annotations

import subprocess
import sys

from .conftest import Put

HEAVY = ("yaml", "jinja2", "msgspec", "paramiko", "subprocess", "difflib", "shlex", "ast")


def python(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_only_what_is_needed_is_imported(put: Put) -> None:
    code = (
        "import sys, remediate.inventory as inventory\n"
        f"loaded = lambda: sorted(set({HEAVY!r}) & set(sys.modules))\n"
        "before = set(loaded())\n"
        "inventory.load(sys.argv[1])\n"
        "print('yaml' in before, 'jinja2' in before, 'subprocess' in before, 'difflib' in before)\n"
        "print('yaml' in sys.modules, 'jinja2' in sys.modules)\n"
    )
    assert python(code, put("hosts.ini", "n1 a=1\n")).split("\n")[:2] == [
        "False False False False",
        "False False",
    ]
    assert python(code, put("hosts.yml", "all: {hosts: {n1: }}\n")).split("\n")[1] == "True False"


def test_a_hundred_hosts_are_cheap(put: Put) -> None:
    """Function calls stand for time, which other programs on the machine would change: 42 000 are 10 ms [measured]."""
    hosts = "".join(
        f"    n{number:03}:\n      ansible_host: 10.0.0.{number}\n      ansible_port: 22\n"
        f"      etcd_member_name: etcd{number}\n      zone: {{name: eu-{number % 3}, rack: {number % 7}}}\n"
        for number in range(100)
    )
    path = put("hosts.yml", f"etcd:\n  vars: {{ansible_user: root}}\n  hosts:\n{hosts}")
    put("group_vars/all.yml", "a: 1\n")
    code = (
        "import sys, cProfile, pstats\n"
        "from remediate.inventory import load\n"
        "import remediate.inventory.yaml_file\n"
        "profile = cProfile.Profile()\n"
        "assert len(profile.runcall(load, sys.argv[1]).hosts) == 100\n"
        "print(pstats.Stats(profile).total_calls)\n"
    )
    assert int(python(code, path)) < 60_000
