"""What etcdctl (`-w json`) and the gRPC gateway print, as values.

Both print the same messages; the gateway writes 64-bit integers as strings and enumerations by name, etcdctl writes
them as numbers. Python's integers hold a member ID exactly, which floats do not (LAB-NOTES).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from remediate.etcd.model import Alarm, Member
from remediate.node.display import shown

Json = Mapping[str, Any]

_ALARM_TEXT = re.compile(r"memberID:(\d+)\s+alarm:(\w+)")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")
_MILLISECONDS = {"h": 3.6e6, "m": 6e4, "s": 1e3, "ms": 1.0, "us": 1e-3, "µs": 1e-3, "ns": 1e-6}


class ParseError(ValueError):
    """An answer of etcd that is not what its versions print; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """`endpoint status`, or the gateway's `maintenance/status`.

    Attributes:
        raft_index: the last log index known to be committed.
        db_size, db_in_use: bytes.
        quota: bytes, 0 where the version does not say it (before 3.6).
        errors: as etcd words them: alarms, `etcdserver: no leader`.
    """

    version: str
    cluster_id: int
    member_id: int
    leader: int
    term: int
    raft_index: int
    applied_index: int
    db_size: int
    db_in_use: int
    quota: int
    is_learner: bool
    errors: tuple[str, ...]

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """The cluster's alarms as this member knows them, read from its errors.

        `alarm list` would say the same, but it goes through the log: it writes an entry and needs a quorum.
        """
        found = (match for error in self.errors for match in _ALARM_TEXT.finditer(error))
        return tuple(Alarm(int(match[1]), match[2]) for match in found)


@dataclass(frozen=True, slots=True)
class Health:
    """`endpoint health`: how long a linearizable read took, or why it failed.

    A member with an active alarm is unhealthy in etcd's eyes although the read went well: then `ms` is there,
    and the alarm is told by the status.
    """

    ms: float | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as `get -w json` and `kv/range` answer it.

    Attributes:
        value: None where the key is absent.
        mod_revision: the store's revision at its last change, 0 where it is absent.
        revision: the store's revision now.
    """

    value: bytes | None
    mod_revision: int
    revision: int


def load(text: str) -> Any:
    """The first line that is JSON of an answer, among whatever a client logs beside it; raises ParseError."""
    for line in text.splitlines():
        if not line.lstrip().startswith(("{", "[")):
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not _is_log(value):
            return value
    raise ParseError(f"no JSON answer in «{shown(text, 120)}»")


def _is_log(value: Any) -> bool:
    """Clients log in JSON too, on standard error."""
    return isinstance(value, dict) and "level" in value and "msg" in value


def parse_status(text: str) -> StatusAnswer:
    """One endpoint's status, from etcdctl's list of one or from the gateway's object; raises ParseError."""
    value = load(text)
    if isinstance(value, list):
        if len(value) != 1:
            raise ParseError(f"the status of one endpoint was expected, not of {len(value)}")
        value = value[0].get("Status") if isinstance(value[0], dict) else None
    header = value.get("header") if isinstance(value, dict) else None
    if not header or "version" not in value:
        raise ParseError(f"no status in «{shown(text, 120)}»")
    return StatusAnswer(
        version=str(value["version"]),
        cluster_id=_int(header, "cluster_id"),
        member_id=_int(header, "member_id"),
        leader=_int(value, "leader"),
        term=_int(value, "raftTerm"),
        raft_index=_int(value, "raftIndex"),
        applied_index=_int(value, "raftAppliedIndex"),
        db_size=_int(value, "dbSize"),
        db_in_use=_int(value, "dbSizeInUse"),
        quota=_int(value, "dbSizeQuota"),
        is_learner=bool(value.get("isLearner", False)),
        errors=tuple(str(error) for error in value.get("errors", ())),
    )


def _int(value: Json, key: str) -> int:
    """Protocol buffers leave zeros out of JSON."""
    return int(value.get(key, 0))


def parse_members(text: str) -> tuple[Member, ...]:
    """`member list`, sorted by ID; a member that was added and never started has no name. Raises ParseError."""
    value = load(text)
    if not isinstance(value, dict) or "members" not in value:
        raise ParseError(f"no member list in «{shown(text, 120)}»")
    return tuple(sorted((_member(row) for row in value["members"]), key=lambda member: member.id))


def _member(row: Json) -> Member:
    return Member(
        id=_int(row, "ID"),
        name=str(row.get("name", "")),
        peer_urls=tuple(row.get("peerURLs", ())),
        client_urls=tuple(row.get("clientURLs", ())),
        is_learner=bool(row.get("isLearner", False)),
    )


def parse_health(text: str) -> Health:
    """`endpoint health` of one endpoint; raises ParseError."""
    value = load(text)
    if not isinstance(value, list) or len(value) != 1:
        raise ParseError(f"the health of one endpoint was expected: «{shown(text, 120)}»")
    row = value[0]
    error = str(row.get("error", ""))
    if row.get("health") or error.startswith("Active Alarm"):
        return Health(duration_ms(str(row["took"])))
    return Health(None, error or "unhealthy")


def parse_key(text: str) -> StoredKey:
    """One key, from `get -w json` or `kv/range`; raises ParseError."""
    import base64

    value = load(text)
    if not isinstance(value, dict) or "header" not in value:
        raise ParseError(f"no answer to a read in «{shown(text, 120)}»")
    revision = _int(value["header"], "revision")
    for row in value.get("kvs", ()):
        return StoredKey(base64.b64decode(row.get("value", "")), _int(row, "mod_revision"), revision)
    return StoredKey(None, 0, revision)


def duration_ms(text: str) -> float:
    """Go's duration text, `1m2.5s` or `4.350832ms`, in milliseconds; raises ParseError."""
    parts = list(_DURATION.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise ParseError(f"{text!r} is no duration")
    return sum(float(part[1]) * _MILLISECONDS[part[2]] for part in parts)


def reason(text: str) -> str:
    """Why a client failed, in a few words: the part of its output that a person can act on."""
    for sign, meaning in _REASONS:
        if re.search(sign, text):
            return meaning
    plain = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("{")]
    return shown(plain[-1], 120) if plain else "no answer"


_REASONS: Iterable[tuple[str, str]] = (
    (
        r"certificate has expired|expired certificate|certificate expired",
        "a TLS certificate has expired or is not yet valid; renew the certificates of this node",
    ),
    (
        r"unknown authority|unable to get local issuer|unknown ca",
        "TLS: the certificate is not signed by a CA that the other side trusts",
    ),
    (
        # TLS 1.3 clients have finished when the server looks at their certificate; they see the connection end.
        r"bad certificate|certificate required|broken pipe|errno 107|reset by peer|closed network connection",
        "the server closed the connection; over TLS that means that it does not accept the client's certificate",
    ),
    (
        r"certificate is valid for|no alternative certificate",
        "TLS: the server's certificate does not name this address",
    ),
    (
        r"connection refused|Failed to connect|Couldn't connect",
        "connection refused: nothing listens on the client port",
    ),
    (r"no such file or directory", "a certificate file is missing"),
    (r"permission denied|Permission denied", "permission denied"),
    (r"not supported for learner", "a learner serves no linearizable reads"),
    (r"no leader", "etcdserver: no leader"),
    (r"deadline exceeded|timed out", "no answer in time"),
)
