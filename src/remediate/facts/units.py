"""Which systemd unit runs each etcd server of a host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from remediate.facts.base import Fact, Frame


@dataclass(frozen=True)
class EtcdUnits(Fact[Mapping[str, str]]):
    """Units by instance, `{"etcd": "etcd.service"}`; containers and transient units have no unit file: left out."""

    needs: ClassVar[tuple[str, ...]] = ("etcd", "home")
    timeout: ClassVar[int] = 0

    def probe(self) -> str:
        """Only built-ins: the process' control group names its unit."""
        return (
            "for h_pid in $etcd_pids; do\n"
            'home_groups "$h_pid"\n'
            'eval "h_instance=\\$etcd_name_$h_pid"\n'
            '[ "$h_unit" = - ] || printf "%s %s\\n" "$h_unit" "$h_instance"\n'
            "done"
        )

    def parse(self, frame: Frame) -> Mapping[str, str]:
        """One server a line."""
        rows = (line.split(" ", 1) for line in frame.out.splitlines())
        return {instance: unit for unit, instance in rows}
