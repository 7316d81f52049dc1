"""Users and an sshd for the tests of real connections; both are gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from remediate.node.connector import ConnectOptions, Connector
from remediate.node.ssh import SshNode
from tests.node.sshd import Sshd, make_key, sshd

PASSWORD = "correct horse 'battery' $staple"


@dataclass(frozen=True)
class Users:
    """System users of the tests.

    Attributes:
        plain: may not use sudo.
        free: sudo without a password (NOPASSWD).
        asked: sudo with PASSWORD.
        tty: as `free`, but sudo wants a terminal (requiretty).
        noisy: as `asked`; its bash prints, traces and reads before it runs anything.
    """

    plain: str
    free: str
    asked: str
    tty: str
    noisy: str


NOISE = """\
echo 'Welcome to \x1b[31mthe node\x1b[0m'
printf 'a line without an end'
echo 'ready-' 'sudo% ' >&2
read -r -t 0.3 stolen && echo "stolen: $stolen"
set -x
"""


@pytest.fixture(scope="session")
def users() -> Iterator[Users]:
    """Create the users and their sudo rules."""
    mark = f"rmdt{os.getpid()}"
    names = Users(*(f"{mark}{kind}" for kind in ("p", "f", "a", "t", "n")))
    sudoers = Path(f"/etc/sudoers.d/{mark}")
    homes = _open_folder()
    try:
        for name in (names.plain, names.free, names.asked, names.tty, names.noisy):
            shell = "/bin/bash" if name == names.noisy else "/bin/sh"
            home = homes / name
            subprocess.run(["useradd", "--create-home", "--home", home, "--shell", shell, name], check=True)
            subprocess.run(["chpasswd"], input=f"{name}:{PASSWORD}\n", text=True, check=True)
        (homes / names.noisy / ".bashrc").write_text(NOISE)
        sudoers.write_text(
            f"{names.free} ALL=(ALL) NOPASSWD: ALL\n{names.asked} ALL=(ALL) ALL\n{names.noisy} ALL=(ALL) ALL\n"
            f"{names.tty} ALL=(ALL) NOPASSWD: ALL\nDefaults:{names.tty} requiretty\n"
        )
        sudoers.chmod(0o440)
        subprocess.run(["visudo", "-c", "-q", "-f", sudoers], check=True)
        yield names
    finally:
        sudoers.unlink(missing_ok=True)
        for name in (names.plain, names.free, names.asked, names.tty, names.noisy):
            with suppress(KeyError):  # it was never made
                _remove(name)
        shutil.rmtree(homes, ignore_errors=True)


def _remove(user: str) -> None:
    """Remove a user, with the processes that tests left behind on purpose."""
    uid = pwd.getpwnam(user).pw_uid
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if process.stat().st_uid == uid:
                os.kill(int(process.name), signal.SIGKILL)
    subprocess.run(["userdel", "--force", "--remove", user], check=True, capture_output=True)


def _open_folder(mode: int = 0o755) -> Path:
    """A temporary folder that other users may enter; pytest's own are for one user alone."""
    folder = Path(tempfile.mkdtemp(prefix="remediate-test-"))
    folder.chmod(mode)
    return folder


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user may write to."""
    folder = _open_folder(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that every user may read."""
    folder = _open_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def user_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key that every sshd of the tests accepts."""
    return make_key(tmp_path_factory.mktemp("key") / "id")


@pytest.fixture(scope="session")
def server(open_folder: Path, user_key: Path) -> Iterator[Sshd]:
    """One sshd that all tests share."""
    with sshd(open_folder / "main", user_key) as running:
        yield running


@pytest.fixture
def connector() -> Iterator[Connector]:
    """A run's connector that knows no ssh_config of this machine."""
    made = Connector(ConnectOptions(ssh_configs=(), connect_timeout=5))
    yield made
    made.close()


@pytest.fixture
def connect(server: Sshd, connector: Connector, users: Users) -> Iterator[Callable[..., SshNode]]:
    """Connect to the shared sshd, as `plain` unless told otherwise; closed after the test."""
    nodes: list[SshNode] = []

    def one(user: str = users.plain, **settings: object) -> SshNode:
        nodes.append(connector.connect(server.settings(user, **settings)))
        return nodes[-1]

    yield one
    for node in nodes:
        node.close()
