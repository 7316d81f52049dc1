"""From the inventory's words to a way to the machine; ssh_config, known hosts and keys are read once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

import fabric
import paramiko

from remediate.errors import UsageProblem
from remediate.node.client import KeyRing, Keys, KnownKeysOnly, transport_factory
from remediate.node.known_hosts import KnownHosts
from remediate.node.link import Link
from remediate.node.login import Sudo
from remediate.node.ssh import SshNode
from remediate.node.ssh_config import read_ssh_config

if TYPE_CHECKING:
    from remediate.inventory.connection import ConnectionSettings
    from remediate.inventory.secret import Secret

USER_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
"""Where ssh(1) looks unless UserKnownHostsFile and GlobalKnownHostsFile say otherwise (ssh_config(5))."""


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What the command line says about connections. As in Ansible, the inventory's variables outrank it.

    Attributes:
        user: `-u`.
        private_key: `--private-key`.
        become_password: `-K`.
        connect_timeout: seconds for each step of a connection: TCP, key exchange, authentication.
        ssh_configs: files in the format of ssh_config(5); the first that speaks of a setting wins.
    """

    user: str | None = None
    private_key: Path | None = None
    become_password: Secret | None = field(default=None, repr=False)
    connect_timeout: float = 10.0
    ssh_configs: tuple[Path, ...] = (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))


class Connector:
    """Makes the nodes of one run. Thread-safe."""

    def __init__(self, options: ConnectOptions | None = None) -> None:
        """Read ssh_config. Raises UsageProblem where it cannot be read."""
        self._options = options or ConnectOptions()
        self._ssh_config = read_ssh_config(self._options.ssh_configs)
        self._ring = KeyRing()
        self._lock = RLock()  # a chain of jump hosts is made from within
        self._known: dict[tuple[Path, ...], KnownHosts] = {}
        self._jumps: dict[str, tuple[Link, fabric.Connection]] = {}

    def check(self, hosts: Iterable[ConnectionSettings]) -> None:
        """Refuse a `--private-key` that is no file, unless every host has a key of the inventory's.

        Raises:
            UsageProblem: nothing was contacted.
        """
        key = self._options.private_key
        if key and not key.expanduser().is_file() and any(host.private_key is None for host in hosts):
            raise UsageProblem(f"--private-key {key} is no file", hint="give the file of a private key")

    def connect(self, settings: ConnectionSettings) -> SshNode:
        """Connect to a host. Raises Unreachable: no connection, unknown or changed host key, or no key accepted."""
        node = self.node(settings)
        node.open()
        return node

    def node(self, settings: ConnectionSettings) -> SshNode:
        """The same host, connected to at its first exec."""
        user = settings.user or self._options.user
        link, connection = self._link(settings.name, settings, _Place(settings.address, user, settings.port))
        self._lead(link, connection, settings)
        return SshNode(settings.name, link, self._sudo(settings, connection.user))

    def close(self) -> None:
        """Close the jump hosts; nodes are closed by those who use them."""
        for link, _ in self._jumps.values():
            link.close()

    def _sudo(self, settings: ConnectionSettings, login: str) -> Sudo | None:
        user = settings.become_user or "root"
        if not settings.become or user == login:
            return None
        return Sudo(user, settings.become_password or self._options.become_password)

    def _lead(self, link: Link, connection: fabric.Connection, settings: ConnectionSettings) -> None:
        """Find the way: the inventory's jump hosts, else those of ssh_config, else its proxy command."""
        told = connection.ssh_config
        jumps = settings.proxy_jump or told.get("proxyjump")
        if jumps is None:
            connection.gateway = told.get("proxycommand")  # a program that the user's own ssh_config names
        elif jumps != "none":
            self._jump_over(link, connection, settings, jumps)

    def _jump_over(
        self, link: Link, connection: fabric.Connection, settings: ConnectionSettings, jumps: str
    ) -> None:
        """Lead a connection through jump hosts, which all hosts behind them share."""
        before, _, last = jumps.rpartition(",")
        with self._lock:
            if jumps not in self._jumps:
                self._jumps[jumps] = self._link(f"jump host {last}", settings, _Place.parse(last))
                if before:
                    self._jump_over(*self._jumps[jumps], settings, before)
            link.via, connection.gateway = self._jumps[jumps]

    def _link(self, name: str, settings: ConnectionSettings, place: _Place) -> tuple[Link, fabric.Connection]:
        """A way that is not open yet."""
        timeout = settings.connect_timeout or self._options.connect_timeout
        connection = self._connection(name, place, timeout)
        told = connection.ssh_config
        address = told.get("hostkeyalias", connection.host)
        known = self._known_hosts(settings, told)
        connection.client = paramiko.SSHClient()
        connection.client.set_missing_host_key_policy(KnownKeysOnly(known, name, address, connection.port))
        keys = self._keys(connection, settings)
        connection.connect_kwargs = {
            "auth_strategy": keys,
            "transport_factory": transport_factory(known.keys(address, connection.port)),
            "disabled_algorithms": {"pubkeys": ["ssh-rsa"]},  # signatures with SHA-1
            "banner_timeout": timeout,
            "auth_timeout": timeout,
            "channel_timeout": timeout,
        }
        return Link(name, connection, keys), connection

    def _connection(self, name: str, place: _Place, timeout: float) -> fabric.Connection:
        try:
            return fabric.Connection(
                place.host,
                user=place.user,
                port=place.port,
                config=fabric.Config(lazy=True, ssh_config=self._ssh_config),  # a connection writes to it
                gateway=False,  # Fabric's own jump hosts would accept every host key
                forward_agent=False,  # SAFETY, security case 8
                connect_timeout=ceil(timeout),
            )
        except (ValueError, paramiko.SSHException) as error:
            raise UsageProblem(f"ssh_config says what cannot be: {error}", where=name) from None

    def _keys(self, connection: fabric.Connection, settings: ConnectionSettings) -> Keys:
        told = connection.ssh_config
        own = settings.private_key or self._options.private_key
        given = [own] if own else []
        return Keys(
            connection.user,
            self._ring,
            _paths([*given, *told.get("identityfile", [])]),
            others=told.get("identitiesonly", "no") != "yes",
        )

    def _known_hosts(self, settings: ConnectionSettings, told: dict[str, str]) -> KnownHosts:
        own = settings.known_hosts or told.get("userknownhostsfile", USER_KNOWN_HOSTS).split()
        system = told.get("globalknownhostsfile", SYSTEM_KNOWN_HOSTS).split()
        files = _paths([*own, *system])
        with self._lock:
            if files not in self._known:
                self._known[files] = KnownHosts.read(files)
            return self._known[files]


class _Place(NamedTuple):
    """Where a connection goes; None where ssh_config or the defaults decide."""

    host: str
    user: str | None
    port: int | None

    @classmethod
    def parse(cls, text: str) -> _Place:
        """Read `user@host:port`, as ProxyJump writes it."""
        parts = fabric.connection.derive_shorthand(text)
        return cls(parts["host"], parts["user"], parts["port"])


def _paths(names: Iterable[str | Path]) -> tuple[Path, ...]:
    return tuple(Path(name).expanduser() for name in names)
