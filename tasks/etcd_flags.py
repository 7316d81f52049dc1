"""Set and remove flags of etcd, with one restart per member, and prove them on the live process.

The file that holds them is edited in place, every other byte of it stays: the manifest of a static pod, or the
environment file of the systemd unit that runs etcd (/etc/etcd.env, /etc/default/etcd, /etc/etcd/etcd.conf). k3s, RKE2
and OpenShift write etcd's flags themselves: there the run is refused and says what to write where.
Flags that the running version does not know are refused before anything is written, and so is a result that etcd would
not start with. Both timers together go through the whole cluster in two rounds, so that members with mixed timers can
always elect a leader. `kubeadm upgrade` and kubespray write their files anew: what their own configuration must say, to
keep the change, is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from remediate.etcd.flags import check_environment, check_identity
from remediate.facts.base import Fact, Seen
from remediate.task.base import Noop, Operation, Task
from remediate.task.flagplaces import FACTS, home_of, live, running
from remediate.task.flags import SetFlag


class EtcdFlags(Task, frozen=True):
    """Flags of one etcd instance per host.

    Attributes:
        set: flag names without dashes, and their values.
        remove: flag names without dashes.
        instance: name of the static pod or unit.
    """

    set: dict[str, str | int | float | bool] = msgspec.field(default_factory=dict)
    remove: list[str] = msgspec.field(default_factory=list)
    instance: str = "etcd"

    def __post_init__(self) -> None:
        """Raises ValueError for arguments that contradict each other."""
        both = sorted({*self.set} & {*self.remove})
        if both:
            raise ValueError(f"{', '.join(both)} cannot be both set and removed")
        if not self.set and not self.remove:
            raise ValueError("expected flags to `set` or to `remove`")
        for name in (*self.set, *self.remove):
            if not name or name.startswith("-"):
                raise ValueError(f"{name!r}: write a flag's name without dashes")

    def facts(self) -> Sequence[Fact[Any]]:
        """The live process and the file; the version is read only where there is something to change."""
        return FACTS

    def guard(self, variables: Mapping[str, Any]) -> None:
        """Refuse what loses acknowledged writes: another identity or data dir, and no fsync outside dev and lab."""
        where = str(variables.get("inventory_hostname", ""))
        wishes = dict(self._wishes())
        check_identity(wishes, where=where)
        environment = str(variables.get("remediate_environment", "production"))
        check_environment({k: v for k, v in wishes.items() if v is not None}, environment, where=where)

    def plan(self, seen: Seen) -> Iterator[Operation | Noop]:
        """One operation per flag whose value in the file or in the process is not as wished."""
        written = home_of(seen, self.instance).flags
        now = running(seen, self.instance) if live(seen, self.instance) else written
        for name, wish in self._wishes():
            if written.get(name) == wish == now.get(name):
                yield Noop(f"{name} is {'not set' if wish is None else wish}, in the file and in the process")
            else:
                shown = written.get(name) if written.get(name) != wish else now.get(name)
                yield SetFlag(self.instance, name, wish, shown)

    def _wishes(self) -> Iterator[tuple[str, str | None]]:
        yield from ((name, _text(value)) for name, value in self.set.items())
        yield from ((name, None) for name in self.remove)


def _text(value: str | float | bool) -> str:
    """As etcd's command line writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
