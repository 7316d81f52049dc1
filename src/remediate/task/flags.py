"""The operation behind every flag of an etcd member: one edit, one restart, checked on the live process."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from remediate.etcd import actions
from remediate.etcd.flags import check_flags, check_places, flags_of, second_round
from remediate.etcd.model import EtcdStatus, FlagFile, ManifestFile
from remediate.facts.base import Fact, Seen
from remediate.facts.cluster import ClusterSeen
from remediate.facts.etcd import EtcdApi, EtcdProcesses
from remediate.node.shell import sh
from remediate.task.base import Change, Disrupts, Operation
from remediate.task.flaghome import RESTART, FileHome, Wishes
from remediate.task.flagplaces import home_of, live, running

LIBRARY = "etcd.sh"


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
        """A cluster with mixed timers must stay able to elect: what takes room away waits for the second round."""
        flags = running(seen, operations[0].instance)
        late = second_round(flags, {o.name: o.to for o in operations})
        later = tuple(o for o in operations if o.name in late)
        return (tuple(o for o in operations if o not in later), later) if later else (operations,)

    @classmethod
    def compile(cls, operations: Sequence[SetFlag], seen: Seen) -> Change:
        """Edit the file, and wait for a process that has the flags.

        Raises:
            Refused: no single readable file of ours, an unknown flag, or a result that etcd would not start with.
        """
        instance = operations[0].instance
        wishes = {o.name: o.to for o in operations}
        old = home_of(seen, instance).editable(wishes)
        new = old.edited(wishes)
        process, status = new.starts(), _status(seen, instance)
        check_flags(
            flags_of(process.argv, process.environment)
            | {name: value for name, value in wishes.items() if value is not None},
            _version(seen, status),
            where=seen.host,
            running=running(seen, instance),
            status=status,
        )
        check_places(process.argv, process.environment, where=seen.host)
        return _change(operations, old, new, wishes, seen)


def _status(seen: Seen, instance: str) -> EtcdStatus | None:
    """What the member said of itself; unknown on a first look, which does not ask etcd."""
    return next((a.status for a in seen.known(EtcdApi()) or () if a.instance == instance), None)


def _version(seen: Seen, status: EtcdStatus | None) -> str | None:
    """The running version; of a member that is down, what the others run."""
    if status:
        return status.version
    view = seen.known(ClusterSeen())
    return next((h.status.version for h in view.cluster.hosts if h.status), None) if view else None


def _diff(old: ManifestFile | FlagFile, new: ManifestFile | FlagFile) -> str:
    lines = difflib.unified_diff(
        old.text.splitlines(keepends=True), new.text.splitlines(keepends=True), old.path, new.path
    )
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


def _change(
    operations: Sequence[SetFlag], old: FileHome, new: FileHome, wishes: Wishes, seen: Seen
) -> Change:
    instance, file = operations[0].instance, old.file
    name = PurePosixPath(file.path).name
    load = sh('. "$STAGE/{}"\n', LIBRARY)
    put = sh('r_put "$STAGE/{}" {} {} {}\n', new.staged, file.path, file.mode, file.owner)
    leave = old.leave() if file.sha256 == new.file.sha256 else ""
    before = {flag: old.flags.get(flag) for flag in wishes}
    process = live(seen, instance)
    return Change(
        target=operations[0].target,
        summary=f"flags of {instance}: " + ", ".join(o.describe() for o in operations),
        check=load + sh("r_same {} {}\n", file.path, file.sha256) + old.ready(),
        apply=load
        + sh("r_save {} {}\n", file.path, name)
        + leave
        + put
        + new.restart()
        + new.proof(process, wishes),
        undo=load
        + sh("r_restore {} {} {}\n", name, file.path, new.file.sha256)
        + old.restart()
        + (old.proof(None, before) if process else ""),  # one that was down before is not waited for
        files={new.staged: new.file.text.encode(), LIBRARY: actions.wait_library().encode()},
        diff=_diff(file, new.file),
        disrupts=Disrupts.RESTART,
        instance=instance,
        estimate=2.0 * RESTART + 30,
        predicts=_predicted(new, seen),
        advice=new.advice(wishes),
        uniform=any(o.name in ("heartbeat-interval", "election-timeout") for o in operations),
    )


def _predicted(new: FileHome, seen: Seen) -> dict[Fact[Any], Any]:
    """The file, and the process with what the file gives it."""
    started = new.starts()
    processes = tuple(
        replace(p, argv=started.argv, environment=started.environment)
        if p.instance == started.instance
        else p
        for p in seen.known(EtcdProcesses()) or ()
    )
    return {**new.predicts(seen), EtcdProcesses(): processes}
