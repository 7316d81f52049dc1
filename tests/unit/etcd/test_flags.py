"""Flags by version, and the rules between them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.errors import Refused
from remediate.etcd.flags import check_environment, check_flags, check_places, flags_of, second_round
from remediate.etcd.known import Flag, known_flags, parse_version
from remediate.etcd.model import EtcdStatus

DATA = Path(__file__).parents[2] / "data" / "etcd"


@pytest.mark.parametrize(
    ("argv", "environment", "flags"),
    [
        (["etcd"], {}, {}),
        (["etcd", "--name=a", "-name=b"], {}, {"name": "b"}),
        (
            ["etcd", "--name", "a", "--pre-vote", "--max-wals", "5"],
            {},
            {"name": "a", "pre-vote": "true", "max-wals": "5"},
        ),
        (["etcd", "--pre-vote=false"], {}, {"pre-vote": "false"}),
        (
            ["etcd", "--initial-cluster=a=http://x,b=http://y"],
            {},
            {"initial-cluster": "a=http://x,b=http://y"},
        ),
        (["etcd", "--name", "-a"], {}, {"name": "-a"}),
        (["etcd", "--pre-vote", "false", "--name=a"], {}, {"pre-vote": "true"}),
        (["etcd", "--new-thing", "5", "--name=a"], {}, {"new-thing": "5", "name": "a"}),
        (["etcd", "--new-thing", "--name=a"], {}, {"new-thing": "true", "name": "a"}),
        (["etcd", "--name"], {}, {"name": "true"}),
        (["etcd"], {"ETCD_MAX_WALS": "7", "HOME": "/", "ETCD_UNSUPPORTED_ARCH": "arm"}, {"max-wals": "7"}),
        (["etcd", "--max-wals=5"], {"ETCD_MAX_WALS": "7"}, {"max-wals": "5"}),
    ],
)
def test_a_command_line_is_read_as_etcd_reads_it(
    argv: list[str], environment: dict[str, str], flags: dict[str, str]
) -> None:
    assert flags_of(argv, environment) == flags


@pytest.mark.parametrize("version", ["3.4.23", "3.5.1", "3.5.16", "3.5.30"])
def test_the_table_is_what_the_binaries_say(version: str) -> None:
    """`flags.json` is what each binary answered when it was given every name that any of them has."""
    accepted = set(json.loads((DATA / "flags.json").read_text())[version])
    here = {flag.name for flag in known_flags().values() if flag.known_to(parse_version(version))}
    # No 3.4 lists unsafe-no-fsync in its help although it takes it; the rest is no setting of a running server.
    assert accepted - here == {"help", "version", "snapshot"} | (
        {"unsafe-no-fsync", "log-output"} if version == "3.4.23" else set()
    )
    assert here <= accepted


@pytest.mark.parametrize(
    ("since", "until", "version", "known"),
    [
        ("3.4.20 3.5.5", None, "3.4.19", False),
        ("3.4.20 3.5.5", None, "3.4.20", True),
        ("3.4.20 3.5.5", None, "3.5.4", False),
        ("3.4.20 3.5.5", None, "3.5.5", True),
        ("3.4.20 3.5.5", None, "3.6.0", True),
        ("3.5.0", None, "3.4.23", False),
        ("3.4.0", "3.6.0", "3.5.30", True),
        ("3.4.0", "3.6.0", "3.6.1", False),
    ],
)
def test_patch_releases_bring_flags(since: str, until: str | None, version: str, known: bool) -> None:
    flag = Flag(
        "x",
        "text",
        tuple(parse_version(word) for word in since.split()),
        parse_version(until) if until else None,
    )
    assert flag.known_to(parse_version(version)) is known


@pytest.mark.parametrize(
    ("flags", "version", "why"),
    [
        ({"unsafe-no-fsync": "true"}, "3.4.23", "etcd 3.4.23 does not know the flag unsafe-no-fsync"),
        ({"experimental-compaction-sleep-interval": "5ms"}, "3.5.1", "does not know"),
        ({"compaction-batch-limit": "5"}, "3.5.16", "called experimental-compaction-batch-limit there"),
        ({"experimental-compaction-batch-limit": "5"}, "3.7.0", "called compaction-batch-limit there"),
        ({"experimental-initial-corrupt-check": "true"}, "3.7.0", "feature-gates: InitialCorruptCheck=true"),
        ({"proxy-refresh-interval": "70000"}, "3.6.4", "does not know the flag proxy-refresh-interval"),
        ({"heartbeat-intervall": "70"}, "3.5.16", "nearest is heartbeat-interval"),
        ({"heartbeat-interval": "250"}, None, "less than 5 × heartbeat-interval=250"),
        ({"election-timeout": "499"}, None, "at least 500"),
        ({"election-timeout": "50001"}, None, "at most 50000"),
        ({"heartbeat-interval": "0"}, None, "does not start with 0"),
        ({"heartbeat-interval": "-5"}, None, "expected milliseconds"),
        ({"heartbeat-interval": "100ms"}, None, "expected a whole number"),
        ({"election-timeout": "5s"}, None, "expected a whole number"),
        ({"auto-compaction-mode": "revision", "auto-compaction-retention": "1h"}, None, "never compact"),
        ({"auto-compaction-mode": "hourly"}, None, "expected periodic or revision"),
        ({"auto-compaction-retention": "often"}, None, "expected hours"),
        ({"pre-vote": "yes"}, None, "expected true or false"),
        ({"max-wals": "many"}, None, "expected a whole number"),
        ({"grpc-keepalive-timeout": "20"}, None, "expected a duration"),
        ({"quota-backend-bytes": "-1"}, None, "no quota at all"),
        ({"listen-client-urls": "http://127.0.0.1:2379"}, None, "advertise-client-urls"),
        ({"initial-cluster": "a=b", "discovery": "http://x"}, None, "exclude each other"),
    ],
)
def test_what_etcd_would_not_start_with_is_refused(
    flags: dict[str, str], version: str | None, why: str
) -> None:
    with pytest.raises(Refused) as caught:
        check_flags(flags, version, where="n1")
    assert why in str(caught.value)
    assert caught.value.where == "n1"


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"heartbeat-interval": "250", "election-timeout": "1250"},
        {"heartbeat-interval": "200"},
        {"election-timeout": "50000"},
        {"auto-compaction-mode": "revision", "auto-compaction-retention": "1000"},
        {"auto-compaction-mode": "periodic", "auto-compaction-retention": "1h30m"},
        {"auto-compaction-retention": "8"},
        {"pre-vote": "T", "snapshot-count": "10000", "backend-batch-interval": "100ms"},
    ],
)
def test_what_etcd_starts_with_is_accepted(flags: dict[str, str]) -> None:
    check_flags(flags, "3.5.16")


def test_a_running_server_has_proved_that_it_knows_its_flags() -> None:
    with pytest.raises(Refused, match="own-patch"):
        check_flags({"own-patch": "1"}, "3.5.16")
    check_flags({"own-patch": "1"}, "3.5.16", running={"own-patch": "0"})


def test_a_quota_below_the_database_is_refused() -> None:
    status = EtcdStatus(
        "etcd", "", "3.5.16", 1, 1, 1, 1, 1, 1, 3 * 2**30, 2**30, 8 * 2**30, False, (), (), 1.0
    )
    name = "quota-backend-bytes"
    with pytest.raises(Refused, match="less than the database's 3221225472 bytes"):
        check_flags({name: str(2 * 2**30)}, "3.5.16", status=status)
    check_flags({name: str(4 * 2**30)}, "3.5.16", status=status)
    check_flags({name: str(2 * 2**30)}, "3.5.16", running={name: str(2 * 2**30)}, status=status)


def test_a_setting_in_both_places_is_refused() -> None:
    with pytest.raises(Refused, match="max-wals is set as flag and as ETCD_MAX_WALS"):
        check_places(["etcd", "--max-wals=5"], {"ETCD_MAX_WALS": "5"}, where="n1")
    check_places(["etcd", "--max-wals=5"], {"ETCD_NAME": "a"})


@pytest.mark.parametrize("value", ["true", "1", "T"])
@pytest.mark.parametrize("environment", ["production", "staging", ""])
def test_no_fsync_only_where_writes_may_be_lost(value: str, environment: str) -> None:
    with pytest.raises(Refused, match="unsafe-no-fsync loses acknowledged writes"):
        check_environment({"unsafe-no-fsync": value}, environment)
    check_environment({"unsafe-no-fsync": value}, "dev")
    check_environment({"unsafe-no-fsync": value}, "lab")
    check_environment({"unsafe-no-fsync": "false"}, environment)


@pytest.mark.parametrize(
    ("flags", "changes", "second"),
    [
        ({}, {"heartbeat-interval": "250", "election-timeout": "2500"}, {"heartbeat-interval"}),
        ({}, {"heartbeat-interval": "50", "election-timeout": "500"}, {"election-timeout"}),
        ({}, {"heartbeat-interval": None, "election-timeout": "5000"}, set()),
        ({}, {"heartbeat-interval": "150"}, {"heartbeat-interval"}),
        # What a killed first round leaves: this member has its election time-out already, others may not.
        (
            {"election-timeout": "10000"},
            {"heartbeat-interval": "1000", "election-timeout": "10000"},
            {"heartbeat-interval"},
        ),
        ({"election-timeout": "2500"}, {"election-timeout": None}, {"election-timeout"}),
        ({}, {"max-wals": "5"}, set()),
        ({}, {"heartbeat-interval": "100", "election-timeout": "1000"}, set()),
    ],
)
def test_which_timers_wait_for_the_second_round(
    flags: dict[str, str], changes: dict[str, str | None], second: set[str]
) -> None:
    assert second_round(flags, changes) == second


timer = st.tuples(st.integers(1, 800), st.integers(5, 60)).map(lambda pair: (pair[0], pair[0] * pair[1]))


@given(old=st.lists(timer, min_size=3, max_size=3), new=timer)
def test_at_every_moment_of_both_rounds_the_cluster_can_elect(
    old: list[tuple[int, int]], new: tuple[int, int]
) -> None:
    """Whatever members begin with, no change makes one's election time-out less than 5 × another's heartbeat."""
    names = ("heartbeat-interval", "election-timeout")
    after = dict(zip(names, map(str, new), strict=True))
    members = [dict(zip(names, map(str, pair), strict=True)) for pair in old]
    late = [second_round(member, after) for member in members]

    def room() -> int:
        slowest = max(int(member["heartbeat-interval"]) for member in members)
        return min(int(member["election-timeout"]) for member in members) - 5 * slowest

    for number in (1, 2):
        for member, waits in zip(members, late, strict=True):
            before = min(room(), 0)
            member.update({n: after[n] for n in names if (n in waits) == (number == 2)})
            check_flags(member, "3.5.16")
            assert room() >= before, "no worse than it was, and good wherever it was good"
    assert members == [after] * 3
