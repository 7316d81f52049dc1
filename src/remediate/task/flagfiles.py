"""The files that are edited to change a flag: a static pod's manifest, and the environment file of a unit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, ClassVar

from remediate.errors import Refused
from remediate.etcd import actions, envfile, manifest
from remediate.etcd.flags import flag_name, flags_of, settings_of, variable_name
from remediate.etcd.kubeadm import kubeadm_extra_args
from remediate.etcd.model import EtcdProcess, FlagFile, ManifestFile
from remediate.facts.base import Fact, Seen
from remediate.facts.manifests import FlagFiles, StaticPods
from remediate.node.shell import sh
from remediate.task.flaghome import RESTART, FileHome, Wishes


@dataclass(frozen=True, slots=True)
class StaticPod(FileHome):
    """A manifest of the kubelet's static-pod folder; the kubelet restarts the pod."""

    where: str
    file: ManifestFile
    process: EtcdProcess | None
    staged: ClassVar[str] = "manifest.yaml"

    @property
    def flags(self) -> dict[str, str]:
        """The flags of the container's command line."""
        return flags_of(self._command)

    def edited(self, wishes: Wishes) -> StaticPod:
        """See `manifest.edit`."""
        text = manifest.edit(self.file.text, *_apart(wishes), where=self.place)
        return replace(self, file=replace(self.file, text=text, sha256=_sha(text)))

    def starts(self) -> EtcdProcess:
        """With the manifest's command line."""
        return replace(self.process or EtcdProcess(self.file.instance, 0, 0, ()), argv=self._command)

    def leave(self) -> str:
        """Only leaving the folder makes the kubelet start anew."""
        name = PurePosixPath(self.file.path).name
        gone = sh("act_wait_gone {} {} {}\n", *_identity(self.process), RESTART)
        return sh("r_remove {} {}\n", self.file.path, name) + gone

    def ready(self) -> str:
        """The kubelet must run: without it a manifest that was written or removed takes effect at some other time."""
        return "act_kubelet\n"

    def proof(self, old: EtcdProcess | None, wishes: Wishes) -> str:
        """The live command line, which also names the member."""
        kept, gone = _apart(wishes)
        names = [*(name for name in ("name", "data-dir") if name in self.flags), *kept]
        wanted = tuple(_written(self._command, name) for name in names)
        return actions.wait_for_args(_identity(old), RESTART, wanted, tuple(gone))

    def advice(self, wishes: Wishes) -> dict[str, tuple[str, ...]]:
        """`kubeadm upgrade` writes manifests anew (kubeadm#2157), so its own configuration must say the same."""
        kept, gone = _apart(wishes)
        head = "`kubeadm upgrade` writes this manifest anew; to keep the change, in its ClusterConfiguration:"
        place, _, rows = kubeadm_extra_args(kept).partition("extraArgs:\n")
        place = "".join(f"\n  {line}" for line in f"{place}extraArgs:".splitlines())
        # Name and value of a flag are one entry: two flags may have the same value.
        entries = [f"  {name}\n  {value}" for name, value in batched(rows.splitlines())]
        advice = {head + place: tuple(entries)} if kept else {}
        if gone:
            advice["to keep it, remove from etcd.local.extraArgs of kubeadm's ClusterConfiguration:"] = tuple(
                f"  {name}" for name in gone
            )
        return advice

    def predicts(self, seen: Seen) -> dict[Fact[Any], Any]:
        """The static pods with this one."""
        files = seen[StaticPods()]
        return {StaticPods(): tuple(self.file if file.path == self.file.path else file for file in files)}

    @property
    def _command(self) -> tuple[str, ...]:
        return manifest.command_of(self.file.text, where=self.place)


@dataclass(frozen=True, slots=True)
class EnvironmentFile(FileHome):
    """An `EnvironmentFile=` of the systemd unit that runs etcd (kubespray, Debian, RHEL).

    Attributes:
        unit: `etcd.service`; empty where no unit with a file of its own runs the process.
    """

    where: str
    file: FlagFile
    process: EtcdProcess | None
    unit: str
    staged: ClassVar[str] = "environment"

    @property
    def flags(self) -> dict[str, str]:
        """The file's variables that are flags of etcd."""
        settings = envfile.settings_in(self.file.text, where=self.place)
        return settings_of({variable_name(name): value for name, value in settings.items()})

    def editable(self, wishes: Wishes) -> FileHome:  # noqa: ARG002
        """Itself, where it is sure that the running etcd reads this file and what starts it."""
        running = flags_of(self.process.argv, self.process.environment) if self.process else {}
        if self.process is None:
            why, hint = "no etcd runs that reads this file", "start its unit first"
        elif "config-file" in running:
            why, hint = f"etcd reads {running['config-file']} and nothing else", "edit that file by hand"
        elif self.flags and not any(running.get(name) == value for name, value in self.flags.items()):
            why, hint = "the running etcd has none of its settings", "move it away if no unit reads it"
        elif not self.unit:
            why, hint = f"no unit file runs etcd ({self.process.pid})", "edit it by hand and restart etcd"
        else:
            return self
        raise Refused(why, where=self.place, hint=hint)

    def edited(self, wishes: Wishes) -> EnvironmentFile:
        """See `envfile.edit`."""
        kept, gone = _apart(wishes)
        text = envfile.edit(self.file.text, kept, gone, where=self.place)
        process = self.starts()
        environment = {n: value for n, value in process.environment.items() if flag_name(n) not in gone}
        file = replace(self.file, text=text, sha256=_sha(text))
        return replace(self, file=file, process=replace(process, environment=environment))

    def starts(self) -> EtcdProcess:
        """With the file's variables."""
        process = self.process or EtcdProcess(self.file.instance, 0, 0, ())
        variables = {variable_name(name): value for name, value in self.flags.items()}
        return replace(process, environment={**process.environment, **variables})

    def restart(self) -> str:
        """Restart the unit."""
        return sh("act_restart {}\n", self.unit)

    def proof(self, old: EtcdProcess | None, wishes: Wishes) -> str:
        """The environment of a new process of the unit."""
        kept, gone = _apart(wishes)
        wanted = tuple(f"{variable_name(name)}={value}" for name, value in kept.items())
        unwanted = tuple(variable_name(name) for name in gone)
        return actions.wait_for_variables(self.unit, _identity(old), RESTART, wanted, unwanted)

    def advice(self, wishes: Wishes) -> dict[str, tuple[str, ...]]:
        """kubespray writes /etc/etcd.env anew from its own inventory."""
        if not self.file.path.endswith(".env"):
            return {}
        kept, gone = _apart(wishes)
        lines = [f'  {variable_name(name)}: "{value}"' for name, value in kept.items()]
        lines += [f"  remove {variable_name(name)}" for name in gone]
        return {
            f"kubespray writes {self.file.path} anew; to keep the change, in its etcd_extra_vars:": tuple(
                lines
            )
        }

    def predicts(self, seen: Seen) -> dict[Fact[Any], Any]:
        """The files with this one."""
        files = seen[FlagFiles()]
        return {FlagFiles(): tuple(self.file if file.path == self.file.path else file for file in files)}


def _identity(process: EtcdProcess | None) -> tuple[int, int]:
    """PID and start time, zeros where there is no process."""
    return (process.pid, process.start_ticks) if process else (0, 0)


def _written(command: Sequence[str], name: str) -> str:
    """A flag's words as they stand in a command, joined by a newline where they are two."""
    for at, word in enumerate(command):
        flag, equals, _ = word.partition("=")
        if flag.lstrip("-") == name and word.startswith("-"):
            bare = not equals and at + 1 < len(command) and not command[at + 1].startswith("-")
            return f"{word}\n{command[at + 1]}" if bare else word
    raise ValueError(f"{name} is not in the command")


def _apart(wishes: Wishes) -> tuple[dict[str, str], list[str]]:
    """What is to be set, and what is to be removed."""
    kept = {name: value for name, value in wishes.items() if value is not None}
    return kept, [name for name in wishes if name not in kept]


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def batched(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Two lines at a time."""
    return zip(lines[::2], lines[1::2], strict=True)
