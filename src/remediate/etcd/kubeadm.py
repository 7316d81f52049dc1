"""What keeps a flag over `kubeadm upgrade`, which writes manifests anew (kubeadm#2157)."""

from __future__ import annotations

from collections.abc import Mapping

from remediate.etcd.yamltext import scalar


def kubeadm_extra_args(flags: Mapping[str, str]) -> str:
    """What belongs into `ClusterConfiguration` (`kubectl -n kube-system edit configmap kubeadm-config`).

    Args:
        flags: values by flag name.

    Returns:
        YAML of `v1beta4` (Kubernetes 1.31 and later); in `v1beta3`, `extraArgs` maps the same names to the values.
    """
    quoted = {name: scalar(value, '"', flow=False) for name, value in flags.items()}
    rows = [f"    - name: {name}\n      value: {value}\n" for name, value in quoted.items()]
    return "etcd:\n  local:\n    extraArgs:\n" + "".join(rows)
