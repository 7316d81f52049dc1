"""Set kernel parameters, now and for every boot.

A parameter that does not exist or is read-only on a node is reported and skipped. Where a file that is read later at
boot sets another value, that is reported too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from remediate.facts.base import Fact, Seen
from remediate.facts.files import TextFile
from remediate.facts.kernel import KernelParameters, normal, parameter_path
from remediate.task.base import Noop, Operation, Task
from remediate.task.sysctl import wishes

_FILE = re.compile(r"/etc/sysctl\.d/[A-Za-z0-9_][A-Za-z0-9_.-]*\.conf|/etc/sysctl\.conf")


class Sysctl(Task, frozen=True):
    """Kernel parameters.

    Attributes:
        settings: values by name, `net.core.somaxconn: 8192`.
        file: where they are written for every boot; files are read in the order of their names.
    """

    settings: dict[str, str | int]
    file: str = "/etc/sysctl.d/90-remediate.conf"

    def __post_init__(self) -> None:
        for key, value in self.settings.items():
            if parameter_path(key) is None:
                raise ValueError(f"settings: {key!r} is no kernel parameter, such as net.core.somaxconn")
            if not normal(str(value)).isprintable() or not normal(str(value)) or "\n" in str(value).strip():
                raise ValueError(f"settings: {value!r} is no value for {key}")
        if len(self._by_path()) != len(self.settings):
            raise ValueError("settings: one parameter is here twice, written in two ways")
        if not _FILE.fullmatch(self.file):
            raise ValueError(
                f"file: {self.file!r} is not read at boot; name one such as /etc/sysctl.d/90-remediate.conf"
            )

    def facts(self) -> Sequence[Fact[Any]]:
        """The parameters, what all files say for the next boot, and our own file."""
        return (self._known(), TextFile(self.file))

    def plan(self, seen: Seen) -> Iterator[Operation | Noop]:
        """One wish per parameter that is not as wished now or at boot."""
        yield from wishes(self._by_path(), self.file, self._known(), seen)

    def _by_path(self) -> dict[str, str]:
        return {parameter_path(key) or "": normal(str(value)) for key, value in self.settings.items()}

    def _known(self) -> KernelParameters:
        return KernelParameters(tuple(self._by_path()))
