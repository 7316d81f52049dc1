"""Remediation playbooks for etcd and the Kubernetes control plane."""

__version__ = "0.1.0"
