"""etcd's flags: how a command line is read, what each version takes, and the rules between flags.

The rules are those of etcd's own start-up check (server/embed/config.go, `Validate`) and of FIELD-NOTES, applied to the
result of an edit, so that nothing is written with which a member would not start. All functions are pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from remediate.errors import Refused
from remediate.etcd.known import Version, instead, known_flags, parse_version
from remediate.etcd.model import EtcdStatus
from remediate.etcd.refusal import refused_at

HEARTBEAT, ELECTION = "heartbeat-interval", "election-timeout"
TIMER_DEFAULTS = {HEARTBEAT: "100", ELECTION: "1000"}
"""Milliseconds (etcd, op-guide/configuration)."""

MAX_ELECTION_MS = 50_000
"""etcd refuses more (server/embed/config.go, maxElectionMs)."""

LOSSY = ("dev", "lab")
"""Values of `remediate_environment` in which acknowledged writes may be lost (SAFETY, I1)."""

_DURATION = re.compile(r"[+-]?(?:0|(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+")
_SWITCH = frozenset({"1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"})
"""What Go's strconv.ParseBool takes."""


def flags_of(argv: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The settings that a server runs with, by flag name without dashes; of a repeated flag the last wins.

    Args:
        argv: the command line with the program first; `--a=b`, `--a b`, `-a=b` and bare switches (`"true"`).
        environment: `ETCD_HEARTBEAT_INTERVAL=250` and the like.
    """
    return settings_of(environment or {}) | {name: value for name, value in _words(argv[1:])}


def settings_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings among a server's environment variables, by flag name; etcd passes over names that are no flags."""
    pairs = ((flag_name(name), value) for name, value in environment.items() if name.startswith("ETCD_"))
    return {name: value for name, value in pairs if name in known_flags()}


def _words(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-") or word in ("-", "--"):
            return  # Go's flag package stops at the first word that is no flag
        name, has_value, value = word.lstrip("-").partition("=")
        if not has_value:
            value = left.pop(0) if takes_next(name, left) else "true"
        yield name, value


def takes_next(name: str, left: Sequence[str]) -> bool:
    """Whether a flag that stands without `=` takes the next word: all but switches do; unknown ones are guessed."""
    flag = known_flags().get(name)
    return bool(left) and (flag.kind != "switch" if flag else not left[0].startswith("-"))


def flag_name(variable: str) -> str:
    """`ETCD_HEARTBEAT_INTERVAL` is `heartbeat-interval`."""
    return variable.removeprefix("ETCD_").lower().replace("_", "-")


def variable_name(flag: str) -> str:
    """`heartbeat-interval` is `ETCD_HEARTBEAT_INTERVAL`."""
    return "ETCD_" + flag.upper().replace("-", "_")


def second_round(flags: Mapping[str, str], changes: Mapping[str, str | None]) -> frozenset[str]:
    """Which timers must wait until the whole cluster has gone through a first round of changes.

    Members with mixed timers must stay able to elect, so that at every moment each election time-out is at least five
    of anybody's heartbeats: what gives more room (a longer election time-out, a shorter heartbeat) goes first
    everywhere. It is decided by the timer's own direction, never by what else a host needs: hosts may differ when a
    run begins.

    Args:
        flags: as they are.
        changes: new values by flag name; None removes the flag.
    """
    wished = {name: value or TIMER_DEFAULTS.get(name, "") for name, value in changes.items()}
    old, new = _timers(flags), _timers({**flags, **wished})
    longer_heartbeat, shorter_election = new[0] > old[0], new[1] < old[1]
    return frozenset([HEARTBEAT] * longer_heartbeat + [ELECTION] * shorter_election)


def _timers(flags: Mapping[str, str]) -> tuple[int, int]:
    """Heartbeat interval and election time-out in milliseconds; raises Refused where one is no number."""
    heartbeat, election = (flags.get(name, TIMER_DEFAULTS[name]) for name in (HEARTBEAT, ELECTION))
    for name, value in ((HEARTBEAT, heartbeat), (ELECTION, election)):
        if not value.isdecimal():
            raise Refused(f"{name}={value}: expected milliseconds")
    return int(heartbeat), int(election)


def check_flags(
    flags: Mapping[str, str],
    version: str | None,
    *,
    where: str = "",
    running: Mapping[str, str] | None = None,
    status: EtcdStatus | None = None,
) -> None:
    """Refuse a set of flags with which this version would not start, or would do what nobody wants.

    Args:
        flags: the result of an edit, all flags by name.
        version: the binary's; None leaves out what depends on it.
        where: host, for the message.
        running: flags that the server runs with now: it has proved that it knows these names.
        status: what the member says of its database, for the quota.

    Raises:
        Refused: names the flag, the value, and what to do.
    """
    with refused_at(where):
        _check_known(flags, version, running or {})
        for name, value in flags.items():
            _check_kind(name, value)
        _check_timers(flags)
        _check_compaction(flags)
        _check_quota(flags, running or {}, status)
        _check_urls(flags)


def _check_known(flags: Mapping[str, str], version: str | None, running: Mapping[str, str]) -> None:
    if not version:
        return
    number: Version = parse_version(version)
    for name in flags:
        flag = known_flags().get(name)
        if name not in running and not (flag and flag.known_to(number)):
            raise Refused(f"etcd {version} does not know the flag {name}", hint=instead(name, number))


def _check_kind(name: str, value: str) -> None:
    flag = known_flags().get(name)
    kind = flag.kind if flag else "text"
    if kind == "switch" and value not in _SWITCH:
        raise Refused(f"{name}={value}: expected true or false")
    if kind == "number" and not re.fullmatch(r"-?\d+", value):
        raise Refused(f"{name}={value}: expected a whole number")
    if kind == "duration" and not _DURATION.fullmatch(value):
        raise Refused(f"{name}={value}: expected a duration such as 10s")


def _check_timers(flags: Mapping[str, str]) -> None:
    heartbeat, election = _timers(flags)
    if heartbeat == 0 or election == 0:
        raise Refused(f"{HEARTBEAT}={heartbeat}, {ELECTION}={election}: etcd does not start with 0")
    if election > MAX_ELECTION_MS:
        raise Refused(f"{ELECTION}={election}: etcd takes at most {MAX_ELECTION_MS} ms")
    if election < 5 * heartbeat:
        raise Refused(
            f"{ELECTION}={election} is less than 5 × {HEARTBEAT}={heartbeat}: etcd would not start",
            hint=f"set {ELECTION} to at least {5 * heartbeat} with it, better {10 * heartbeat}",
        )


def _check_compaction(flags: Mapping[str, str]) -> None:
    mode, retention = (
        flags.get("auto-compaction-mode", "periodic"),
        flags.get("auto-compaction-retention", "0"),
    )
    if mode not in ("periodic", "revision"):
        raise Refused(f"auto-compaction-mode={mode}: expected periodic or revision")
    if mode == "revision" and not retention.isdecimal():
        raise Refused(
            f"auto-compaction-mode=revision with auto-compaction-retention={retention}: etcd would read it as a "
            "huge number of revisions and never compact",
            hint="give a number of revisions, or use the mode periodic",
        )
    if mode == "periodic" and not (retention.isdecimal() or _DURATION.fullmatch(retention)):
        raise Refused(f"auto-compaction-retention={retention}: expected hours, or a duration such as 5m")


def _check_quota(flags: Mapping[str, str], running: Mapping[str, str], status: EtcdStatus | None) -> None:
    """A quota below the file's size raises NOSPACE at the next write; OKD never lowers one (FIELD-NOTES)."""
    name = "quota-backend-bytes"
    quota = int(flags.get(name, "0"))
    if quota < 0:
        raise Refused(
            f"{name}={quota}: etcd would have no quota at all", hint="give 2 GiB to 32 GiB in bytes"
        )
    if status and quota != int(running.get(name, "0")) and 0 < quota < status.db_size:
        raise Refused(
            f"{name}={quota} is less than the database's {status.db_size} bytes: etcd would take no more writes",
            hint="defragment first, or give a larger quota",
        )


def _check_urls(flags: Mapping[str, str]) -> None:
    if flags.get("listen-client-urls") and not flags.get("advertise-client-urls"):
        raise Refused("listen-client-urls needs advertise-client-urls beside it: etcd would not start")
    if flags.get("initial-cluster") and (flags.get("discovery") or flags.get("discovery-srv")):
        raise Refused("initial-cluster and discovery exclude each other: etcd would not start")


def check_places(argv: Sequence[str], environment: Mapping[str, str], *, where: str = "") -> None:
    """Refuse a setting given as flag and as environment variable: etcd exits over it.

    Raises:
        Refused: names both.
    """
    twice = sorted(dict(_words(argv[1:])).keys() & settings_of(environment).keys())
    if twice:
        raise Refused(
            f"{twice[0]} is set as flag and as {variable_name(twice[0])}: etcd would not start",
            where=where,
            hint="change it where it is set now, or remove it there first",
        )


IDENTITY = frozenset(
    {
        "data-dir",
        "wal-dir",
        "name",
        "force-new-cluster",
        "initial-advertise-peer-urls",
        "initial-cluster",
        "initial-cluster-state",
        "initial-cluster-token",
        "discovery",
        "discovery-srv",
        "discovery-srv-name",
        "config-file",
    }
)
"""Flags that decide which member of which cluster a server is, and which data it starts with."""

AUTHENTICATION = frozenset({"client-cert-auth", "peer-client-cert-auth"})
"""Without them anybody who reaches the port reads and writes everything."""


def check_identity(wishes: Mapping[str, str | None], *, where: str = "") -> None:
    """Refuse what no restart of a member may change: with another identity or data dir it loses what it acknowledged.

    Args:
        wishes: values by flag name; None removes the flag.
        where: host, for the message.

    Raises:
        Refused: names the flag.
    """
    named = sorted(wishes.keys() & IDENTITY)
    if named:
        raise Refused(
            f"{named[0]} decides which member this is and which data it has; it is not changed by a restart",
            where=where,
            hint="a member gets a new identity or place by being moved or replaced, never by its flags alone",
        )
    opened = sorted(name for name in wishes.keys() & AUTHENTICATION if wishes[name] != "true")
    if opened:
        raise Refused(
            f"without {opened[0]} anybody who reaches the port can read and write everything", where=where
        )


def check_environment(flags: Mapping[str, str], environment: str, *, where: str = "") -> None:
    """Refuse `unsafe-no-fsync` where acknowledged writes count: a power cut loses them (etcd#14098, etcd#14143).

    Raises:
        Refused: says what the inventory would have to say.
    """
    value = flags.get("unsafe-no-fsync", "false")
    if value in ("1", "t", "T", "true", "TRUE", "True") and environment not in LOSSY:
        raise Refused(
            f"unsafe-no-fsync loses acknowledged writes on a power cut, and this is {environment}",
            where=where,
            hint="only an inventory with remediate_environment: dev or lab permits it",
        )
