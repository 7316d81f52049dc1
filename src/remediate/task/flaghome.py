"""What a place where etcd's flags are kept can do: say them, be edited, take effect, and prove it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from remediate.etcd.model import EtcdProcess, FlagFile, ManifestFile
from remediate.facts.base import Fact, Seen

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

    def ready(self) -> str:
        """Sh that fails where the file cannot take effect now."""
        return ""

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
    def advice(self, wishes: Wishes) -> dict[str, tuple[str, ...]]:
        """What a person should do so that the change lasts: lines by their heading."""

    @abstractmethod
    def predicts(self, seen: Seen) -> dict[Fact[Any], Any]:
        """The fact that holds the file, as it will be."""

    @property
    def place(self) -> str:
        """Host and path, for messages."""
        return f"{self.where}:{self.file.path}"
