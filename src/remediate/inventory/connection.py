"""How a host is reached, by its `ansible_*` variables: typed, and held against allow-lists (SAFETY, case 1).

Nothing here opens a connection or starts a program. What the inventory does not say stays None, so that the
command line and `~/.ssh/config` can.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from remediate.errors import UsageProblem
from remediate.inventory.expand import Expander
from remediate.inventory.model import Host
from remediate.inventory.names import split_port
from remediate.inventory.secret import Secret
from remediate.inventory.ssh_args import parse_ssh_args

T = TypeVar("T")

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9._@+-]*\$?")
_SCOPE = re.compile(r"[A-Za-z0-9_.-]*")
_PATH = re.compile(r"[\w./~@+=:,][\w./~@+=:,-]*")
_TRUE, _FALSE = (
    frozenset({"yes", "true", "on", "y", "t", "1"}),
    frozenset({"no", "false", "off", "n", "f", "0"}),
)
_BY_SSH: Final = frozenset({"ssh", "smart", "paramiko", "paramiko_ssh"})
_WITHOUT_EFFECT: Final = (
    *("ansible_become_exe", "ansible_become_flags", "ansible_ssh_executable"),
    *("ansible_password", "ansible_ssh_pass", "ansible_ssh_password"),  # logins are by key or agent
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """What the inventory says about reaching one host.

    Attributes:
        name: the inventory's name of the host.
        address: what ssh would be called with: `ansible_host`, otherwise the name.
        port: TCP port.
        user: who logs in.
        private_key: the file of the private key; `~` is expanded.
        become: whether to use sudo after the login.
        become_user: who to become.
        become_password: sudo's password.
        proxy_jump: machines on the way as ssh(1) writes them, `user@host:port,…`, or `none`.
        known_hosts: files with host keys, instead of the user's own.
        connect_timeout: seconds.
        warnings: what the inventory says and is not done, one line each.
    """

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    private_key: Path | None = None
    become: bool | None = None
    become_user: str | None = None
    become_password: Secret | None = None
    proxy_jump: str | None = None
    known_hosts: tuple[Path, ...] = ()
    connect_timeout: int | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_host(cls, host: Host, extra: Mapping[str, Any] | None = None) -> ConnectionSettings:
        """Read a host's variables.

        Args:
            host: the host.
            extra: variables that outrank the inventory's (`--extra-vars`).

        Raises:
            UsageProblem: a value that is not allowed, or a way of connecting that does not exist here.
        """
        return _Reader(host, extra or {}).settings()


class _Said(NamedTuple):
    """A value, and what and which place says it."""

    value: Any
    what: str
    where: str

    def text(self) -> str:
        """The value as text; raises UsageProblem where it is neither text nor number."""
        if isinstance(self.value, bool) or not isinstance(self.value, str | int):
            raise self.problem("text", "quote it")
        return str(self.value)

    def problem(self, expected: str, hint: str = "") -> UsageProblem:
        """What to raise where the value is not as expected."""
        return UsageProblem(
            f"{self.what} is {self.value!r:.80}, expected {expected}", where=self.where, hint=hint
        )


class _Reader:
    def __init__(self, host: Host, extra: Mapping[str, Any]) -> None:
        self._host = host
        self._places = {**host.origins, **dict.fromkeys(extra, "--extra-vars")}
        self._expander = Expander({**host.variables, **extra}, self._places)
        self._warnings: list[str] = []
        self._before = self._options("ansible_ssh_args")
        self._after = self._options("ansible_ssh_common_args") + self._options("ansible_ssh_extra_args")

    def settings(self) -> ConnectionSettings:
        self._check_methods()
        self._check_host_key_policy()
        name = _Said(self._host.name, "the host's name", self._host.where)
        return ConnectionSettings(
            name=self._host.name,
            address=_host(self._variable("ansible_ssh_host", "ansible_host") or name),
            port=self._first(_port, "Port", "ansible_ssh_port", "ansible_port"),
            user=self._first(_user, "User", "ansible_ssh_user", "ansible_user"),
            private_key=self._first(
                _path, "IdentityFile", "ansible_ssh_private_key_file", "ansible_private_key_file"
            ),
            become=self._first(_truth, "", "ansible_become"),
            become_user=self._first(_user, "", "ansible_sudo_user", "ansible_become_user"),
            become_password=self._first(
                _secret, "", "ansible_sudo_pass", "ansible_become_pass", "ansible_become_password"
            ),
            proxy_jump=self._first(_proxy_jump, "ProxyJump"),
            known_hosts=self._first(self._known_hosts, "UserKnownHostsFile") or (),
            connect_timeout=self._first(_seconds, "ConnectTimeout", "ansible_ssh_timeout", "ansible_timeout"),
            warnings=tuple(self._warnings),
        )

    def _variable(self, *names: str) -> _Said | None:
        """The first of some variables that is set to something."""
        for name in names:
            value = self._expander.value(name)
            if value is not None and value != "":
                return _Said(value, name, self._places.get(name, self._host.where))
        return None

    def _options(self, variable: str) -> list[tuple[str, _Said]]:
        said = self._variable(variable)
        if said is None:
            return []
        return [
            (option.name, _Said(option.value, f"{option.name} in {variable}", said.where))
            for option in parse_ssh_args(said.text(), said.where)
        ]

    def _first(self, check: Callable[[_Said], T], option: str, *variables: str) -> T | None:
        """The strongest word about one thing: ssh takes the first that it gets, and this is Ansible's order."""
        variable = self._variable(*variables)
        said = [
            *(one for name, one in self._before if name == option),
            *([variable] if variable else []),
            *(one for name, one in self._after if name == option),
        ]
        for weaker in said[1:]:
            if weaker.value != said[0].value:
                self._warn(weaker, f"is not used, {said[0].what} is")
        return check(said[0]) if said else None

    def _check_methods(self) -> None:
        """Refuse other ways than SSH and sudo; warn about what has no effect."""
        connection = self._variable("ansible_connection")
        if connection and connection.text().removeprefix("ansible.builtin.") not in _BY_SSH:
            raise connection.problem("ssh", "every node, also this machine, is reached by SSH")
        method = self._variable("ansible_become_method")
        if method and method.text().removeprefix("ansible.builtin.") != "sudo":
            raise method.problem("sudo", "log in as root or let the user use sudo")
        for said in filter(None, map(self._variable, _WITHOUT_EFFECT)):
            self._warn(said, "has no effect here")

    def _warn(self, said: _Said, message: str) -> None:
        self._warnings.append(f"{said.where}: {said.what} {message}")

    def _check_host_key_policy(self) -> None:
        """Nothing that the inventory says weakens the check of host keys (SAFETY, security case 10)."""
        policies = [said for name, said in self._before + self._after if name == "StrictHostKeyChecking"]
        variable = self._variable("ansible_ssh_host_key_checking", "ansible_host_key_checking")
        for said in [*policies, *([variable] if variable else [])]:
            if said.value == "accept-new":
                self._warn(said, "is taken as yes: put new host keys into known_hosts yourself")
            elif said.value != "ask" and not _truth(said):
                self._warn(said, "is ignored: host keys are always checked")

    def _known_hosts(self, said: _Said) -> tuple[Path, ...]:
        files = tuple(_path(said._replace(value=word)) for word in said.text().split())
        if Path(os.devnull) not in files:
            return files
        self._warn(said, f"is ignored where it is {os.devnull}: host keys are always checked")
        return tuple(file for file in files if file != Path(os.devnull))


def _host(said: _Said) -> str:
    """A host's name or address."""
    text = said.text()
    if _HOST.fullmatch(text) or _is_ipv6(text):
        return text
    raise said.problem("a host name or an address", "letters, digits, dots and dashes, or an IPv6 address")


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return _SCOPE.fullmatch(text.partition("%")[2]) is not None


def _user(said: _Said) -> str:
    if _USER.fullmatch(said.text()):
        return said.text()
    raise said.problem("a user's name", "letters, digits and . _ - @ +, no dash in front")


def _number(said: _Said, expected: str, last: int) -> int:
    text = said.text()
    if re.fullmatch(r"[0-9]{1,9}", text) and 0 < int(text) <= last:
        return int(text)
    raise said.problem(expected)


def _port(said: _Said) -> int:
    return _number(said, "a port between 1 and 65535", 65_535)


def _seconds(said: _Said) -> int:
    return _number(said, "seconds between 1 and 3600", 3600)


def _path(said: _Said) -> Path:
    """A file; a relative one counts from the current folder, as for ssh(1)."""
    if not _PATH.fullmatch(said.text()):
        raise said.problem(
            "a file's path", "letters, digits and . _ / ~ @ + = : , - without blanks, no dash in front"
        )
    try:
        return Path(said.text()).expanduser()
    except RuntimeError:
        raise said.problem("a path below a known user's home") from None


def _truth(said: _Said) -> bool:
    word = str(said.value).lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise said.problem("yes or no")


def _secret(said: _Said) -> Secret:
    try:
        return Secret(said.text())
    except UsageProblem:  # its message would show the value
        raise UsageProblem(f"{said.what} is no text", where=said.where, hint="quote it") from None


def _proxy_jump(said: _Said) -> str:
    """`[user@]host[:port]`, several with commas, or `none`."""
    for jump in said.text().split(","):
        user, at, place = jump.rpartition("@")
        host, port = split_port(place) or (place, None)
        _host(said._replace(value=host))
        if at:
            _user(said._replace(value=user))
        if port is not None:
            _port(said._replace(value=port))
    return said.text()
