"""Connections to a real sshd: which host keys, algorithms and user keys are accepted, and what is said otherwise."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from remediate.errors import Unreachable, UsageProblem
from remediate.node import client, login
from remediate.node.connector import ConnectOptions, Connector
from remediate.node.known_hosts import KnownHosts
from remediate.node.parallel import each
from remediate.node.ssh import SshNode
from tests.node.conftest import Users
from tests.node.sshd import Sshd, free_port, make_key, public, sshd

Connect = Callable[..., SshNode]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, without keys, agent and known hosts."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


# Host keys


def test_an_unknown_host_key_stops_before_authentication(connect: Connect, server: Sshd, home: Path) -> None:
    own = home / ".ssh" / "known_hosts"
    before = server.log
    hint = rf"compare it on the machine itself, then: ssh-keyscan -p {server.port} 127.0.0.1 >> {own}"
    with pytest.raises(
        Unreachable, match=r"^n1: its host key ssh-ed25519 SHA256:\S{43} is not known \(" + hint
    ):
        connect(known_hosts=())
    said = server.log.removeprefix(before)
    assert "Connection from" in said and "publickey" not in said


def test_the_fingerprint_is_the_one_that_ssh_keygen_shows(connect: Connect, server: Sshd, home: Path) -> None:
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", server.folder / "host_ed25519.pub"],
        capture_output=True,
        text=True,
        check=True,
    )
    with pytest.raises(Unreachable, match=re.escape(shown.stdout.split()[1])):
        connect(known_hosts=())


def test_a_changed_host_key_names_the_line(connect: Connect, server: Sshd, tmp_path: Path) -> None:
    other = public(make_key(tmp_path / "other"))
    known = tmp_path / "known"
    known.write_text(f"# first\nelsewhere {other}\n[127.0.0.1]:{server.port} {other}\n")
    before = server.log
    with pytest.raises(Unreachable) as refused:
        connect(known_hosts=(known,))
    assert "host key has changed: it shows ssh-ed25519 SHA256:" in str(refused.value)
    assert f"{known}:3 holds another" in str(refused.value)
    assert f"ssh-keygen -f {known} -R '[127.0.0.1]:{server.port}'" in refused.value.hint
    assert "publickey" not in server.log.removeprefix(before)


def test_a_revoked_host_key_is_refused_though_it_is_known(
    connect: Connect, server: Sshd, tmp_path: Path
) -> None:
    known = tmp_path / "known"
    line = server.known.read_text()
    known.write_text(f"{line}@revoked * {public(server.folder / 'host_ed25519')}\n")
    with pytest.raises(Unreachable, match=f"revoked in {known}:2"):
        connect(known_hosts=(known,))


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_the_host_key_that_is_known_is_asked_for(
    connector: Connector, open_folder: Path, user_key: Path, users: Users, tmp_path: Path, kind: str
) -> None:
    """sshd prefers its own order; a client that asks for another type than the known one would see a change."""
    with sshd(open_folder / f"many-{kind}", user_key, host_keys=("rsa", "ecdsa", "ed25519")) as many:
        known = tmp_path / "known"
        known.write_text(f"[127.0.0.1]:{many.port} {public(many.folder / f'host_{kind}')}\n")
        node = connector.connect(many.settings(users.plain, known_hosts=(known,)))
        assert node.run("echo in").out == b"in\n"
        node.close()


@pytest.mark.parametrize("form", ["hashed", "pattern", "without port"])
def test_known_hosts_may_be_written_in_every_form(
    connect: Connect, server: Sshd, tmp_path: Path, form: str
) -> None:
    known = tmp_path / "known"
    key = public(server.folder / "host_ed25519")
    names = {
        "hashed": f"[127.0.0.1]:{server.port}",
        "pattern": "!*.9,[127.0.0.?]:*",
        "without port": "127.0.0.1",
    }
    known.write_text(f"{names[form]} {key}\n")
    if form == "hashed":
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)
        assert known.read_text().startswith("|1|")
    connect(known_hosts=(known,))


def test_known_hosts_is_read_once_for_all_hosts(
    connector: Connector, server: Sshd, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[object] = []
    read = KnownHosts.read
    monkeypatch.setattr(KnownHosts, "read", lambda files: reads.append(files) or read(files))
    for number in range(5):
        connector.connect(server.settings(users.plain, name=f"n{number}")).close()
    assert len(reads) == 1


# Algorithms


def test_nothing_weak_is_offered() -> None:
    offered = client.transport_factory(())(socket.socket())
    names = [
        *offered.preferred_ciphers,
        *offered.preferred_macs,
        *offered.preferred_kex,
        *offered.preferred_keys,
    ]
    weak = re.compile(r"cbc|arcfour|md5|sha1|ssh-dss|^ssh-rsa|group1-|-96$")
    assert len(names) > 15 and [name for name in names if weak.search(name)] == []


@pytest.mark.parametrize(
    "weak",
    ["Ciphers aes256-cbc", "MACs hmac-sha1\nCiphers aes128-ctr", "KexAlgorithms diffie-hellman-group14-sha1"],
)
def test_a_server_with_weak_algorithms_only_is_refused(
    connector: Connector, open_folder: Path, user_key: Path, users: Users, weak: str
) -> None:
    folder = open_folder / re.sub(r"\W", "-", weak)
    with (
        sshd(folder, user_key, weak) as old,
        pytest.raises(Unreachable, match=r"only offers weak algorithms; update its sshd"),
    ):
        connector.connect(old.settings(users.plain))


# User keys


def test_no_signature_with_sha1_is_made(
    connector: Connector, open_folder: Path, users: Users, tmp_path: Path
) -> None:
    """`ssh-rsa` as a signature means SHA-1; an RSA key itself serves with SHA-2."""
    key = make_key(tmp_path / "rsa", "rsa")
    with sshd(open_folder / "rsa-user", key) as server:
        node = connector.connect(server.settings(users.plain))
        assert "Accepted publickey" in server.log
        assert "ssh-rsa" not in node._link._connection.transport.preferred_pubkeys
        node.close()


def test_a_key_that_is_not_accepted_says_who_and_how(connect: Connect, users: Users, home: Path) -> None:
    with pytest.raises(Unreachable) as refused:
        connect(private_key=make_key(home / "other"))
    assert str(refused.value) == (
        f"n1: {users.plain} may not log in: 1 key tried, none accepted "
        "(set ansible_user and ansible_ssh_private_key_file, or -u and --private-key)"
    )


def test_a_key_file_that_is_not_there_is_named(connect: Connect, home: Path) -> None:
    with pytest.raises(
        Unreachable, match=f"0 keys tried, none accepted .{home}/none: No such file or directory"
    ):
        connect(private_key=home / "none")


def test_a_key_with_a_passphrase_leads_to_the_agent(connect: Connect, home: Path) -> None:
    with pytest.raises(Unreachable, match="has a passphrase: add it to the agent with ssh-add"):
        connect(private_key=make_key(home / "locked", passphrase="secret"))


@pytest.fixture
def agent(home: Path, user_key: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An ssh-agent that holds the accepted key."""
    place = home / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", place], stdout=subprocess.DEVNULL) as process:
        try:
            while not place.exists():
                time.sleep(0.01)
            monkeypatch.setenv("SSH_AUTH_SOCK", str(place))
            subprocess.run(["ssh-add", "-q", user_key], check=True)
            yield
        finally:
            process.kill()


@pytest.mark.usefixtures("agent")
def test_the_agent_serves_but_is_not_forwarded(connect: Connect, server: Sshd) -> None:
    assert connect(private_key=None).run("echo ${SSH_AUTH_SOCK-none}").out == b"none\n"


def test_the_given_key_comes_first(connect: Connect, server: Sshd, home: Path) -> None:
    """A stranger's key in ~/.ssh costs no attempt: sshd counts them (MaxAuthTries)."""
    make_key(home / ".ssh" / "id_ed25519")
    before = server.log
    connect()
    assert "Failed publickey" not in server.log.removeprefix(before)


def test_the_users_own_key_is_found(connect: Connect, home: Path, user_key: Path) -> None:
    (home / ".ssh" / "id_ed25519").write_bytes(user_key.read_bytes())
    (home / ".ssh" / "id_ed25519").chmod(0o600)
    connect(private_key=None)


# The command line and ssh_config


def test_the_command_line_serves_where_the_inventory_is_silent(server: Sshd, users: Users) -> None:
    options = ConnectOptions(user=users.plain, private_key=server.user_key, ssh_configs=())
    node = Connector(options).connect(replace(server.settings(""), user=None, private_key=None))
    assert node.run("id -un").text == f"{users.plain}\n"
    node.close()


def test_the_inventory_outranks_the_command_line(server: Sshd, users: Users) -> None:
    node = Connector(ConnectOptions(user="nobody", ssh_configs=())).connect(server.settings(users.plain))
    assert node.run("id -un").text == f"{users.plain}\n"
    node.close()


def test_a_private_key_of_the_command_line_must_be_a_file(server: Sshd, tmp_path: Path) -> None:
    """Unless nobody would be logged in with it, because the inventory's keys outrank it."""
    own = server.settings("root")
    silent = replace(own, private_key=None)
    absent = Connector(ConnectOptions(private_key=tmp_path / "none", ssh_configs=()))
    absent.check([own, own])
    with pytest.raises(UsageProblem, match=rf"^--private-key {tmp_path}/none is no file \("):
        absent.check([own, silent])
    Connector(ConnectOptions(private_key=server.user_key, ssh_configs=())).check([silent])


def test_the_run_refuses_a_private_key_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(
        "- hosts: all\n  tasks:\n    - sysctl: {settings: {vm.swappiness: 7}}\n"
    )
    (tmp_path / "hosts.yml").write_text(
        f"all: {{hosts: {{n1: {{ansible_host: 127.0.0.1, ansible_port: {free_port()}}}}}}}\n"
    )
    command = [sys.executable, "-m", "remediate", "run", "play.yml", "-i", "hosts.yml", "--check"]
    done = subprocess.run(
        [*command, "--private-key", "none"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2 and "--private-key none is no file" in done.stderr


def test_ssh_config_says_what_the_inventory_does_not(server: Sshd, users: Users, home: Path) -> None:
    config = home / ".ssh" / "config"
    (home / ".ssh" / "more").write_text(f"Host other\n  Port 1\nHost db*\n  User {users.plain}\n")
    config.write_text(
        "Include more\n"
        f"Host db1\n  HostName 127.0.0.1\n  Port {server.port}\n  IdentityFile {server.user_key}\n"
        f"  UserKnownHostsFile {server.known}\n"
    )
    settings = replace(
        server.settings(""), address="db1", user=None, port=None, private_key=None, known_hosts=()
    )
    node = Connector(ConnectOptions(ssh_configs=(config,))).connect(settings)
    assert node.run("id -un").text == f"{users.plain}\n"
    node.close()


def test_a_broken_ssh_config_is_named(home: Path) -> None:
    config = home / "config"
    config.write_text("Host a\n  nonsense\n")
    with pytest.raises(UsageProblem, match=f"{config}: cannot be read"):
        Connector(ConnectOptions(ssh_configs=(config,)))


# Jump hosts


def test_a_jump_host_is_shared_and_the_target_s_key_is_checked(
    connector: Connector, server: Sshd, open_folder: Path, user_key: Path, users: Users, tmp_path: Path
) -> None:
    with sshd(open_folder / "jump", user_key) as jump:
        known = tmp_path / "known"
        known.write_text(server.known.read_text() + jump.known.read_text())
        way = f"{users.free}@127.0.0.1:{jump.port}"
        settings = server.settings(users.plain, proxy_jump=way, known_hosts=(known,))
        nodes = [connector.connect(replace(settings, name=f"n{number}")) for number in range(3)]
        assert [node.run("id -un").text for node in nodes] == [f"{users.plain}\n"] * 3
        assert jump.log.count("Accepted publickey") == 1
        known.write_text(jump.known.read_text())
        fresh = Connector(ConnectOptions(ssh_configs=()))
        with pytest.raises(Unreachable, match=r"^n1: its host key ssh-ed25519 \S+ is not known"):
            fresh.connect(settings)
        known.write_text(server.known.read_text())
        fresh = Connector(ConnectOptions(ssh_configs=()))
        before = jump.log
        with pytest.raises(
            Unreachable, match=rf"^jump host {re.escape(way)}: its host key \S+ \S+ is not known"
        ):
            fresh.connect(settings)
        assert "publickey" not in jump.log.removeprefix(before)
        for node in nodes:
            node.close()


def test_hosts_that_connect_at_once_wait_for_one_jump_host(
    connector: Connector, server: Sshd, open_folder: Path, user_key: Path, users: Users, tmp_path: Path
) -> None:
    with sshd(open_folder / "busy", user_key) as jump:
        known = tmp_path / "known"
        known.write_text(server.known.read_text() + jump.known.read_text())
        way = f"{users.plain}@127.0.0.1:{jump.port}"
        settings = server.settings(users.plain, proxy_jump=way, known_hosts=(known,))
        nodes = each(range(12), lambda _: connector.connect(settings), forks=12)
        assert all(isinstance(node, SshNode) for node in nodes.values())
        assert jump.log.count("Accepted publickey") == 1
        for node in nodes.values():
            node.close()


def test_a_jump_host_that_fails_is_tried_once_for_all_who_wait(
    connector: Connector, server: Sshd, users: Users
) -> None:
    """A hundred hosts behind a dead jump host must not wait a hundred times."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        way = f"127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        settings = server.settings(users.plain, proxy_jump=way, connect_timeout=1)
        errors = each(range(12), lambda _: connector.connect(settings), forks=12)
    assert {str(error) for error in errors.values()} == {str(errors[0])} and "jump host" in str(errors[0])
    assert time.monotonic() - began < 5


def test_two_jump_hosts_in_a_row(
    connector: Connector, server: Sshd, open_folder: Path, user_key: Path, users: Users, tmp_path: Path
) -> None:
    with sshd(open_folder / "first", user_key) as first, sshd(open_folder / "second", user_key) as second:
        known = tmp_path / "known"
        known.write_text("".join(one.known.read_text() for one in (server, first, second)))
        way = ",".join(f"{users.plain}@127.0.0.1:{one.port}" for one in (first, second))
        node = connector.connect(server.settings(users.plain, proxy_jump=way, known_hosts=(known,)))
        assert node.run("echo far").out == b"far\n"
        assert [one.log.count("Accepted publickey") for one in (first, second)] == [1, 1]
        node.close()


def test_a_jump_host_that_forbids_forwarding(
    connector: Connector, server: Sshd, open_folder: Path, user_key: Path, users: Users, tmp_path: Path
) -> None:
    with sshd(open_folder / "closed", user_key, "AllowTcpForwarding no") as jump:
        way = f"{users.plain}@127.0.0.1:{jump.port}"
        with pytest.raises(Unreachable, match=r"^n1: no connection to .*AllowTcpForwarding of the jump host"):
            connector.connect(server.settings(users.plain, proxy_jump=way, known_hosts=(jump.known,)))


def test_ssh_config_s_jump_host_is_checked_too(
    server: Sshd, open_folder: Path, user_key: Path, users: Users, tmp_path: Path
) -> None:
    """Fabric's own jump hosts would accept every host key."""
    with sshd(open_folder / "unknown", user_key) as jump:
        config = tmp_path / "config"
        config.write_text(f"Host 127.0.0.1\n  ProxyJump {users.plain}@127.0.0.1:{jump.port}\n")
        with pytest.raises(Unreachable, match=r"^jump host .* is not known"):
            Connector(ConnectOptions(ssh_configs=(config,))).connect(server.settings(users.plain))


def test_the_inventory_may_want_no_jump_host(server: Sshd, users: Users, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host 127.0.0.1\n  ProxyJump nobody@nowhere.invalid\n")
    connector = Connector(ConnectOptions(ssh_configs=(config,)))
    connector.connect(server.settings(users.plain, proxy_jump="none")).close()


# Hosts that are not there


def test_a_refused_connection_is_told_at_once(connector: Connector, server: Sshd) -> None:
    port = free_port()
    with pytest.raises(Unreachable, match=rf"^n1: no connection to 127.0.0.1:{port}: Connection refused \("):
        connector.connect(server.settings("root", port=port))


def test_a_name_that_does_not_exist(connector: Connector, server: Sshd) -> None:
    with pytest.raises(
        Unreachable, match=r"^n1: no connection to nowhere.invalid:\d+: the name is not known"
    ):
        connector.connect(server.settings("root", address="nowhere.invalid"))


@pytest.mark.parametrize("chatter", [b"", b"garbage without an end " * 100_000, b"HTTP/1.1 400 no\r\n\r\n"])
def test_what_is_no_sshd_is_given_up(server: Sshd, chatter: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        connector, began = Connector(ConnectOptions(ssh_configs=(), connect_timeout=1)), time.monotonic()
        pid = os.fork()
        if not pid:
            peer, _ = listener.accept()
            peer.settimeout(5)
            try:
                peer.sendall(chatter)
                time.sleep(5)
            finally:
                os._exit(0)
        try:
            with pytest.raises(
                Unreachable, match=rf"^n1: no connection to 127.0.0.1:{port}: it does not speak SSH"
            ):
                connector.connect(server.settings("root", port=port))
            assert time.monotonic() - began < 4
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


_NO_SSHD = """
import socket, threading
from remediate.inventory.connection import ConnectionSettings
from remediate.node.connector import Connector, ConnectOptions

listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
settings = ConnectionSettings(name="n1", address="127.0.0.1", port=listener.getsockname()[1], user="root")
try:
    Connector(ConnectOptions(ssh_configs=())).connect(settings)
except Exception as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("echo 'This account is closed'; exit 1", "the login ends without a shell: This account is closed"),
        ("sleep 30", "no shell after 0.5 s"),
        ("yes", "y y y"),
    ],
)
def test_a_login_without_a_shell(
    connector: Connector,
    open_folder: Path,
    user_key: Path,
    users: Users,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    message: str,
) -> None:
    monkeypatch.setattr(login, "READY_WITHIN", 0.5)
    folder = open_folder / f"forced-{command.split(maxsplit=1)[0]}"
    with sshd(folder, user_key, f"ForceCommand {command}") as forced:
        node = connector.connect(forced.settings(users.plain))
        with pytest.raises(Unreachable, match=message.replace(".", r"\.")):
            node.run("echo never")
        node.close()


def test_no_traceback_reaches_the_terminal() -> None:
    """paramiko logs one for each broken connection; without a handler Python prints it."""
    done = subprocess.run([sys.executable, "-c", _NO_SSHD], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("Unreachable\n", "")


def test_a_transport_is_prompt_and_keeps_to_its_window(connect: Connect) -> None:
    node = connect()
    sock = node._link._connection.transport.sock
    assert isinstance(sock, client.PromptSocket)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    with node._exchange(10, 1000) as exchange:
        assert exchange._channel.in_window_size == client.WINDOW
    assert isinstance(exchange._channel.get_transport(), paramiko.Transport)
