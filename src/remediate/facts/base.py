"""What a fact is: a read-only POSIX sh probe, and the parser of what it prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, cast

T = TypeVar("T")


class FactError(Exception):
    """A probe's output could not be understood, or the thing is not there; the text says why."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What one probe printed.

    Attributes:
        out: standard output, at most the fact's cap.
        rc: exit code; 124 where its time was over.
        truncated: the cap was reached.
    """

    out: str
    rc: int = 0
    truncated: bool = False


class Fact(Generic[T]):
    """One thing that can be known about a host. Subclasses are frozen dataclasses: equal facts are read once.

    Attributes:
        needs: pieces of the shared prelude that run before the probe, by name (`facts/prelude/NAME.sh`).
        timeout: seconds; 0 means that the probe only uses shell built-ins on local kernel files and is
            run inside the batch's own shell, which saves its forks.
        cap: characters of output accepted.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    timeout: ClassVar[int] = 10
    cap: ClassVar[int] = 256 * 1024

    @property
    def name(self) -> str:
        """How messages call it."""
        return type(self).__name__

    def probe(self) -> str:
        """The sh text; it must change nothing, and quotes what comes from outside with `node.shell.sh`."""
        raise NotImplementedError

    def parse(self, frame: Frame) -> T:
        """What the output means; raises FactError when it means nothing."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why a fact has no value on this host."""

    why: str


class Seen(Mapping["Fact[Any]", Any]):
    """All facts of one host from one look; a value is there, or the reason why not."""

    def __init__(self, host: str, values: Mapping[Fact[Any], Any]) -> None:
        self.host = host
        self._values = dict(values)

    def __getitem__(self, fact: Fact[T]) -> T:
        """The fact's value; raises FactError with the reason where there is none."""
        if fact not in self._values:
            raise FactError(f"{fact.name} was not asked for on {self.host}")
        value = self._values[fact]
        if isinstance(value, Unknown):
            raise FactError(value.why)
        return cast(T, value)

    def __contains__(self, fact: object) -> bool:
        return fact in self._values

    def known(self, fact: Fact[T]) -> T | None:
        """The fact's value, or None."""
        value = self._values.get(fact)
        return None if isinstance(value, Unknown) else cast("T | None", value)

    def why_unknown(self, fact: Fact[Any]) -> str | None:
        """The reason why a fact has no value, or None where it has one."""
        value = self._values.get(fact, Unknown(f"{fact.name} was not asked for"))
        return value.why if isinstance(value, Unknown) else None

    def merged(self, newer: Seen) -> Seen:
        """The same look with what was read again."""
        return Seen(self.host, {**self._values, **newer._values})

    def __iter__(self) -> Iterator[Fact[Any]]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
