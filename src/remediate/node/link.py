"""One Fabric connection: opened on demand, and each way in which that fails told in one line."""

from __future__ import annotations

import socket
from threading import Lock
from typing import TYPE_CHECKING

import paramiko
from paramiko.auth_strategy import AuthFailure
from paramiko.ssh_exception import ChannelException, IncompatiblePeer, NoValidConnectionsError

from remediate.errors import RemediateError, Unreachable
from remediate.node.display import shown

if TYPE_CHECKING:
    import fabric

    from remediate.node.client import Keys

_SILENT = ("Error reading SSH protocol banner", "No existing session", "Negotiation failed")
"""paramiko's words for a peer that did not get as far as a key exchange."""

KEEPALIVE = 5
"""Seconds between two questions to a silent peer."""


class Link:
    """The way to one machine; thread-safe where it opens, because a jump host is shared.

    Attributes:
        via: the way to the jump host, which is opened first.
    """

    via: Link | None = None

    def __init__(self, host: str, connection: fabric.Connection, keys: Keys) -> None:
        """Prepare the way; nothing is opened yet.

        Args:
            host: the inventory's name, for messages.
            connection: Fabric's connection with a client of ours.
            keys: what it authenticates with.
        """
        self._host, self._connection, self._keys = host, connection, keys
        self._lock = Lock()
        self._attempts = 0
        self._failure: Exception | None = None

    @property
    def is_open(self) -> bool:
        """The connection is up, as far as is known."""
        return bool(self._connection.is_connected)

    def open(self) -> None:
        """Connect unless connected; who waits while an attempt fails shares its error. Raises Unreachable."""
        attempt = self._attempts
        with self._lock:
            if self.is_open:
                return
            if self._failure and attempt != self._attempts:
                raise self._failure
            self._attempts += 1
            self._connect()

    def _connect(self) -> None:
        self._failure = None
        try:
            if self.via:
                self.via.open()
            self._connection.open()
        except Exception as error:  # noqa: BLE001 (raised again)
            self.close()
            self._failure = self._explained(error)
            raise self._failure from None
        self._connection.transport.set_keepalive(KEEPALIVE)

    def channel(self) -> paramiko.Channel:
        """Open a channel; a connection that broke while idle is opened anew. Raises Unreachable."""
        was_open = self.is_open
        self.open()
        try:
            return self._session()
        except Unreachable:
            if self.is_open or not was_open:
                raise
        self.open()
        return self._session()

    def close(self) -> None:
        """Close the connection; harmless when it is closed already."""
        self._connection.client.close()

    def _session(self) -> paramiko.Channel:
        try:
            channel: paramiko.Channel = self._connection.transport.open_session()
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._explained(error) from None
        return channel

    def _explained(self, error: Exception) -> Exception:
        """What an exception of the libraries means; what is a defect of ours stays what it is."""
        if isinstance(error, AuthFailure):
            return self._keys.rejected(self._host, error)
        if isinstance(error, RemediateError) or not isinstance(
            error, paramiko.SSHException | OSError | EOFError
        ):
            return error
        to = self._connection
        return Unreachable(
            f"no connection to {to.host}:{to.port}: {_reason(error)}", where=self._host, hint=_hint(error)
        )


def _reason(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "no answer in time"
        case NoValidConnectionsError():
            reasons = {getattr(reason, "strerror", None) or str(reason) for reason in error.errors.values()}
            return shown("; ".join(sorted(reasons)))
        case socket.gaierror():
            return "the name is not known"
        case OSError():
            return shown(error.strerror or str(error))
        case EOFError():
            return "the host closed it"
    said = str(error)
    return "it does not speak SSH, or too slowly" if said.startswith(_SILENT) else shown(said)


def _hint(error: Exception) -> str:
    match error:
        case IncompatiblePeer():
            return "it only offers weak algorithms; update its sshd"
        case ChannelException():
            return "sshd there forbids it: MaxSessions, or AllowTcpForwarding of the jump host"
        case socket.gaierror():
            return "set ansible_host"
    return "is the host up, and is sshd listening there?"
