"""Which version of etcd an instance runs, or would run: flags must be checked even where it does not answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from remediate.facts.base import Fact, FactError, Frame
from remediate.node.shell import sh

_SAID = re.compile(r"etcd Version: (\d+\.\d+\.\d+\S*)")
_IMAGE = re.compile(r"^\s*-?\s*[\"']?image[\"']?:\s*[\"']?\S*etcd:v?(\d+\.\d+\.\d+)", re.MULTILINE)

_PROBE = """
if etcd_find {}; then
    exec "/proc/$e_pid/exe" --version
fi
cat /etc/kubernetes/manifests/* /var/lib/rancher/rke2/agent/pod-manifests/* 2>/dev/null
! command -v etcd >/dev/null 2>&1 || etcd --version
"""


@dataclass(frozen=True)
class ServerVersion(Fact[str]):
    """The version of the running binary; where nothing runs, that of the manifest's image or of the node's own etcd.

    Attributes:
        instance: as in EtcdProcess.
    """

    instance: str = "etcd"
    needs: ClassVar[tuple[str, ...]] = ("etcd",)
    timeout: ClassVar[int] = 10

    def probe(self) -> str:
        """The running binary is asked itself, since an image's tag may lie."""
        return sh(_PROBE, self.instance)

    def parse(self, frame: Frame) -> str:
        """`3.5.16`; raises FactError where neither process, image nor program tells it."""
        found = _SAID.search(frame.out) or _IMAGE.search(frame.out)
        if not found:
            raise FactError(
                f"the version of {self.instance} is not known: no process, image tag or program tells it"
            )
        return found[1]
