"""sudo over a real sshd, with real users and a real sudoers file (DESIGN, "sudo, exactly")."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from remediate.errors import Refused
from remediate.inventory.secret import Secret
from remediate.node.connector import ConnectOptions, Connector
from remediate.node.ssh import SshNode
from tests.node.conftest import PASSWORD, Users
from tests.node.sshd import Sshd, sshd

Connect = Callable[..., SshNode]
RIGHT, WRONG = Secret(PASSWORD), Secret("touch /tmp/never; wrong")


def test_the_right_password_makes_root(connect: Connect, users: Users) -> None:
    done = connect(users.asked, become=True, become_password=RIGHT).run("id -un; echo $HOME; cat")
    assert (done.out, done.err) == (b"root\n/root\n", b"")


def test_without_become_nobody_becomes_root(connect: Connect, users: Users) -> None:
    assert connect(users.asked, become_password=RIGHT).run("id -un").text == f"{users.asked}\n"


def test_another_user_than_root(connect: Connect, users: Users) -> None:
    node = connect(users.asked, become=True, become_user=users.plain, become_password=RIGHT)
    assert node.run("id -un").text == f"{users.plain}\n"


def test_who_is_that_user_already_needs_no_sudo(connect: Connect, users: Users) -> None:
    assert connect(users.plain, become=True, become_user=users.plain).run("id -un").text == f"{users.plain}\n"


def test_the_password_of_the_command_line_serves(server: Sshd, users: Users) -> None:
    options = ConnectOptions(become_password=RIGHT, ssh_configs=())
    node = Connector(options).connect(server.settings(users.asked, become=True))
    assert node.run("id -un").out == b"root\n"
    node.close()


def test_a_password_that_nobody_asks_for_is_not_sent(connect: Connect, users: Users, shared: Path) -> None:
    """Sent blindly it was root's first command line."""
    made = shared / "made"
    node = connect(users.free, become=True, become_password=Secret(f"touch {made}"))
    done = node.run("id -un; cat")
    assert (done.out, done.err) == (b"root\n", b"") and not made.exists()


@pytest.mark.parametrize("kind", ["asked", "noisy"])
def test_a_wrong_password_is_tried_once(connect: Connect, users: Users, shared: Path, kind: str) -> None:
    """A second try would give sudo a line of the script; three lock accounts where faillock counts."""
    made, began = shared / "made", time.monotonic()
    node = connect(getattr(users, kind), become=True, become_password=WRONG)
    with pytest.raises(Refused) as refused:
        node.run(f"touch {made}\n" * 100)
    assert (
        str(refused.value)
        == "n1: wrong sudo password (give the right one with -K or ansible_become_password)"
    )
    assert "never" not in repr(refused.value) and not made.exists() and not Path("/tmp/never").exists()
    assert time.monotonic() - began < 15  # sudo itself waits 2 s after a wrong one


def test_a_password_with_a_line_break_is_not_sent(connect: Connect, users: Users, shared: Path) -> None:
    """sudo reads one line; the next one would be the root shell's first."""
    node = connect(users.asked, become=True, become_password=Secret(f"{PASSWORD}\ntouch {shared}/made"))
    with pytest.raises(Refused, match="holds a line break"):
        node.run("sleep 1")
    assert not (shared / "made").exists()


def test_a_missing_password_is_told(connect: Connect, users: Users) -> None:
    with pytest.raises(Refused, match=r"^n1: sudo wants a password \(give it with -K"):
        connect(users.asked, become=True).run("id")


def test_requiretty_is_told(connect: Connect, users: Users) -> None:
    with pytest.raises(Refused, match=r"^n1: sudo wants a terminal \(requiretty\) \(remove requiretty"):
        connect(users.tty, become=True, become_password=RIGHT).run("id")


def test_who_may_not_use_sudo_is_told(connect: Connect, users: Users) -> None:
    with pytest.raises(Refused, match=r"^n1: the user may not use sudo \(add the user to sudoers\)"):
        connect(users.plain, become=True, become_password=RIGHT).run("id")


def test_a_node_without_sudo_is_told(
    connector: Connector, open_folder: Path, user_key: Path, users: Users
) -> None:
    with sshd(open_folder / "bare", user_key, "SetEnv PATH=/nonexistent") as bare:
        node = connector.connect(bare.settings(users.free, become=True))
        with pytest.raises(Refused, match=r"^n1: sudo is not installed \(install sudo, or log in as root\)"):
            node.run("id")
        node.close()


def test_a_user_to_become_that_does_not_exist(connect: Connect, users: Users) -> None:
    with pytest.raises(Refused, match=r"^n1: sudo gives no shell: .*unknown user.*nosuchuser"):
        connect(users.free, become=True, become_user="nosuchuser").run("id")


def test_a_noisy_login_changes_nothing(connect: Connect, users: Users) -> None:
    """It prints escapes, an unfinished line and words like our marks, traces its commands, and reads its input."""
    done = connect(users.noisy, become=True, become_password=RIGHT).run("id -un; cat")
    assert (done.out, done.err) == (b"root\n", b"")
    assert connect(users.noisy).run("echo in; cat").out == b"in\n"


def test_the_password_is_in_no_process_list(connect: Connect, users: Users) -> None:
    """Looked at from outside while sudo waits for it and while the script runs."""
    seen: list[bytes] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        seen.append((process / name).read_bytes())
                    except OSError:
                        continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        connect(users.asked, become=True, become_password=RIGHT).run("sleep 1")
    finally:
        stop.set()
        watcher.join()
    assert any(b"sudo%" in line for line in seen)
    assert not any(PASSWORD.encode() in line for line in seen)


def test_follow_works_behind_sudo(connect: Connect, users: Users) -> None:
    lines: list[str] = []
    script = "read -r lease; echo got; read -r lease; id -un"
    node = connect(users.asked, become=True, become_password=RIGHT)
    node.follow(script, lines.append, timeout=20, keepalive=0.1)
    assert lines == ["got", "root"]
