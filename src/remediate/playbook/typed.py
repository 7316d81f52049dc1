"""Turn plain values into typed ones; whatever does not fit is refused at its own place in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from remediate.errors import UsageProblem
from remediate.inventory.names import nearest
from remediate.playbook.document import Document, Place

T = TypeVar("T")
Decode = Callable[[type, Any], Any]

_PATH = re.compile(r" - at (?P<key>`key` in )?`\$(?P<path>[^`]*)`\Z", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_CHOICE = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_OWN = re.compile(r"(\w+): ")
_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}


def typed(
    value: Any,
    kind: type[T],
    document: Document,
    base: Place,
    *,
    decode: Decode,
    strict: bool = True,
    host: str = "",
) -> T:
    """Convert a value.

    Args:
        value: what stands in the document at `base`, possibly with its templates rendered.
        kind: the type that it must have.
        decode: msgspec's hook for types of our own; its ValueErrors, and those of a `__post_init__`, get their place.
        strict: False where text may stand for a number, as a rendered template does.
        host: whose variables went into the value; named in messages.

    Raises:
        UsageProblem: at file:line:column, with what was expected.
    """

    def convert(part: Any) -> T:
        return msgspec.convert(part, kind, strict=strict, dec_hook=decode)

    try:
        return convert(value)
    except msgspec.ValidationError as problem:
        message, place, key = _located(str(problem), value, convert)
    if unknown := _UNKNOWN.fullmatch(message):
        inside = _struct(_type_at(kind, place))
        known = inside.__struct_fields__ if inside else ()
        refuse_unknown_words({unknown[1]: None}, known, _called(base + place), document, base + place)
    hint = ""
    if choice := _CHOICE.fullmatch(message):
        words = _choices(_type_at(kind, place))
        message, hint = f"{choice[1]} is not known here", nearest(choice[1].strip("'"), words)
    where = document.where(base + place, key=key) + (f": {host}" if host else "")
    name = _called(base + place)
    raise UsageProblem(f"{name}: {_plain(message)}" if name else _plain(message), where=where, hint=hint)


def refuse_unknown_words(
    value: dict[Any, Any], known: Iterable[str], what: str, document: Document, base: Place
) -> None:
    """Refuse a key that is none of the known words, naming the nearest one. Raises UsageProblem."""
    words = tuple(known)
    for key in value:
        if key not in words:
            raise UsageProblem(
                f"unknown word {str(key)!r} in {what}",
                where=document.where((*base, str(key)), key=True),
                hint=nearest(str(key), words),
            )


def _called(place: Place) -> str:
    """The last word of a place; a list's item is called by the list."""
    return next((step for step in reversed(place) if isinstance(step, str)), "")


def _plain(message: str) -> str:
    """msgspec's message with types called as a playbook's author calls them."""
    said = re.sub(r"`([^`]*)`", _said, message).replace("Object missing required field", "missing")
    return said[:1].lower() + said[1:] if said.startswith("Expected") else said


def _said(match: re.Match[str]) -> str:
    kinds = [_KINDS.get(word, word) for word in match[1].split(" | ") if word != "null"]
    return " or ".join(kinds) or "nothing"


def _type_at(kind: Any, place: Place) -> Any:
    """The type of a field, followed through structs; None where the place leads elsewhere."""
    for step in place:
        inside = _struct(kind)
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(inside)} if inside else {}
        kind = fields.get(str(step))
    return kind


def _struct(kind: Any) -> type[msgspec.Struct] | None:
    """The struct that a type is, or that a union has."""
    options = [kind, *get_args(kind)]
    return next((one for one in options if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)


def _choices(kind: Any) -> list[str]:
    """The words of a `Literal`, also inside a union."""
    if get_origin(kind) is Literal:
        return [str(word) for word in get_args(kind)]
    return [word for inside in get_args(kind) for word in _choices(inside)]


def _located(message: str, value: Any, convert: Callable[[Any], Any]) -> tuple[str, Place, bool]:
    """The message without its path, the place that it speaks of, and whether it means the key there."""
    match = _PATH.search(message)
    if match is None:
        own = _OWN.match(message)  # a `__post_init__` that names the field it complains about
        named = own is not None and isinstance(value, dict) and own[1] in value
        return (message[own.end() :], (own[1],), False) if own and named else (message, (), False)
    place: list[str | int] = []
    for step in _STEP.finditer(match["path"]):
        if step["name"] is not None:
            place.append(step["name"])
        elif step["index"] is not None:
            place.append(int(step["index"]))
        else:
            place.append(_culprit(message, value, place, convert))
    if match["key"]:
        place.append(_culprit(message, value, place, convert))
    return message[: match.start()], tuple(place), bool(match["key"])


def _culprit(message: str, value: Any, place: list[str | int], convert: Callable[[Any], Any]) -> str | int:
    """The key that msgspec writes as `[...]`: the first one that fails in the same way when it is alone."""
    inside = value
    for step in place:
        inside = inside[step]
    key: str | int
    for key in inside:
        try:
            convert(_replaced(value, place, {key: inside[key]}))
        except msgspec.ValidationError as problem:
            if str(problem) == message:
                return key
    return ""


def _replaced(value: Any, place: list[str | int], part: Any) -> Any:
    if not place:
        return part
    copy = value.copy()
    copy[place[0]] = _replaced(value[place[0]], place[1:], part)
    return copy
