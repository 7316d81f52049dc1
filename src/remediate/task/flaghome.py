"""Where an instance's flags are kept, and what makes a change there take effect (FIELD-NOTES, "Where etcd lives")."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from remediate.errors import Refused
from remediate.etcd import actions, envfile, manifest, rancher
from remediate.etcd.assemble import CLUSTER_VARIABLE, assemble
from remediate.etcd.flags import flag_name, flags_of, settings_of, variable_name
from remediate.etcd.kubeadm import kubeadm_extra_args
from remediate.etcd.model import EtcdProcess, FlagFile, Layout, ManifestFile
from remediate.etcd.yamltext import scalar
from remediate.facts.base import Fact, Seen
from remediate.facts.etcd import EtcdProcesses
from remediate.facts.manifests import FlagFiles, StaticPods
from remediate.facts.units import EtcdUnits
from remediate.node.shell import sh

FACTS: tuple[Fact[Any], ...] = (EtcdProcesses(), StaticPods(), FlagFiles(), EtcdUnits())
"""What must be known to find an instance's home."""

RESTART = 150
"""Seconds to wait for the new process: a slow kubelet needs up to 90 s, 120 s is the least to wait (FIELD-NOTES)."""

Wishes = Mapping[str, str | None]
"""Values by flag name; None removes the flag."""


class Home(ABC):
    """Where the flags of one instance are kept."""

    @property
    @abstractmethod
    def flags(self) -> dict[str, str]:
        """The flags as they are written there, by name."""

    @abstractmethod
    def editable(self, wishes: Wishes) -> FileHome:
        """The file to edit.

        Raises:
            Refused: it must not be edited here; says where these wishes are fulfilled instead.
        """


class FileHome(Home):
    """A file on the node; one restart of the member makes it take effect.

    Attributes:
        where: host, for messages.
        file: as the plan saw it, or as edited.
        staged: name of the staged new file.
    """

    where: str
    file: ManifestFile | FlagFile
    staged: ClassVar[str]

    def editable(self, wishes: Wishes) -> FileHome:  # noqa: ARG002
        """Itself."""
        return self

    @abstractmethod
    def edited(self, wishes: Wishes) -> Self:
        """The home with the file as it will be. Raises Refused where it cannot be edited safely."""

    @abstractmethod
    def starts(self) -> EtcdProcess:
        """The running process, with command line and environment as the file gives them."""

    def leave(self) -> str:
        """Sh to run first where the file says already what the process does not have."""
        return ""

    def restart(self) -> str:
        """Sh that makes the file take effect, once it is in place."""
        return ""

    @abstractmethod
    def proof(self, old: EtcdProcess | None, wishes: Wishes) -> str:
        """Sh that waits for another process than the old one that has the file's values of these flags."""

    @abstractmethod
    def advice(self, wishes: Wishes) -> str:
        """What a person should do so that the change lasts; empty where nothing."""

    @abstractmethod
    def predicts(self, seen: Seen) -> dict[Fact[Any], Any]:
        """The fact that holds the file, as it will be."""

    @property
    def place(self) -> str:
        """Host and path, for messages."""
        return f"{self.where}:{self.file.path}"


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
        return sh("rm -f {}\nact_wait_gone {} {} {}\n", self.file.path, *_identity(self.process), RESTART)

    def proof(self, old: EtcdProcess | None, wishes: Wishes) -> str:
        """The live command line, which also names the member."""
        kept, gone = _apart(wishes)
        names = [*(name for name in ("name", "data-dir") if name in self.flags), *kept]
        wanted = tuple(_written(self._command, name) for name in names)
        return actions.wait_for_args(_identity(old), RESTART, wanted, tuple(gone))

    def advice(self, wishes: Wishes) -> str:
        """`kubeadm upgrade` writes manifests anew (kubeadm#2157), so its own configuration must say the same."""
        kept, gone = _apart(wishes)
        lines = [
            "`kubeadm upgrade` writes this manifest anew; to keep the change, in its ClusterConfiguration:"
        ]
        lines += [f"  {row}" for row in kubeadm_extra_args(kept).splitlines()] if kept else []
        lines += [f"  remove from etcd.local.extraArgs: {', '.join(gone)}"] if gone else []
        return "\n".join(lines)

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

    def advice(self, wishes: Wishes) -> str:
        """kubespray writes /etc/etcd.env anew from its own inventory."""
        if not self.file.path.endswith(".env"):
            return ""
        kept, gone = _apart(wishes)
        lines = [f"kubespray writes {self.file.path} anew; to keep the change, in its etcd_extra_vars:"]
        lines += [f'  {variable_name(name)}: "{value}"' for name, value in kept.items()]
        lines += [f"  remove {variable_name(name)}" for name in gone]
        return "\n".join(lines)

    def predicts(self, seen: Seen) -> dict[Fact[Any], Any]:
        """The files with this one."""
        files = seen[FlagFiles()]
        return {FlagFiles(): tuple(self.file if file.path == self.file.path else file for file in files)}


@dataclass(frozen=True, slots=True)
class Managed(Home):
    """What k3s, RKE2 or OpenShift's operator write themselves: not ours to edit."""

    where: str
    layout: Layout
    written: Mapping[str, str]

    @property
    def flags(self) -> dict[str, str]:
        """What their own configuration says, or for OpenShift the process."""
        return dict(self.written)

    def editable(self, wishes: Wishes) -> FileHome:
        """Never."""
        if self.layout is Layout.OPENSHIFT:
            why, hint = "OpenShift's etcd operator owns the manifest", "change it by `oc patch etcd/cluster`"
        else:
            unit = {Layout.K3S: "k3s", Layout.RKE2: "rke2-server"}[self.layout]
            kept = {name: value for name, value in {**self.written, **wishes}.items() if value is not None}
            words = ", ".join(scalar(f"{name}={value}", "", flow=True) for name, value in kept.items())
            why = f"{self.layout} writes etcd's flags itself"
            hint = (
                f"in /etc/rancher/{self.layout}/config.yaml write `{rancher.KEY}: [{words}]`, "
                f"then restart {unit}, one node at a time"
            )
        raise Refused(why, where=self.where, hint=hint)


def home_of(seen: Seen, instance: str) -> Home:
    """Where the flags of an instance are kept.

    Args:
        seen: a look with FACTS.
        instance: as in EtcdProcess.

    Raises:
        Refused: nothing on the host holds them, or it cannot be told which file does.
    """
    process = live(seen, instance)
    found = (h for h in assemble(seen, {CLUSTER_VARIABLE: ""}, seen.host) if h.instance == instance)
    host = next(found, None)
    layout = host.layout if host else Layout.UNKNOWN
    if process and process.argv[:1] == ("k3s",):
        layout = Layout.K3S
    if layout in (Layout.K3S, Layout.RKE2, Layout.OPENSHIFT):
        written = {name: value for name, value in running(seen, instance).items() if name != "config-file"}
        return Managed(seen.host, layout, written)
    if host and host.flag_file and layout is Layout.ENV_FILE:
        unit = (seen.known(EtcdUnits()) or {}).get(instance, "")
        return EnvironmentFile(seen.host, host.flag_file, process, unit)
    return StaticPod(seen.host, _manifest(seen, instance), process)


def live(seen: Seen, instance: str) -> EtcdProcess | None:
    """The running process of an instance."""
    return next((p for p in seen.known(EtcdProcesses()) or () if p.instance == instance), None)


def running(seen: Seen, instance: str) -> dict[str, str]:
    """The flags that an instance runs with; k3s and RKE2 make the file that their etcd reads of `etcd-arg`."""
    process = live(seen, instance)
    flags = flags_of(process.argv, process.environment) if process else {}
    for file in seen.known(FlagFiles()) or ():
        if "config-file" in flags and file.layout in (Layout.K3S, Layout.RKE2):
            return rancher.flags_in(file.text, where=f"{seen.host}:{file.path}")
    return flags


def _identity(process: EtcdProcess | None) -> tuple[int, int]:
    """PID and start time, zeros where there is no process."""
    return (process.pid, process.start_ticks) if process else (0, 0)


def _manifest(seen: Seen, instance: str) -> ManifestFile:
    """The one manifest of an instance; raises Refused where there is none, are several, or one is no YAML."""
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
            f"there is no manifest of «{instance}», and no environment file",
            where=seen.host,
            hint="flags are edited in static pods and in environment files of units",
        )
    return mine[0]


def _written(command: Sequence[str], name: str) -> str:
    """A flag's words as they stand in a command, joined by a newline where they are two."""
    for at, word in enumerate(command):
        flag, equals, _ = word.partition("=")
        if flag.lstrip("-") == name and word.startswith("-"):
            bare = not equals and at + 1 < len(command) and not command[at + 1].startswith("-")
            return f"{word}\n{command[at + 1]}" if bare else word
    raise ValueError(f"{name} is not in the command")


def _apart(wishes: Wishes) -> tuple[dict[str, str], Collection[str]]:
    """What is to be set, and what is to be removed."""
    kept = {name: value for name, value in wishes.items() if value is not None}
    return kept, [name for name in wishes if name not in kept]


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
