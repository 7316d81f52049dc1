"""Real answers of etcdctl and the gateway, 3.4 to 3.6, as values."""

from __future__ import annotations

from pathlib import Path

import pytest

from remediate.etcd.model import Alarm
from remediate.etcd.parse import (
    ParseError,
    duration_ms,
    parse_health,
    parse_key,
    parse_members,
    parse_status,
    reason,
)

DATA = Path(__file__).parents[2] / "data" / "etcd"
LEADER_34, FIRST = 16558758182256318546, 758659209188475983
VERSIONS = ("3.4", "3.5")


def read(version: str, name: str) -> str:
    return (DATA / version / name).read_text()


@pytest.mark.parametrize("name", ["status.json", "gateway-status.json"])
def test_status_of_3_4_to_the_last_bit(name: str) -> None:
    status = parse_status(read("3.4", name))
    assert (status.version, status.cluster_id, status.member_id) == ("3.4.23", 13804233570155918642, FIRST)
    assert status.leader == LEADER_34
    assert status.db_size == 24576
    assert status.db_in_use == 16384
    assert (status.term, status.raft_index) in ((2, 29), (2, 30))
    assert status.quota == 0
    assert not status.is_learner
    assert status.alarms == ()


@pytest.mark.parametrize("name", ["status.json", "gateway-status.json"])
def test_status_of_3_6_tells_the_quota(name: str) -> None:
    status = parse_status(read("3.6", name))
    assert (status.version, status.quota, status.leader) == ("3.6.4", 8589934592, LEADER_34)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_leader_is_zero(version: str) -> None:
    status = parse_status(read(version, "status-no-quorum.json"))
    assert (status.leader, status.errors, status.alarms) == (0, ("etcdserver: no leader",), ())


@pytest.mark.parametrize("version", VERSIONS)
def test_alarms_as_the_status_tells_them(version: str) -> None:
    alarm = Alarm(10276657743932975437, "NOSPACE")
    assert parse_status(read(version, "status-nospace.json")).alarms == (alarm,)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["members.json", "gateway-members.json"])
def test_members_by_id(version: str, name: str) -> None:
    members = parse_members(read(version, name))
    assert [(member.id, member.name) for member in members] == [
        (FIRST, "m1"),
        (13148557906461751675, "m3"),
        (LEADER_34, "m2"),
    ]
    assert members[0].peer_urls == ("https://127.0.0.1:2380",)
    assert members[0].client_urls == ("https://127.0.0.1:2379",)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["members-unstarted-learner.json", "gateway-members-unstarted-learner.json"])
def test_a_learner_that_never_started(version: str, name: str) -> None:
    learner = next(member for member in parse_members(read(version, name)) if member.is_learner)
    assert (learner.name, learner.client_urls, learner.peer_urls) == ("", (), ("http://127.0.0.2:2380",))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_running_learner(version: str) -> None:
    assert parse_status(read(version, "status-learner.json")).is_learner


def test_health_is_how_long_a_read_took() -> None:
    assert parse_health(read("3.4", "health.json")).ms == 4.086596
    assert parse_health(read("3.5", "health.json")).ms == 4.350832


def test_an_alarm_does_not_make_the_read_fail() -> None:
    """3.5 calls the member unhealthy for its alarm, 3.4 does not; both read in time."""
    assert parse_health(read("3.4", "health-nospace.txt")).ms == 2.135592
    assert parse_health(read("3.5", "health-nospace.txt")).ms == 2.391882


@pytest.mark.parametrize("version", VERSIONS)
def test_a_silent_member_behind_the_clients_own_log_lines(version: str) -> None:
    health = parse_health(read(version, "health-down.txt"))
    assert (health.ms, health.error) == (None, "context deadline exceeded")
    with pytest.raises(ParseError, match="not of 0"):
        parse_status(read(version, "status-down.txt"))
    assert reason(read(version, "status-down.txt")).startswith("connection refused")


@pytest.mark.parametrize("version", VERSIONS)
def test_keys(version: str) -> None:
    for name in ("key.json", "gateway-key.json"):
        key = parse_key(read(version, name))
        assert (key.value, key.mod_revision, key.revision) == (b"5", 2, 22)
    absent = parse_key(read(version, "key-absent.json"))
    assert (absent.value, absent.mod_revision, absent.revision) == (None, 0, 22)


@pytest.mark.parametrize("parser", [parse_status, parse_members, parse_health, parse_key])
@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", "Error: x", '{"level":"warn","msg":"x"}', "{", "[1, 2]", "[" * 100000]
)
def test_anything_else_is_no_answer(parser: object, text: str) -> None:
    with pytest.raises(ParseError):
        parser(text)  # type: ignore[operator]


def test_a_reason_cannot_move_the_terminal() -> None:
    assert reason("\x1b[2Jgone\x07") == "\\x1b[2Jgone\\x07"
    assert len(reason("x" * 10_000)) < 200


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("4.350832ms", 4.350832),
        ("1m2.5s", 62500),
        ("2.000755087s", 2000.755087),
        ("830µs", 0.83),
        ("1h0m0s", 3.6e6),
    ],
)
def test_durations_of_go(text: str, ms: float) -> None:
    assert duration_ms(text) == pytest.approx(ms)


@pytest.mark.parametrize("text", ["", "5", "ms", "1 s", "s5"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ParseError):
        duration_ms(text)
