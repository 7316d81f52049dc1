"""Where an instance's flags are kept on a host (FIELD-NOTES, "Where etcd lives")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remediate.errors import Refused
from remediate.etcd import rancher
from remediate.etcd.assemble import CLUSTER_VARIABLE, assemble
from remediate.etcd.flags import flags_of
from remediate.etcd.model import EtcdProcess, Layout, ManifestFile
from remediate.etcd.yamltext import scalar
from remediate.facts.base import Fact, Seen
from remediate.facts.etcd import EtcdProcesses
from remediate.facts.manifests import FlagFiles, StaticPods
from remediate.facts.units import EtcdUnits
from remediate.task.flagfiles import EnvironmentFile, StaticPod
from remediate.task.flaghome import FileHome, Home, Wishes

FACTS: tuple[Fact[Any], ...] = (EtcdProcesses(), StaticPods(), FlagFiles(), EtcdUnits())
"""What must be known to find an instance's home."""


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
