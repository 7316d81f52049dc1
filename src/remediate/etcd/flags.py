"""etcd's flags: how a live command line and its environment are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_BOOLEAN = frozenset(
    {
        "auto-tls",
        "client-cert-auth",
        "debug",
        "enable-grpc-gateway",
        "enable-log-rotation",
        "enable-pprof",
        "enable-v2",
        "force-new-cluster",
        "initial-election-tick-advance",
        "peer-auto-tls",
        "peer-client-cert-auth",
        "pre-vote",
        "socket-reuse-address",
        "socket-reuse-port",
        "strict-reconfig-check",
        "unsafe-no-fsync",
        "version",
    }
)


def flags_of(argv: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The settings that a server runs with, by flag name without dashes; of a repeated flag the last wins.

    Args:
        argv: the command line with the program first; `--a=b`, `--a b`, `-a=b` and bare switches (`"true"`).
        environment: `ETCD_HEARTBEAT_INTERVAL=250` and the like; a flag has precedence.
    """
    flags = {
        flag_name(name): value for name, value in (environment or {}).items() if name.startswith("ETCD_")
    }
    words = list(argv[1:])
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word in ("-", "--"):
            break  # Go's flag package stops at the first word that is no flag
        name, has_value, value = word.lstrip("-").partition("=")
        if not has_value:
            value = "true" if is_boolean(name) or not words or words[0].startswith("-") else words.pop(0)
        flags[name] = value
    return flags


def flag_name(variable: str) -> str:
    """`ETCD_HEARTBEAT_INTERVAL` is `heartbeat-interval`."""
    return variable.removeprefix("ETCD_").lower().replace("_", "-")


def variable_name(flag: str) -> str:
    """`heartbeat-interval` is `ETCD_HEARTBEAT_INTERVAL`."""
    return "ETCD_" + flag.upper().replace("-", "_")


def is_boolean(flag: str) -> bool:
    """Whether the flag is a switch, which takes a value only behind `=`."""
    return flag in _BOOLEAN
