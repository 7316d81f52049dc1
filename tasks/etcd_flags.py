"""Set and remove flags of etcd, with one restart per member, and prove them on the live command line.

The manifest of the static pod is edited in place: every other byte of it stays. Flags that the running version does not
know are refused before anything is written, and so is a result that etcd would not start with. Both timers together go
through the whole cluster in two rounds, so that members with mixed timers can always elect a leader.
`kubeadm upgrade` writes manifests anew: the matching `extraArgs` are printed, to be kept in kubeadm's configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from remediate.etcd.flags import check_environment, flags_of
from remediate.etcd.manifest import command_of
from remediate.facts.base import Fact, Seen
from remediate.facts.etcd import EtcdProcesses
from remediate.facts.manifests import StaticPods
from remediate.task.base import Noop, Operation, Task
from remediate.task.flags import SetFlag, live, manifest


class EtcdFlags(Task, frozen=True):
    """Flags of one etcd instance per host.

    Attributes:
        set: flag names without dashes, and their values.
        remove: flag names without dashes.
        instance: name of the static pod.
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
        """The live command line and the manifest; the version is read only where there is something to change."""
        return (EtcdProcesses(), StaticPods())

    def guard(self, variables: Mapping[str, Any]) -> None:
        """Without fsync a power cut loses acknowledged writes (etcd#14098): only where that is allowed."""
        environment = str(variables.get("remediate_environment", "production"))
        wishes = {name: _text(value) for name, value in self.set.items()}
        check_environment(wishes, environment, where=str(variables.get("inventory_hostname", "")))

    def plan(self, seen: Seen) -> Iterator[Operation | Noop]:
        """One operation per flag whose value in the file or in the process is not as wished."""
        file = manifest(seen, self.instance)
        written = flags_of(command_of(file.text, where=f"{seen.host}:{file.path}"))
        process = live(seen, self.instance)
        running = flags_of(process.argv, process.environment) if process else written
        for name, wish in self._wishes():
            if written.get(name) == wish == running.get(name):
                yield Noop(f"{name} is {'not set' if wish is None else wish}, in the file and in the process")
            else:
                shown = written.get(name) if written.get(name) != wish else running.get(name)
                yield SetFlag(self.instance, name, wish, shown)

    def _wishes(self) -> Iterator[tuple[str, str | None]]:
        yield from ((name, _text(value)) for name, value in self.set.items())
        yield from ((name, None) for name in self.remove)


def _text(value: str | float | bool) -> str:
    """As etcd's command line writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
