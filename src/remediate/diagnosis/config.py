"""Findings about files: what the kubelet would run, and what runs although the file says otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from remediate.diagnosis import remedies
from remediate.diagnosis.case import Case, Rule
from remediate.diagnosis.model import Finding, Severity


def stray_manifest(case: Case) -> Iterator[Finding]:
    """Two manifests for one instance, or an unreadable one: the kubelet loads every file without a dot."""
    for host in case.hosts:
        seen = [file for file in host.manifests if not file.hidden]
        broken = [file.path for file in seen if not file.instance]
        named = [file.path for file in seen if file.instance]
        if len(named) > 1:
            text = f"the kubelet runs each manifest that names the pod {host.instance}: {', '.join(named)}"
        elif broken:
            text = f"{', '.join(broken)} cannot be parsed: the kubelet drops its pod"
        else:
            continue
        yield case.found(
            "stray-manifest",
            Severity.CRITICAL,
            text,
            host=host,
            remedy=remedies.ONE_MANIFEST,
            source="kubelet, static pods",
        )


def flags_not_live(case: Case) -> Iterator[Finding]:
    """Flags that the file says and the running process does not, or the other way round."""
    for host in case.hosts:
        filed, live = case.filed.get(host.name), case.live.get(host.name)
        if filed is None or live is None:
            continue
        differing = sorted(flag for flag in filed.keys() | live.keys() if filed.get(flag) != live.get(flag))
        if differing:
            text = ", ".join(
                f"{f}: file {filed.get(f, 'unset')}, process {live.get(f, 'unset')}" for f in differing
            )
            yield case.found(
                "flags-not-live",
                Severity.WARNING,
                f"the running etcd does not have its file's flags ({text})",
                host=host,
                remedy=remedies.RESTART,
                source="kubeadm#2718, rke2#3387",
                figure=float(len(differing)),
            )


RULES: tuple[Rule, ...] = (stray_manifest, flags_not_live)
