"""The reference of a task, generated from its docstrings and typed fields."""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from remediate.task.base import Task
from remediate.task.units import Duration, Share, Size, shown

_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.+(?:\n {5,}.+)*)", re.MULTILINE)
_PLAIN = {
    str: "text",
    int: "number",
    float: "number",
    bool: "true or false",
    Any: "anything",
    types.NoneType: "nothing",
}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a task.

    Attributes:
        kind: its type in words.
        default: as one writes it in a playbook; None where the argument must be given.
        about: one line from the task's docstring.
    """

    name: str
    kind: str
    default: str | None
    about: str


@dataclass(frozen=True, slots=True)
class Documentation:
    """What there is to know about a task.

    Attributes:
        summary: its first sentence.
        text: the rest, in paragraphs.
    """

    name: str
    summary: str
    text: str
    arguments: tuple[Argument, ...]

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.summary}"]
        lines += ["", self.text] if self.text else []
        lines += ["", "Arguments:"] if self.arguments else []
        for one in self.arguments:
            given = "required" if one.default is None else f"default {one.default}"
            lines.append(f"  {one.name}: {one.kind}; {given}")
            lines += [f"      {one.about}"] if one.about else []
        return "\n".join(lines)


def documentation(name: str, task: type[Task]) -> Documentation:
    """The documentation of a task: its module's docstring, its fields, and what its class says of them.

    Args:
        name: the task's name, as in `TaskCatalog.names`.
        task: as `TaskCatalog.load` gives it.
    """
    module = inspect.cleandoc(sys.modules[task.__module__].__doc__ or task.__doc__ or "")
    summary, _, text = module.partition("\n\n")
    return Documentation(name, " ".join(summary.split()), text.strip(), tuple(_arguments(task)))


def _arguments(task: type[Task]) -> Iterator[Argument]:
    about = {
        name: " ".join(text.split())
        for name, text in _ATTRIBUTE.findall(inspect.cleandoc(task.__doc__ or ""))
    }
    for field in msgspec.structs.fields(task):
        default = None if field.required else _default(field)
        yield Argument(field.encode_name, in_words(field.type), default, about.get(field.name, ""))


def _default(field: msgspec.structs.FieldInfo) -> str:
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if value is None:
        return "none"
    if isinstance(value, (Duration, Size, Share)):
        return shown(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def in_words(kind: Any) -> str:
    """A type as a playbook's author thinks of it: `number 0…7`, `one of stop, rollback`."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return in_words(inside[0]) + "".join(_limits(extra) for extra in inside[1:])
    if origin is Literal:
        return f"one of {', '.join(map(str, inside))}"
    if origin in (Union, types.UnionType):
        return " or ".join(in_words(one) for one in inside if one is not types.NoneType)
    if origin in (dict, list, tuple):
        return f"{'mapping' if origin is dict else 'list'} of {' to '.join(in_words(one) for one in inside)}"
    return _first_words(kind)


def _first_words(kind: Any) -> str:
    """A type of our own says in its docstring what it is."""
    text = inspect.cleandoc(kind.__doc__ or kind.__name__).partition("\n")[0]
    return text[:1].lower() + text[1:].rstrip(".")


def _limits(extra: Any) -> str:
    if not isinstance(extra, msgspec.Meta):
        return ""
    if extra.ge is not None and extra.le is not None:
        return f" {extra.ge}…{extra.le}"
    return f" like {extra.pattern}" if extra.pattern else ""
