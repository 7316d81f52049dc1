"""Fabric's connections with a client of ours: known host keys only, strong algorithms only, given keys first.

Fabric itself accepts and remembers every new host key (`AutoAddPolicy`) and reads no known_hosts file.
"""

from __future__ import annotations

import base64
import logging
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.auth_strategy import AuthFailure, AuthSource, AuthStrategy, InMemoryPrivateKey

from remediate.errors import Unreachable
from remediate.node.display import shown
from remediate.node.known_hosts import SSH_PORT, KnownHosts, KnownKey, fingerprint

CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
KEX = (
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group14-sha256",
)
HOST_KEYS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""What is offered, best first: no CBC, no MD5, no SHA-1 (SAFETY, security case 11)."""

WINDOW = 256 * 1024
"""Bytes that a host may send before they are read, so what a channel holds (paramiko's default is 2 MiB)."""

PEER_TIMEOUT = 20
"""Seconds without an answer that break a connection: a node that lost its power says no farewell (tcp(7))."""

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # its tracebacks are told as errors of ours


class KnownKeysOnly(paramiko.MissingHostKeyPolicy):
    """paramiko's RejectPolicy with a known_hosts of ours: any other key stops before authentication.

    paramiko asks it about each host, because the client itself is given no known keys: the client's own check
    knows neither revoked keys nor patterns, and no file and line to name.
    """

    def __init__(self, known: KnownHosts, host: str, address: str, port: int) -> None:
        self._known, self._host, self._address, self._port = known, host, address, port

    def missing_host_key(self, _client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Return when the key is known; raises Unreachable otherwise."""
        shows = key.asbytes()
        known = self._known.keys(self._address, self._port)
        same = [entry for entry in known if entry.key == base64.b64encode(shows).decode()]
        what = f"{key.get_name()} {fingerprint(shows)}"
        if revoked := next((entry for entry in same if entry.revoked), None):
            raise Unreachable(f"its host key {what} is revoked in {revoked.place}", where=self._host)
        if not same:
            raise self._changed(what, hostname, known) if known else self._unknown(what)

    def _changed(self, what: str, name: str, known: Sequence[KnownKey]) -> Unreachable:
        entry = known[0]
        return Unreachable(
            f"its host key has changed: it shows {what}, {entry.place} holds another",
            where=self._host,
            hint=f"stop if nobody reinstalled it; else: ssh-keygen -f {entry.file} -R '{name}'",
        )

    def _unknown(self, what: str) -> Unreachable:
        if self._known.unread:  # the key may be in there, so nobody is told to add one
            return Unreachable(
                f"whether its host key {what} is known cannot be told: {'; '.join(self._known.unread)}",
                where=self._host,
                hint="make it a file that you can read",
            )
        files = self._known.files
        place = files[0] if files else "known_hosts"
        port = "" if self._port == SSH_PORT else f"-p {self._port} "
        return Unreachable(
            f"its host key {what} is not known",
            where=self._host,
            hint=f"compare it on the machine itself, then: ssh-keyscan {port}{self._address} >> {place}",
        )


class PromptSocket(socket.socket):
    """A TCP socket that neither waits before it sends nor before it acknowledges.

    sshd holds its second small packet back until the first is acknowledged (Nagle), and Linux acknowledges 40 ms
    late: the first channel of a connection came up after 46 ms, with this after 4 [measured].
    """

    def __init__(self, fileno: int) -> None:
        super().__init__(fileno=fileno)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform == "linux":
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PEER_TIMEOUT * 1000)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As in socket; the kernel forgets TCP_QUICKACK after each packet (tcp(7))."""
        data = super().recv(size, flags)
        if sys.platform == "linux":
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def transport_factory(known: Sequence[KnownKey]) -> Callable[..., paramiko.Transport]:
    """Makes transports with strong algorithms only, which ask first for the host keys that are known."""
    held = {algorithm for entry in known for algorithm in _signatures(entry.algorithm)}
    host_keys = sorted(HOST_KEYS, key=lambda name: name not in held)

    def make(sock: Any, **options: Any) -> paramiko.Transport:
        if isinstance(sock, socket.socket):  # not a jump host's channel
            sock = PromptSocket(fileno=sock.detach())
        transport = paramiko.Transport(sock, default_window_size=WINDOW, **options)
        security = transport.get_security_options()
        security.ciphers, security.digests = CIPHERS, MACS
        security.kex, security.key_types = KEX, tuple(host_keys)
        return transport

    return make


def _signatures(key_type: str) -> tuple[str, ...]:
    """How a key of known_hosts is asked for; `ssh-rsa` itself means a signature with SHA-1."""
    return ("rsa-sha2-512", "rsa-sha2-256") if key_type == "ssh-rsa" else (key_type,)


class KeyRing:
    """Private keys of a run, each read once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._keys: dict[Path, paramiko.PKey | str] = {}

    def load(self, path: Path) -> paramiko.PKey | str:
        """The key, or why it cannot be used."""
        with self._lock:
            if path not in self._keys:
                self._keys[path] = _private_key(path)
            return self._keys[path]


def _private_key(path: Path) -> paramiko.PKey | str:
    try:
        return paramiko.PKey.from_path(path)
    except OSError as error:
        return f"{path}: {error.strerror}"
    except (TypeError, paramiko.PasswordRequiredException):
        return f"{path} has a passphrase: add it to the agent with ssh-add"
    except (ValueError, paramiko.SSHException, UnsupportedAlgorithm) as error:
        return f"{path}: {shown(str(error))}"


class Keys(AuthStrategy):
    """Which keys are tried: the given ones, then the agent's, then the user's own."""

    def __init__(self, user: str, ring: KeyRing, given: Sequence[Path], *, others: bool = True) -> None:
        """Remember what may be tried.

        Args:
            user: who logs in.
            ring: the run's private keys.
            given: key files that the inventory, the command line or ssh_config name.
            others: whether the agent's and the user's own keys may be tried too.
        """
        super().__init__(ssh_config=paramiko.SSHConfig())
        self._user, self._ring, self._given, self._others = user, ring, given, others
        self.problems: list[str] = []

    def get_sources(self) -> Iterator[AuthSource]:
        """Keys in order; each is loaded when those before it were not accepted."""
        self.problems.clear()
        yield from self._from_files(self._given)
        if self._others:
            yield from self._from_agent()
            folder = Path("~/.ssh").expanduser()
            own = (folder / name for name in ("id_ed25519", "id_ecdsa", "id_rsa"))
            yield from self._from_files([path for path in own if path.exists()])

    def _from_agent(self) -> Iterator[AuthSource]:
        agent = paramiko.Agent()
        try:
            for key in agent.get_keys():
                yield InMemoryPrivateKey(self._user, key)
        finally:
            agent.close()

    def _from_files(self, paths: Sequence[Path]) -> Iterator[AuthSource]:
        for path in paths:
            key = self._ring.load(path)
            if isinstance(key, str):
                self.problems.append(key)
            else:
                yield InMemoryPrivateKey(self._user, key)

    def rejected(self, host: str, failure: AuthFailure) -> Unreachable:
        """What to tell when none of the keys was accepted."""
        tried = len(failure.result)
        advice = "set ansible_user and ansible_ssh_private_key_file, or -u and --private-key"
        return Unreachable(
            f"{self._user} may not log in: {tried} key{'s' * (tried != 1)} tried, none accepted",
            where=host,
            hint="; ".join(self.problems) or advice,
        )
