"""The flags of a member: those that it runs with, and those that its file says."""

from __future__ import annotations

from remediate.errors import Refused
from remediate.etcd.envfile import settings_in
from remediate.etcd.flags import flags_of, settings_of
from remediate.etcd.manifest import command_of
from remediate.etcd.model import EtcdHost, Layout
from remediate.etcd.rancher import flags_in

_PARTIAL = {Layout.ENV_FILE: settings_in, Layout.K3S: flags_in, Layout.RKE2: flags_in}
"""Files that are one source of flags among others, and how they are read."""


def live_flags(host: EtcdHost) -> dict[str, str] | None:
    """What the running process was started with, None where it does not run."""
    return flags_of(host.process.argv, host.process.environment) if host.process else None


def filed_flags(host: EtcdHost) -> dict[str, str] | None:
    """What the file says that the process should run with, None where no single file says it understandably.

    What a file leaves to other sources (its variables, a unit, Rancher's defaults) is taken from the process.
    """
    files = [file for file in host.manifests if not file.hidden]
    live = live_flags(host) or {}
    try:
        if len(files) == 1:
            return _in_manifest(files[0].text, live, host)
        if not files and host.flag_file and host.flag_file.layout in _PARTIAL:
            return live | _PARTIAL[host.flag_file.layout](host.flag_file.text)
    except Refused:
        return None
    return None


def _in_manifest(text: str, live: dict[str, str], host: EtcdHost) -> dict[str, str]:
    """Flags of the pod's command; `$(VAR)` is filled in by the kubelet, so the process knows better."""
    filed = flags_of(command_of(text))
    by_variable = settings_of(host.process.environment) if host.process else {}
    return by_variable | {
        flag: live.get(flag, value) if "$(" in value else value for flag, value in filed.items()
    }
