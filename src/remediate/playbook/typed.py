"""Turn plain values into typed ones; whatever does not fit is refused at its own place in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from remediate.errors import UsageProblem
from remediate.inventory.names import nearest
from remediate.playbook.document import Document, Place

T = TypeVar("T")
Decode = Callable[[type, Any], Any]

_PATH = re.compile(r" - at (?P<key>`key` in )?`\$(?P<path>[^`]*)`\Z", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")
_WORDS = {"`object`": "a mapping", "`array`": "a list", "`str`": "text", "`null`": "nothing"}


def typed(
    value: Any, kind: type[T], document: Document, base: Place, *, decode: Decode, strict: bool = True
) -> T:
    """Convert a value.

    Args:
        value: what stands in the document at `base`, possibly with its templates rendered.
        kind: the type that it must have.
        decode: msgspec's hook for types of our own.
        strict: False where text may stand for a number, as a rendered template does.

    Raises:
        UsageProblem: at file:line:column, with what was expected.
    """

    def convert(part: Any) -> T:
        return msgspec.convert(part, kind, strict=strict, dec_hook=decode)

    try:
        return convert(value)
    except msgspec.ValidationError as problem:
        message, place, key = _located(str(problem), value, convert)
        raise UsageProblem(
            _plain(message, base + place), where=document.where(base + place, key=key)
        ) from None


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


def _plain(message: str, place: Place) -> str:
    for word, said in _WORDS.items():
        message = message.replace(word, said)
    message = message.replace("Object missing required field", "missing").replace("Expected", "expected")
    message = message.replace("Object contains unknown field", "unknown word").replace(" | ", " or ")
    names = [step for step in place if isinstance(step, str)]
    return f"{names[-1]}: {message.replace('`', '')}" if names else message.replace("`", "")


def _located(message: str, value: Any, convert: Callable[[Any], Any]) -> tuple[str, Place, bool]:
    """The message without its path, the place that it speaks of, and whether it means the key there."""
    match = _PATH.search(message)
    if match is None:
        return message, (), False
    place: list[str | int] = []
    for step in _STEP.finditer(match["path"]):
        if step["name"] is not None:
            place.append(step["name"])
        elif step["index"] is not None:
            place.append(int(step["index"]))
        else:
            place.append(_culprit(message, value, place, convert))
    text = message[: match.start()]
    if match["key"]:
        place.append(_culprit(message, value, place, convert))
    return text, tuple(place), bool(match["key"])


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
