"""The operation behind every flag of an etcd member: one edit, one restart, checked on the live command line."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from remediate.errors import Refused
from remediate.etcd import actions
from remediate.etcd.flags import check_flags, check_places, flags_of, timers_first
from remediate.etcd.kubeadm import kubeadm_extra_args
from remediate.etcd.manifest import command_of, edit
from remediate.etcd.model import EtcdProcess, EtcdStatus, ManifestFile
from remediate.facts.base import Fact, Seen
from remediate.facts.cluster import ClusterSeen
from remediate.facts.etcd import EtcdApi, EtcdProcesses
from remediate.facts.manifests import StaticPods
from remediate.node.shell import sh
from remediate.task.base import Change, Disrupts, Operation

RESTART = 150
"""Seconds to wait for the new process: a slow kubelet needs up to 90 s, 120 s is the least to wait (FIELD-NOTES)."""

LIBRARY, MANIFEST = "etcd.sh", "manifest.yaml"


@dataclass(frozen=True, slots=True)
class SetFlag(Operation):
    """Set a flag of one etcd instance, or remove it.

    Attributes:
        to: the value; None removes the flag.
        before: the value now, for people; None where it is not set.
    """

    instance: str
    name: str
    to: str | None
    before: str | None = None

    @property
    def resource(self) -> Hashable:
        """A flag of an instance."""
        return ("flag", self.instance, self.name)

    @property
    def value(self) -> Hashable:
        """What it is to be."""
        return self.to

    @property
    def target(self) -> Hashable:
        """All flags of an instance are written and take effect together."""
        return ("flags", self.instance)

    def describe(self) -> str:
        """`heartbeat-interval: 100 → 250`, `proxy-refresh-interval removed (was 30000)`."""
        if self.to is None:
            return f"{self.name} removed (was {self.before})"
        return f"{self.name}: {self.before or 'not set'} → {self.to}"

    @classmethod
    def split(cls, operations: Sequence[SetFlag], seen: Seen) -> Sequence[Sequence[SetFlag]]:
        """Both timers never change together: a cluster with mixed timers must stay able to elect (FIELD-NOTES)."""
        process = live(seen, operations[0].instance)
        flags = flags_of(process.argv, process.environment) if process else {}
        first = timers_first(flags, {o.name: o.to for o in operations})
        later = [o for o in operations if first and o.name in first[1]]
        return (tuple(o for o in operations if o not in later), tuple(later)) if later else (operations,)

    @classmethod
    def compile(cls, operations: Sequence[SetFlag], seen: Seen) -> Change:
        """Edit the manifest, and wait for a process that has the flags.

        Raises:
            Refused: no single readable manifest, an unknown flag, or a result that etcd would not start with.
        """
        instance = operations[0].instance
        file, process = manifest(seen, instance), live(seen, instance)
        wishes = {o.name: o.to for o in operations}
        text = edit(
            file.text,
            {name: value for name, value in wishes.items() if value is not None},
            [name for name, value in wishes.items() if value is None],
            where=f"{seen.host}:{file.path}",
        )
        command = command_of(text, where=f"{seen.host}:{file.path}")
        status = _status(seen, instance)
        running = flags_of(process.argv, process.environment) if process else {}
        check_flags(
            flags_of(command), _version(seen, status), where=seen.host, running=running, status=status
        )
        check_places(command, process.environment if process else {}, where=seen.host)
        return _change(operations, file, replace(file, text=text, sha256=_sha(text)), process, command, seen)


def live(seen: Seen, instance: str) -> EtcdProcess | None:
    """The running process of an instance."""
    return next((p for p in seen.known(EtcdProcesses()) or () if p.instance == instance), None)


def manifest(seen: Seen, instance: str) -> ManifestFile:
    """The one manifest of an instance.

    Raises:
        Refused: there is none, there are several, or one is no YAML.
    """
    files = [f for f in seen[StaticPods()] if not f.hidden]
    broken = [f.path for f in files if not f.instance]
    if broken:
        raise Refused(f"{broken[0]} is no readable YAML", where=seen.host, hint="mend or move it first")
    mine = [f for f in files if f.instance == instance]
    if len(mine) > 1:
        raise Refused(
            f"{len(mine)} manifests are called «{instance}»: {', '.join(f.path for f in mine)}",
            where=seen.host,
            hint="the kubelet runs every file of the folder; move the backup elsewhere",
        )
    if not mine:
        raise Refused(
            f"there is no manifest of «{instance}»", where=seen.host, hint="flags are edited in static pods"
        )
    return mine[0]


def _status(seen: Seen, instance: str) -> EtcdStatus | None:
    """What the member said of itself; unknown on a first look, which does not ask etcd."""
    return next((a.status for a in seen.known(EtcdApi()) or () if a.instance == instance), None)


def _version(seen: Seen, status: EtcdStatus | None) -> str | None:
    """The running version; of a member that is down, what the others run."""
    if status:
        return status.version
    view = seen.known(ClusterSeen())
    return next((h.status.version for h in view.cluster.hosts if h.status), None) if view else None


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _diff(old: ManifestFile, new: ManifestFile) -> str:
    lines = difflib.unified_diff(
        old.text.splitlines(keepends=True), new.text.splitlines(keepends=True), old.path, new.path
    )
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


def _wait(process: EtcdProcess | None, wishes: Mapping[str, str | None], command: Sequence[str]) -> str:
    """Wait for another process than this one whose command line has the flags as the command writes them."""
    old = (process.pid, process.start_ticks) if process else (0, 0)
    wanted = [_written(command, name) for name, value in wishes.items() if value is not None]
    identity = [_written(command, name) for name in ("name", "data-dir") if name in flags_of(command)]
    unwanted = [name for name, value in wishes.items() if value is None]
    return actions.wait_for_args(old, RESTART, tuple(identity + wanted), tuple(unwanted))


def _written(command: Sequence[str], name: str) -> str:
    """A flag's words as they stand in a command, joined by a newline where they are two."""
    for at, word in enumerate(command):
        flag, equals, _ = word.partition("=")
        if flag.lstrip("-") == name and word.startswith("-"):
            bare = not equals and at + 1 < len(command) and not command[at + 1].startswith("-")
            return f"{word}\n{command[at + 1]}" if bare else word
    raise ValueError(f"{name} is not in the command")


def _change(
    operations: Sequence[SetFlag],
    old: ManifestFile,
    new: ManifestFile,
    process: EtcdProcess | None,
    command: Sequence[str],
    seen: Seen,
) -> Change:
    before = {o.name: flags_of(command_of(old.text, where=old.path)).get(o.name) for o in operations}
    wishes = {o.name: o.to for o in operations}
    name = PurePosixPath(old.path).name
    undone = _wait(None, before, command_of(old.text, where=old.path))
    put = sh('. "$STAGE/{}"\nr_save {} {}\n', LIBRARY, old.path, name)
    if old.sha256 == new.sha256:
        # The file says it already and the process does not: only leaving the folder makes the kubelet start anew.
        put += sh("rm -f {}\nact_wait_gone {} {} {}\n", old.path, *_identity(process), RESTART)
    put += sh('r_put "$STAGE/{}" {} {} {}\n', MANIFEST, old.path, old.mode, old.owner)
    return Change(
        target=operations[0].target,
        summary="flags of " + operations[0].instance + ": " + ", ".join(o.describe() for o in operations),
        check=sh("r_same {} {}\n", old.path, old.sha256),
        apply=put + _wait(process, wishes, command),
        undo=sh('. "$STAGE/{}"\nr_restore {} {} {}\n', LIBRARY, name, old.path, new.sha256) + undone,
        files={MANIFEST: new.text.encode(), LIBRARY: actions.wait_library().encode()},
        diff=_diff(old, new),
        disrupts=Disrupts.RESTART,
        instance=operations[0].instance,
        estimate=2.0 * RESTART + 30,
        predicts=_predicted(old, new, process, command, seen),
        advice=_advice(wishes),
        uniform=any(o.name in ("heartbeat-interval", "election-timeout") for o in operations),
    )


def _advice(wishes: Mapping[str, str | None]) -> str:
    """`kubeadm upgrade` writes manifests anew (kubeadm#2157), so its own configuration must say the same."""
    kept = {name: value for name, value in wishes.items() if value is not None}
    gone = [name for name, value in wishes.items() if value is None]
    lines = ["`kubeadm upgrade` writes this manifest anew; to keep the change, in its ClusterConfiguration:"]
    lines += [f"  {row}" for row in kubeadm_extra_args(kept).splitlines()] if kept else []
    lines += [f"  remove from etcd.local.extraArgs: {', '.join(gone)}"] if gone else []
    return "\n".join(lines)


def _identity(process: EtcdProcess | None) -> tuple[int, int]:
    return (process.pid, process.start_ticks) if process else (0, 0)


def _predicted(
    old: ManifestFile, new: ManifestFile, process: EtcdProcess | None, command: Sequence[str], seen: Seen
) -> dict[Fact[Any], Any]:
    pods = tuple(new if file.path == old.path else file for file in seen[StaticPods()])
    running = tuple(
        replace(p, argv=tuple(command)) if process and p.instance == process.instance else p
        for p in seen.known(EtcdProcesses()) or ()
    )
    return {StaticPods(): pods, EtcdProcesses(): running}
