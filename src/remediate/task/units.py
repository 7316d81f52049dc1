"""Quantities as people write them in playbooks: `60s`, `100MiB`, `45%`. They are types of task arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z%]*)\s*")


def _split(text: str, expected: str) -> tuple[float, str]:
    match = _NUMBER.fullmatch(text)
    if (
        match is None or len(text) > 40
    ):  # a double has at most 17 digits that count; longer text is no quantity
        raise ValueError(f"expected {expected}, got {text!r}")
    return float(match[1]), match[2]


def _scale(text: str, factors: Mapping[str, float], expected: str) -> float:
    number, unit = _split(text, expected)
    if unit not in factors:
        raise ValueError(f"expected {expected}, got {text!r}")
    return number * factors[unit]


class Duration(float):
    """A duration in seconds, written `500ms`, `60s`, `1m`, `2h`, or a bare number of seconds."""

    __slots__ = ()
    expected = "a duration such as 500ms, 60s or 1m"
    factors: ClassVar[Mapping[str, float]] = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

    @classmethod
    def parse(cls, written: Any) -> Self:
        """Raises ValueError where it is no duration."""
        return cls(_quantity(cls, written))


class Size(int):
    """A size in bytes, written `512B`, `100MiB`, `2GiB`, `8GB` (decimal), or a bare number of bytes."""

    __slots__ = ()
    expected = "a size such as 100MiB or 2GiB"
    factors: ClassVar[Mapping[str, float]] = {"": 1.0, "B": 1.0} | {
        f"{letter}{ending}": float(base**power)
        for power, letter in enumerate("KMGT", 1)
        for ending, base in (("iB", 1024), ("B", 1000))
    }

    @classmethod
    def parse(cls, written: Any) -> Self:
        """Raises ValueError where it is no size."""
        return cls(round(_quantity(cls, written)))


class Share(float):
    """A share from 0 to 1, written `45%` or `0.45`."""

    __slots__ = ()
    expected = "a share such as 45% or 0.45"
    factors: ClassVar[Mapping[str, float]] = {"": 1.0, "%": 0.01}

    @classmethod
    def parse(cls, written: Any) -> Self:
        """Raises ValueError where it is no share, or outside 0…1."""
        share = cls(_quantity(cls, written))
        if not 0 <= share <= 1:
            raise ValueError(f"expected {cls.expected}, got {written!r}, which is more than all")
        return share


def _quantity(unit: type[Duration] | type[Size] | type[Share], written: Any) -> float:
    if isinstance(written, bool) or not isinstance(written, (int, float, str)):
        raise ValueError(f"expected {unit.expected}, got {written!r}")
    if isinstance(written, str):
        return _scale(written, unit.factors, unit.expected)
    if not 0 <= written < 1e18:  # also refuses nan; 1e18 bytes or seconds is beyond anything on a node
        raise ValueError(f"expected {unit.expected}, got {written!r}")
    return float(written)


def shown(value: Duration | Size | Share) -> str:
    """As one writes it: `60s`, `100MiB`, `45%`."""
    if isinstance(value, Share):
        return f"{value * 100:g}%"
    if isinstance(value, Duration):
        return f"{value:g}s"
    units = ((factor, name) for name, factor in Size.factors.items() if name.endswith("iB"))
    return next(
        (f"{value // int(f)}{name}" for f, name in sorted(units, reverse=True) if value and not value % f),
        f"{value}B",
    )


def decode(kind: type, written: Any) -> Any:
    """What msgspec calls for argument types that it does not know. Raises ValueError."""
    if issubclass(kind, (Duration, Size, Share)):
        return written if isinstance(written, kind) else kind.parse(written)
    raise NotImplementedError(f"a task cannot have an argument of type {kind.__name__}")
