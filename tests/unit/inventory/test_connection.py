"""Connection settings: what the ansible_* variables mean here, and what is refused before anything is contacted."""

from __future__ import annotations

import pickle
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.errors import UsageProblem
from remediate.inventory import Host, Secret, load
from remediate.inventory.connection import ConnectionSettings
from remediate.inventory.model import Encrypted, Unsafe
from remediate.inventory.ssh_args import parse_ssh_args

from .conftest import Put, calm


def settings(extra: dict[str, Any] | None = None, **variables: Any) -> ConnectionSettings:
    origins = {name: f"hosts.yml:{line}:5" for line, name in enumerate(variables, 2)}
    return ConnectionSettings.from_host(Host("n1", variables, (), "hosts.yml:1:3", origins), extra)


def refused(**variables: Any) -> str:
    with pytest.raises(UsageProblem) as caught:
        settings(**variables)
    assert caught.value.where.startswith("hosts.yml:")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_the_inventory_does_not_say_stays_open() -> None:
    assert settings() == ConnectionSettings(name="n1", address="n1")


def test_the_usual_variables() -> None:
    found = settings(
        ansible_host="10.0.0.1",
        ansible_port=2222,
        ansible_user="admin",
        ansible_ssh_private_key_file="/keys/id_ed25519",
        ansible_become=True,
        ansible_become_user="root",
        ansible_become_method="sudo",
        ansible_become_password="hunter2",
        ansible_connection="ssh",
        ansible_timeout=7,
        ansible_python_interpreter="/usr/bin/python3",
    )
    assert found == ConnectionSettings(
        name="n1",
        address="10.0.0.1",
        port=2222,
        user="admin",
        private_key=Path("/keys/id_ed25519"),
        become=True,
        become_user="root",
        become_password=Secret("hunter2"),
        connect_timeout=7,
    )


@pytest.mark.parametrize(
    ("variables", "field", "value"),
    [
        (
            {"ansible_host": "a", "ansible_ssh_host": "b"},
            "address",
            "b",
        ),  # the older name outranks, as in Ansible
        ({"ansible_host": "2001:db8::1"}, "address", "2001:db8::1"),
        ({"ansible_host": "fe80::1%eth0"}, "address", "fe80::1%eth0"),
        ({"ansible_host": ""}, "address", "n1"),
        ({"ansible_port": "22"}, "port", 22),
        ({"ansible_ssh_port": 23}, "port", 23),
        ({"ansible_port": None}, "port", None),
        ({"ansible_user": "dom.user@corp.example"}, "user", "dom.user@corp.example"),
        ({"ansible_user": 1000}, "user", "1000"),
        ({"ansible_private_key_file": "~/k"}, "private_key", Path("~/k").expanduser()),
        ({"ansible_private_key_file": "keys/k"}, "private_key", Path("keys/k")),
        ({"ansible_become": "yes"}, "become", True),
        ({"ansible_become": "False"}, "become", False),
        ({"ansible_become": 0}, "become", False),
        ({"ansible_become_pass": 12345}, "become_password", Secret("12345")),
        ({"ansible_ssh_common_args": "-o ProxyJump=bastion"}, "proxy_jump", "bastion"),
        ({"ansible_ssh_extra_args": "-J u@a:22,b"}, "proxy_jump", "u@a:22,b"),
        ({"ansible_ssh_extra_args": "-Ju@[2001:db8::1]:22"}, "proxy_jump", "u@[2001:db8::1]:22"),
        ({"ansible_ssh_common_args": "-o ProxyJump=none"}, "proxy_jump", "none"),
        ({"ansible_ssh_common_args": "-oPort=24"}, "port", 24),
        ({"ansible_ssh_common_args": "-p 24"}, "port", 24),
        ({"ansible_ssh_common_args": "-o 'port 24'"}, "port", 24),
        ({"ansible_ssh_common_args": "-o User=bob"}, "user", "bob"),
        ({"ansible_ssh_common_args": "-l bob"}, "user", "bob"),
        ({"ansible_ssh_common_args": "-i /k"}, "private_key", Path("/k")),
        ({"ansible_ssh_common_args": "-o IdentityFile=/k"}, "private_key", Path("/k")),
        ({"ansible_ssh_common_args": "-o ConnectTimeout=5"}, "connect_timeout", 5),
        (
            {"ansible_ssh_common_args": '-o UserKnownHostsFile="/a /b"'},
            "known_hosts",
            (Path("/a"), Path("/b")),
        ),
        (
            {"ansible_ssh_args": "-C -o ControlMaster=auto -o ControlPersist=60s -o ProxyJump=x"},
            "proxy_jump",
            "x",
        ),
        ({"ansible_connection": "ansible.builtin.ssh"}, "address", "n1"),
        ({"ansible_connection": "paramiko"}, "address", "n1"),
    ],
)
def test_each_way_to_say_it(variables: dict[str, Any], field: str, value: Any) -> None:
    found = settings(**variables)
    assert getattr(found, field) == value
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        # SAFETY, security case 1
        (
            {"ansible_host": "-oProxyCommand=touch /tmp/x"},
            "ansible_host is '-oProxyCommand=touch /tmp/x', expected a host",
        ),
        ({"ansible_host": "`reboot`"}, "expected a host name or an address"),
        ({"ansible_host": "$(reboot)"}, "expected a host name or an address"),
        ({"ansible_host": "a\nb"}, r"ansible_host is 'a\nb', expected a host"),
        ({"ansible_host": "n1\n"}, "expected a host name"),
        ({"ansible_host": "a b"}, "expected a host name"),
        ({"ansible_host": "a;b"}, "expected a host name"),
        ({"ansible_host": "fe80::1%eth0;x"}, "expected a host name"),
        ({"ansible_host": "bücher.example"}, "expected a host name"),
        ({"ansible_host": ["n1"]}, "ansible_host is ['n1'], expected text"),
        ({"ansible_host": True}, "ansible_host is True, expected text (quote it)"),
        ({"ansible_user": "-oProxyCommand=x"}, "expected a user's name"),
        ({"ansible_user": "root;reboot"}, "expected a user's name"),
        ({"ansible_user": "a\nb"}, "expected a user's name"),
        ({"ansible_port": 0}, "ansible_port is 0, expected a port between 1 and 65535"),
        ({"ansible_port": 65536}, "expected a port"),
        ({"ansible_port": "22 -oProxyCommand=x"}, "expected a port"),
        ({"ansible_port": "٢٢"}, "expected a port"),
        ({"ansible_port": -22}, "expected a port"),
        ({"ansible_port": 22.0}, "ansible_port is 22.0, expected text"),
        ({"ansible_ssh_private_key_file": "-i"}, "expected a file's path"),
        ({"ansible_ssh_private_key_file": "/a b"}, "expected a file's path"),
        ({"ansible_ssh_private_key_file": "/a`b`"}, "expected a file's path"),
        ({"ansible_ssh_private_key_file": "/a\n"}, "expected a file's path"),
        ({"ansible_ssh_private_key_file": "~nobody-here/k"}, "known user's home"),
        ({"ansible_timeout": "soon"}, "expected seconds between 1 and 3600"),
        ({"ansible_become": "maybe"}, "ansible_become is 'maybe', expected yes or no"),
        ({"ansible_become_user": "-u"}, "expected a user's name"),
        ({"ansible_become_method": "su"}, "ansible_become_method is 'su', expected sudo"),
        ({"ansible_connection": "local"}, "ansible_connection is 'local', expected ssh"),
        ({"ansible_connection": "docker"}, "ansible_connection is 'docker', expected ssh"),
        # arguments of ssh
        (
            {"ansible_ssh_common_args": "-o ProxyCommand='ssh -W %h:%p b'"},
            "'ProxyCommand' is not accepted (use ProxyJump",
        ),
        ({"ansible_ssh_extra_args": "-oproxycommand=x"}, "'proxycommand' is not accepted (use ProxyJump"),
        (
            {"ansible_ssh_args": "-o LocalCommand=x"},
            "the ssh option 'LocalCommand' is not accepted (accepted: ",
        ),
        ({"ansible_ssh_common_args": "-o PermitLocalCommand=yes"}, "'PermitLocalCommand' is not accepted"),
        ({"ansible_ssh_common_args": "-A"}, "'-A' is not accepted (keys stay where they are)"),
        ({"ansible_ssh_common_args": "-F /tmp/config"}, "'-F' is not accepted"),
        ({"ansible_ssh_common_args": "-o"}, "the ssh option '' is not accepted"),
        ({"ansible_ssh_common_args": "bastion"}, "'bastion' is not accepted"),
        (
            {"ansible_ssh_common_args": "-o 'ProxyJump=b"},
            "cannot be split into arguments: No closing quotation",
        ),
        (
            {"ansible_ssh_common_args": "-J -oProxyCommand=x"},
            "ProxyJump in ansible_ssh_common_args is '-oProxyCommand=x'",
        ),
        ({"ansible_ssh_common_args": "-J a,-b"}, "expected a host name"),
        ({"ansible_ssh_common_args": "-J '`reboot`@a'"}, "expected a user's name"),
        ({"ansible_ssh_common_args": "-J @a"}, "expected a user's name"),
        ({"ansible_ssh_common_args": "-J a:99999"}, "expected a port"),
        ({"ansible_ssh_common_args": "-J"}, "expected a host name"),
        ({"ansible_ssh_common_args": "-o Port=x"}, "Port in ansible_ssh_common_args is 'x', expected a port"),
        ({"ansible_ssh_common_args": "-o StrictHostKeyChecking=sometimes"}, "expected yes or no"),
        ({"ansible_ssh_common_args": "-o UserKnownHostsFile='/a;b'"}, "expected a file's path"),
        # secrets and templates
        ({"ansible_become_password": ["hunter2"]}, "ansible_become_password is no text"),
        (
            {"ansible_become_password": Encrypted("hunter2")},
            "ansible_become_password: the value is encrypted (!vault)",
        ),
        (
            {"ansible_become_password": "{{hunter2"},
            "ansible_become_password: the template cannot be expanded",
        ),
        (
            {"ansible_become_password": "{{hunter2()}}"},
            "ansible_become_password: the template cannot be expanded",
        ),
        ({"ansible_become_password": "{{a}}", "a": "{{hunter2}}"}, "a: the template cannot be expanded"),
        (
            {"ansible_host": "{{ missing }}"},
            "ansible_host: '{{ missing }}' cannot be expanded: 'missing' is undefined",
        ),
        ({"ansible_host": "{{ addres }}", "address": "x"}, "did you mean address?"),
        (
            {"ansible_host": "{{ ansible_host }}"},
            "the variable refers to itself: ansible_host > ansible_host",
        ),
        (
            {"ansible_host": "{{ a }}", "a": "{{ b }}", "b": "{{ a }}"},
            "b: the variable refers to itself: ansible_host > a > b > a",
        ),
        ({"ansible_host": "{{ }}"}, "cannot be expanded: Expected an expression"),
        ({"ansible_host": "{{ lookup('pipe', 'reboot') }}"}, "cannot be expanded: only references"),
        (
            {"ansible_host": "{{ ''.__class__.__mro__ }}"},
            "cannot be expanded: access to attribute '__class__'",
        ),
        ({"ansible_host": "{{ 9**9**9 }}"}, "cannot be expanded: only references"),
        ({"ansible_host": "{{ 'a' * 999999999 }}"}, "cannot be expanded: only references"),
        ({"ansible_host": "{% for i in x %}{% endfor %}"}, "cannot be expanded: only references"),
        ({"ansible_host": "{% set x = 1 %}"}, "cannot be expanded: only references"),
        ({"ansible_host": "{{ a | tojson }}", "a": 1}, "cannot be expanded: No filter named 'tojson'"),
        ({"ansible_host": "{{ a | int }}", "a": "-1"}, "ansible_host is '-1', expected a host name"),
        (
            {"ansible_host": "{{ a | replace('x', a) }}", "a": "x"},
            "cannot be expanded: No filter named 'replace'",
        ),
        ({"ansible_host": "{{ 5 | first }}"}, "cannot be expanded: 'int' object is not iterable"),
        ({"ansible_host": "{{ 5 | lower(1) }}"}, "cannot be expanded: "),
        ({"ansible_host": "{{ " + "(" * 5000 + " }}"}, "cannot be expanded: "),
        ({"ansible_host": "{{ a.b }}", "a": {}}, "cannot be expanded: 'dict object' has no attribute 'b'"),
        (
            {"ansible_host": "{{ a }}", "a": "-oProxyCommand=x"},
            "ansible_host is '-oProxyCommand=x', expected a host",
        ),
        ({"ansible_host": Unsafe("{{ a }}"), "a": "10.0.0.1"}, "ansible_host is '{{ a }}', expected a host"),
    ],
)
def test_what_is_refused(variables: dict[str, Any], expected: str) -> None:
    text = refused(**variables)
    assert expected in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("variables", "warning"),
    [
        (
            {"ansible_ssh_common_args": "-o StrictHostKeyChecking=no"},
            "StrictHostKeyChecking in ansible_ssh_common_args is ignored",
        ),
        (
            {"ansible_ssh_common_args": "-o StrictHostKeyChecking=off"},
            "is ignored: host keys are always checked",
        ),
        (
            {"ansible_host_key_checking": False},
            "ansible_host_key_checking is ignored: host keys are always checked",
        ),
        ({"ansible_ssh_common_args": "-o StrictHostKeyChecking=accept-new"}, "is taken as yes"),
        ({"ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null"}, "is ignored where it is /dev/null"),
        ({"ansible_password": "hunter2"}, "ansible_password has no effect"),
        ({"ansible_become_flags": "-E"}, "ansible_become_flags has no effect"),
        ({"ansible_ssh_executable": "/tmp/evil"}, "ansible_ssh_executable has no effect"),
        (
            {"ansible_port": 22, "ansible_ssh_common_args": "-p 23"},
            "Port in ansible_ssh_common_args is not used, ansible_port is",
        ),
    ],
)
def test_what_is_not_done_is_told(variables: dict[str, Any], warning: str) -> None:
    found = settings(**variables)
    assert len(found.warnings) == 1
    assert re.match(r"hosts\.yml:\d:5: ", found.warnings[0])
    assert warning in found.warnings[0]
    assert "hunter2" not in found.warnings[0]
    assert found.known_hosts == ()


def test_who_wins_is_as_in_ansible() -> None:
    """ssh takes the first value that it gets: ssh_args, the variables, common args, extra args."""
    every = {
        "ansible_ssh_args": "-p 1",
        "ansible_port": 2,
        "ansible_ssh_common_args": "-p 3",
        "ansible_ssh_extra_args": "-p 4",
    }
    for port in (1, 2, 3, 4):
        assert settings(**every).port == port
        del every[next(iter(every))]


def test_strict_checking_needs_no_warning() -> None:
    assert settings(ansible_ssh_common_args="-o StrictHostKeyChecking=yes").warnings == ()
    assert settings(ansible_ssh_common_args="-o StrictHostKeyChecking=ask").warnings == ()


def test_references_are_expanded() -> None:
    found = settings(
        ansible_host="{{ net }}.{{ last | default(7) }}",
        net="{{ nets['eu'] }}.0",
        nets={"eu": "10.1"},
        ansible_user="{{ users[0].name | lower }}",
        users=[{"name": "ADMIN"}],
        ansible_port="{{ port | int }}",
        port="22",
        ansible_ssh_common_args="-J {{ 'jump' ~ '@' ~ net ~ '.1' }}",
    )
    assert (found.address, found.user, found.port) == ("10.1.0.7", "admin", 22)
    assert found.proxy_jump == "jump@10.1.0.1"


def test_references_do_not_multiply() -> None:
    doubled = {f"a{n}": f"{{{{ a{n + 1} }}}}" * 8 for n in range(15)} | {"a15": "x" * 8}
    assert "more than 65536 characters when it is expanded" in refused(ansible_host="{{ a0 }}", **doubled)
    chain = {f"a{n}": f"{{{{ a{n + 1} }}}}" for n in range(2000)}
    assert "more than 20 variables refer to each other" in refused(ansible_host="{{ a0 }}", **chain)


def test_long_values_are_cut_in_messages() -> None:
    assert len(refused(ansible_host="-" * 10_000)) < 300


def test_extra_variables_outrank_and_may_refer() -> None:
    found = settings({"ansible_user": "{{ team }}"}, ansible_user="nobody", team="ops")
    assert found.user == "ops"
    with pytest.raises(UsageProblem, match=r"^--extra-vars: ansible_port is 'x', expected a port"):
        settings({"ansible_port": "x"})


def test_from_a_real_inventory(put: Put) -> None:
    path = put(
        "lab.yml",
        "etcd:\n"
        "  hosts:\n"
        "    n1: {ansible_host: 10.77.0.11}\n"
        "    n2: {ansible_host: bad host}\n"
        "  vars:\n"
        "    ansible_user: root\n"
        "    ansible_ssh_private_key_file: '{{ inventory_dir }}/id'\n"
        "    ansible_ssh_common_args: -o UserKnownHostsFile={{ inventory_dir }}/known_hosts\n",
    )
    hosts = load(path).hosts
    found = ConnectionSettings.from_host(hosts["n1"])
    assert found.private_key == path.parent / "id"
    assert found.known_hosts == (path.parent / "known_hosts",)
    with pytest.raises(UsageProblem, match=re.escape(f"{path}:4:10: ansible_host is 'bad host'")):
        ConnectionSettings.from_host(hosts["n2"])


def test_secrets_do_not_show(put: Put) -> None:
    secret = Secret("hunter2")
    found = settings(ansible_become_password="hunter2")
    for text in (
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret:>20}",
        repr(found),
        str(found),
        repr([secret]),
    ):
        assert "hunter2" not in text
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert found.become_password is not None
    assert found.become_password.reveal() == "hunter2"
    assert secret == Secret("hunter2") != Secret("other")
    assert secret != "hunter2"


def test_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a process was started")

    for name in ("subprocess.Popen", "os.system", "os.posix_spawn", "os.fork"):
        monkeypatch.setattr(name, fail)
    refused(ansible_host="$(touch /tmp/x)")
    refused(ansible_ssh_common_args="-o ProxyCommand='touch /tmp/x'")
    refused(ansible_host="{{ ''.__class__.__base__.__subclasses__() }}")


NAMES = st.sampled_from(
    [
        *(
            "ansible_host",
            "ansible_port",
            "ansible_user",
            "ansible_become",
            "ansible_become_password",
            "a",
            "b",
        ),
        *(
            "ansible_private_key_file",
            "ansible_ssh_common_args",
            "ansible_ssh_extra_args",
            "ansible_ssh_args",
        ),
        *("ansible_connection", "ansible_timeout"),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.lists(
        st.sampled_from(
            [
                "{{",
                "}}",
                "{%",
                "%}",
                " a ",
                " b",
                "'",
                '"',
                "-o",
                " ",
                "=",
                "ProxyJump",
                "|",
                ".",
                "x",
                "\n",
                "-J",
            ]
        ),
        max_size=9,
    ).map("".join),
)
VALUES = st.one_of(TEXTS, st.integers(), st.booleans(), st.none(), st.floats(), st.lists(TEXTS, max_size=2))


@calm
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_values_give_settings_or_one_line(variables: dict[str, Any]) -> None:
    try:
        found = settings(**variables)
    except UsageProblem as problem:
        assert str(problem)
    else:
        for value in (
            found.address,
            found.user or "x",
            found.proxy_jump or "x",
            str(found.private_key or "x"),
        ):
            assert not value.startswith("-")
            assert not re.search(r"[\s`;$'\"\\\0]", value)


@calm
@given(st.text(max_size=40))
def test_any_arguments_are_taken_or_refused(text: str) -> None:
    try:
        list(parse_ssh_args(text, "here"))
    except UsageProblem as problem:
        assert problem.where == "here"


def test_jinja_is_loaded_only_for_templates() -> None:
    import subprocess

    code = (
        "import sys\n"
        "from remediate.inventory.connection import ConnectionSettings\n"
        "from remediate.inventory.model import Host\n"
        "ConnectionSettings.from_host(Host('n1', {'ansible_user': 'root'}))\n"
        "assert 'jinja2' not in sys.modules\n"
        "ConnectionSettings.from_host(Host('n1', {'ansible_user': '{{ a }}', 'a': 'root'}))\n"
        "assert 'jinja2' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
