"""What a node is: identity, size, tools at hand, and whether its own kube-apiserver is ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from remediate.facts.base import Fact, Frame
from remediate.facts.blocks import blocks

TOOLS = (
    "etcdctl",
    "curl",
    "fio",
    "iperf3",
    "ping",
    "ionice",
    "crictl",
    "podman",
    "nerdctl",
    "systemctl",
    "busctl",
    "rsync",
    "sha256sum",
)
"""Programs whose absence changes what can be measured or done."""


@dataclass(frozen=True, slots=True)
class SystemState:
    """One node.

    Attributes:
        machine_id: `/etc/machine-id`; two inventory names with one ID are one machine.
        boot_id: changes with every boot.
        tools: those of TOOLS that are on the node's PATH.
        memory, memory_free: bytes, `MemTotal` and `MemAvailable`.
        cpus: those online.
        etcd_data: etcd data folders of the usual places that exist, whether or not an etcd runs.
    """

    machine_id: str
    boot_id: str
    tools: frozenset[str]
    memory: int
    memory_free: int
    cpus: int
    etcd_data: tuple[str, ...]


@dataclass(frozen=True)
class System(Fact[SystemState]):
    """The node's identity and size, by built-ins alone."""

    timeout: ClassVar[int] = 0

    def probe(self) -> str:
        """Reads a few short files."""
        return _PROBE.replace("TOOLS", " ".join(TOOLS))

    def parse(self, frame: Frame) -> SystemState:
        """What is missing on the node is empty or 0."""
        words = {block.name: block.words for block in blocks(frame.out)}
        first = {name: (values or ("",))[0] for name, values in words.items()}
        return SystemState(
            machine_id=first.get("machine", ""),
            boot_id=first.get("boot", ""),
            tools=frozenset(words.get("tools", ())) - {""},
            memory=int(first.get("MemTotal:") or 0) * 1024,
            memory_free=int(first.get("MemAvailable:") or 0) * 1024,
            cpus=_count(first.get("cpus", "")),
            etcd_data=tuple(path for path in words.get("data", ()) if path),
        )


def _count(ranges: str) -> int:
    """How many numbers `0-3,8` names."""
    pairs = (part.partition("-") for part in ranges.split(",") if part)
    return sum(int(last or first) - int(first) + 1 for first, _, last in pairs)


_PROBE = """
s_line=
read -r s_line 2>/dev/null </etc/machine-id || :
printf '@machine %s\\n' "$s_line"
read -r s_line 2>/dev/null </proc/sys/kernel/random/boot_id || :
printf '@boot %s\\n' "$s_line"
read -r s_line 2>/dev/null </sys/devices/system/cpu/online || :
printf '@cpus %s\\n@tools' "$s_line"
for s_tool in TOOLS; do
    ! command -v "$s_tool" >/dev/null 2>&1 || printf ' %s' "$s_tool"
done
printf '\\n@data'
for s_line in /var/lib/etcd /var/lib/etcd/default /var/lib/etcd/default.etcd \
    /var/lib/rancher/k3s/server/db/etcd /var/lib/rancher/rke2/server/db/etcd; do
    [ ! -d "$s_line/member" ] || printf ' %s' "$s_line"
done
echo
while read -r s_name s_line s_unit; do
    case $s_name in
        MemTotal:) printf '@%s %s\\n' "$s_name" "$s_line" ;;
        MemAvailable:) printf '@%s %s\\n' "$s_name" "$s_line" && break ;;
    esac
done </proc/meminfo
"""


@dataclass(frozen=True)
class ApiServer(Fact[bool | None]):
    """Whether the node's own kube-apiserver says that it is ready; None where none runs."""

    timeout: ClassVar[int] = 10

    def probe(self) -> str:
        """`/readyz` may be asked by anybody (the `system:public-info-viewer` role); the port is the process' own."""
        return _APISERVER

    def parse(self, frame: Frame) -> bool | None:
        """True for HTTP 200."""
        found = {block.name: block.words for block in blocks(frame.out)}
        return found["readyz"] == ("200",) if "readyz" in found else None


_APISERVER = """
a_pid=$(pgrep -o -x kube-apiserver) || exit 0
a_port=6443 a_host=127.0.0.1
set -f
for a_word in $(tr '\\000' '\\n' <"/proc/$a_pid/cmdline"); do
    case $a_word in
        --secure-port=*) a_port=${a_word#*=} ;;
        --bind-address=0.0.0.0 | --bind-address=::) ;;
        --bind-address=*:*) a_host="[${a_word#*=}]" ;;
        --bind-address=*) a_host=${a_word#*=} ;;
    esac
done
printf '@readyz %s\\n' "$(curl -sk -g --noproxy '*' -m 5 -o /dev/null -w '%{http_code}' "https://$a_host:$a_port/readyz")"
"""
