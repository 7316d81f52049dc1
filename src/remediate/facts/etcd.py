"""The etcd servers of a host: their processes, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Literal

from remediate.etcd.model import EtcdProcess, EtcdStatus, Member
from remediate.etcd.parse import (
    Health,
    ParseError,
    StoredKey,
    parse_health,
    parse_key,
    parse_members,
    parse_status,
    reason,
)
from remediate.facts.base import Fact, FactError, Frame
from remediate.facts.blocks import Block, servers

Via = Literal["auto", "etcdctl", "container", "gateway"]

DEFAULT_QUOTA = 2 * 1024**3
"""Bytes: what etcd takes for `--quota-backend-bytes=0`, its default (etcd, server/storage/quota.go)."""


@dataclass(frozen=True)
class EtcdProcesses(Fact[tuple[EtcdProcess, ...]]):
    """The running etcd servers, main one first. A k3s server with embedded etcd counts as one."""

    needs: ClassVar[tuple[str, ...]] = ("etcd",)
    timeout: ClassVar[int] = 0

    def probe(self) -> str:
        """Only built-ins: the prelude has read everything."""
        return "etcd_show"

    def parse(self, frame: Frame) -> tuple[EtcdProcess, ...]:
        """Processes in the order main one, then by name."""
        found = [_process(pid, instance, parts) for pid, instance, parts in servers(frame.out)]
        return tuple(sorted(found, key=lambda process: (process.instance != "etcd", process.instance)))


def _process(pid: int, instance: str, parts: tuple[Block, ...]) -> EtcdProcess:
    by_name = {part.name: part for part in parts}
    if not {"ticks", "argv", "env"} <= by_name.keys():
        raise FactError(f"the command line of process {pid} could not be read")
    environment = (_unescape(line).partition("=") for line in by_name["env"].lines)
    root = by_name.get("root")
    return EtcdProcess(
        instance=instance,
        pid=pid,
        start_ticks=int(by_name["ticks"].words[0]),
        argv=tuple(_unescape(line) for line in by_name["argv"].lines),
        environment={name: value for name, _, value in environment},
        root=root.words[0] if root else "",
    )


def _unescape(word: str) -> str:
    """The prelude writes a newline inside a word as \\001."""
    return word.replace("\x01", "\n")


@dataclass(frozen=True, slots=True)
class EtcdAnswer:
    """What one local server answered: a status, or why there is none.

    Attributes:
        instance: as in EtcdProcess.
        status: None where it did not answer.
        error: why; empty where it did.
    """

    instance: str
    status: EtcdStatus | None = None
    error: str = ""


@dataclass(frozen=True)
class EtcdApi(Fact[tuple[EtcdAnswer, ...]]):
    """Status, members, alarms and a timed linearizable read of each local server.

    Attributes:
        via: `auto` asks the gateway with curl, else etcdctl on the host, else etcdctl in the container.
    """

    via: Via = "auto"
    needs: ClassVar[tuple[str, ...]] = ("etcd", "etcdctl")
    timeout: ClassVar[int] = 20

    def probe(self) -> str:
        """One block of answers per server."""
        return f"etcd_each {self.via} etcd_ask_status"

    def parse(self, frame: Frame) -> tuple[EtcdAnswer, ...]:
        """One answer per server; a server that is silent is an answer too."""
        return tuple(_answer(instance, parts) for _, instance, parts in servers(frame.out))


def _answer(instance: str, parts: tuple[Block, ...]) -> EtcdAnswer:
    try:
        return EtcdAnswer(instance, status=_status(instance, parts))
    except (ParseError, LookupError, ValueError, TypeError, AttributeError):
        return EtcdAnswer(instance, error=_why(parts))


def _why(parts: tuple[Block, ...]) -> str:
    """Why nothing answered; an expired certificate explains whatever the client made of it."""
    for part in parts:
        if part.name == "none":
            return (
                f"cannot ask etcd: none of {', '.join(part.words)} is on this node (install etcdctl or curl)"
            )
    said = [part.lines for part in parts if part.name in ("status", "gateway", "key")]
    words = [line for line in (said[-1] if said else ()) if not line.startswith("~ ")]
    return _expired(parts) or reason("\n".join(words))


def _expired(parts: tuple[Block, ...]) -> str:
    """Which of the certificates that the probe showed is out of its time by the node's clock; empty where none is."""
    from cryptography import x509

    now = next(
        (datetime.fromtimestamp(int(part.words[0]), UTC) for part in parts if part.name == "now"), None
    )
    for part in parts if now else ():
        if part.name != "cert":
            continue
        try:
            cert = x509.load_pem_x509_certificate(part.text.encode())
        except ValueError:
            return f"TLS: {part.words[0]} is no certificate"
        if now and not cert.not_valid_before_utc <= now <= cert.not_valid_after_utc:
            return (
                f"TLS: the certificate {part.words[0]} has expired or is not yet valid "
                f"({cert.not_valid_before_utc:%Y-%m-%d} to {cert.not_valid_after_utc:%Y-%m-%d}); renew it"
            )
    return ""


def _status(instance: str, parts: tuple[Block, ...]) -> EtcdStatus:
    """The last way that was tried is the one that answered. Raises ParseError and the like where none did."""
    by_name = {part.name: part for part in parts}
    via = by_name["via"].words[0]
    if via == "gateway":
        answers = exchanges(by_name["gateway"].lines)
        said = parse_status(answers[0].text)
        members, health = _members(answers[1].text), _read_health(answers[2])
    else:
        said = parse_status(by_name["status"].text)
        members = _members(by_name["members"].text if "members" in by_name else "")
        health = _health(by_name.get("health"), said.is_learner)
    flag = by_name["quota"].words[0]
    return EtcdStatus(
        instance=instance,
        via=via,
        version=said.version,
        cluster_id=said.cluster_id,
        member_id=said.member_id,
        leader=said.leader,
        term=said.term,
        raft_index=said.raft_index,
        applied_index=said.applied_index,
        db_size=said.db_size,
        db_in_use=said.db_in_use,
        quota=said.quota or int(flag) or DEFAULT_QUOTA,
        is_learner=said.is_learner,
        members=members,
        alarms=said.alarms,
        health_ms=health.ms,
        health_error=health.error,
        errors=said.errors,
    )


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answer of the gateway.

    Attributes:
        code: HTTP status, 0 where there was no answer.
        ms: milliseconds from the request to the end of the answer.
        text: the body.
    """

    code: int
    ms: float
    text: str


def exchanges(lines: Sequence[str]) -> tuple[Exchange, ...]:
    """What the prelude's `etcd_curl` printed: bodies, each closed by a line `~ CODE SECONDS`."""
    found: list[Exchange] = []
    body: list[str] = []
    for line in lines:
        if line.startswith("~ "):
            _, code, seconds = line.split(" ")
            found.append(Exchange(int(code), float(seconds) * 1000, "\n".join(body)))
            body = []
        else:
            body.append(line)
    return tuple(found)


def _read_health(exchange: Exchange) -> Health:
    if exchange.code == 200:
        return Health(exchange.ms)
    return Health(None, reason(exchange.text) if exchange.text else "no answer in time")


def _members(text: str) -> tuple[Member, ...]:
    """Empty where the list could not be had: a learner does not give it, nor does etcdctl ≥ 3.5 without a leader."""
    try:
        return parse_members(text)
    except ParseError:
        return ()


def _health(part: Block | None, is_learner: bool) -> Health:
    if part is None:
        return Health(None, "a learner serves no linearizable reads" if is_learner else "no answer in time")
    try:
        return parse_health(part.text)
    except ParseError:
        return Health(None, reason(part.text))


@dataclass(frozen=True, slots=True)
class CompactKey:
    """The key by which Kubernetes' API servers agree on compaction; `key` is None where etcd did not answer."""

    instance: str
    key: StoredKey | None
    error: str = ""

    @property
    def alive(self) -> bool | None:
        """Whether an API server compacts this store; None where that is not known.

        At every round (5 minutes) it writes into the key the revision of the round before, so the key tells how many
        revisions a round takes: three rounds' worth without a new one means that nobody compacts any more
        (kubernetes/apiserver, storage/etcd3/compact.go). 1000 is what two idle controllers' leases write in a round.
        """
        if self.key is None:
            return None
        if self.key.value is None:
            return False
        text = self.key.value.decode("ascii", "replace")
        before = int(text) if text.isdecimal() else 0
        return self.key.revision - self.key.mod_revision <= 3 * max(self.key.mod_revision - before, 1000)


@dataclass(frozen=True)
class CompactRevKey(Fact[tuple[CompactKey, ...]]):
    """`compact_rev_key` of each local server."""

    via: Via = "auto"
    needs: ClassVar[tuple[str, ...]] = ("etcd", "etcdctl")
    timeout: ClassVar[int] = 12

    def probe(self) -> str:
        """A serializable read: it needs no quorum and costs the leader nothing."""
        return f"etcd_each {self.via} etcd_ask_compact"

    def parse(self, frame: Frame) -> tuple[CompactKey, ...]:
        """One key per server."""
        return tuple(_compact_key(instance, parts) for _, instance, parts in servers(frame.out))


def _compact_key(instance: str, parts: tuple[Block, ...]) -> CompactKey:
    by_name = {part.name: part for part in parts}
    part = by_name.get("gateway") if by_name.get("via", _NO_WAY).words == ("gateway",) else by_name.get("key")
    try:
        return CompactKey(instance, parse_key(part.text if part else ""))
    except ParseError:
        return CompactKey(instance, None, _why(parts))


_NO_WAY = Block("via", (), ())
