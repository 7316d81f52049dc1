"""etcd's JSON gateway, asked from this machine with the lab's client certificate."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any

from remediate.lab.spec import Lab, NodeSpec


class EtcdUnavailableError(Exception):
    """The member did not answer, or not with success."""


@dataclass(frozen=True, slots=True)
class Status:
    """A member's answer to `/v3/maintenance/status`; IDs as hexadecimal text."""

    member_id: str
    leader_id: str
    db_size: int
    db_in_use: int
    revision: int


class Gateway:
    """One connection to one member; sizes in bytes, times in seconds."""

    def __init__(self, lab: Lab, node: NodeSpec, *, timeout: float = 5) -> None:
        context = ssl.create_default_context(cafile=str(lab.pki / "ca.crt"))
        context.load_cert_chain(lab.pki / "client.crt", lab.pki / "client.key")
        self._connection = http.client.HTTPSConnection(node.ip, 2379, timeout=timeout, context=context)

    def healthy(self) -> bool:
        """What `/health` says: the member has a leader and can propose."""
        try:
            return self._ask("GET", "/health").get("health") == "true"
        except EtcdUnavailableError:
            return False

    def status(self) -> Status:
        """The member's own view.

        Raises:
            EtcdUnavailableError: no answer.
        """
        said = self._ask("POST", "/v3/maintenance/status", {})
        return Status(
            member_id=hex_id(said["header"]["member_id"]),
            leader_id=hex_id(said.get("leader", "0")),
            db_size=int(said.get("dbSize", 0)),
            db_in_use=int(said.get("dbSizeInUse", 0)),
            revision=int(said["header"].get("revision", 0)),
        )

    def members(self) -> dict[str, str]:
        """Member name → ID.

        Raises:
            EtcdUnavailableError: no answer.
        """
        said = self._ask("POST", "/v3/cluster/member/list", {})
        return {one.get("name", ""): hex_id(one["ID"]) for one in said.get("members", ())}

    def put(self, key: str, value: bytes) -> None:
        """Write a key.

        Raises:
            EtcdUnavailableError: not acknowledged.
        """
        self._ask("POST", "/v3/kv/put", {"key": _text(key.encode()), "value": _text(value)})

    def compact(self, revision: int) -> None:
        """Forget everything older than a revision and wait until the database has done it.

        Raises:
            EtcdUnavailableError: refused.
        """
        self._ask("POST", "/v3/kv/compaction", {"revision": str(revision), "physical": True})

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body))
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            self._connection.close()  # the next request opens a new one
            raise EtcdUnavailableError(str(problem)) from None
        if answer.status != http.HTTPStatus.OK:
            raise EtcdUnavailableError(text.decode("utf-8", "backslashreplace"))
        try:
            said: dict[str, Any] = json.loads(text)
        except ValueError as problem:
            raise EtcdUnavailableError(str(problem)) from None
        return said


def hex_id(number: str | int) -> str:
    """A 64-bit ID as etcdctl shows it; the gateway sends decimals as text because JSON's floats would corrupt them."""
    return f"{int(number):x}"


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
