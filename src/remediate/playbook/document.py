"""YAML whose every value still knows where it stands in the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from remediate.errors import UsageProblem
from remediate.inventory.model import Unsafe

Node = Any
"""A node of PyYAML, which is imported only when a file is read."""

Place = tuple[str | int, ...]
"""Keys and indexes from the top of a document down to a value."""

MAX_BYTES = 1024 * 1024
"""Larger files are no playbooks; and they would be slow to refuse."""

MAX_DEPTH = 50
"""Levels of nesting; also stops aliases that lead back to themselves."""

MAX_VALUES = 100_000
"""Values after aliases are expanded: stops "billion laughs"."""

_PREFIX = "tag:yaml.org,2002:"
_PLAIN = {_PREFIX + kind for kind in ("null", "bool", "int", "float", "str", "timestamp")}


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document.

    Attributes:
        path: the file as messages name it.
        value: mappings, sequences and scalars as plain Python values.
    """

    path: str
    value: Any
    _root: Node = field(repr=False, default=None)

    def where(self, place: Place = (), *, key: bool = False) -> str:
        """`file:line:column` of a value or of its key; where it is not in the file, of what is around it."""
        node = found = self._root
        for number, step in enumerate(place, 1):
            pair = _child(node, step)
            if pair is None:
                break
            found = pair[0] if key and number == len(place) else pair[1]
            node = pair[1]
        return f"{self.path}:1:1" if found is None else _position(self.path, found)


def read(path: Path) -> Document:
    """Read a file. Raises UsageProblem where it cannot be read or is no YAML."""
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise UsageProblem(f"cannot be read: {problem.strerror}", where=str(path)) from None
    if len(content) > MAX_BYTES:
        raise UsageProblem(
            f"is larger than {MAX_BYTES // 1024} KiB", where=str(path), hint="is it a playbook?"
        )
    try:
        return parse(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise UsageProblem("is not UTF-8 text", where=f"{path}:{line}") from None


def parse(text: str, path: str) -> Document:
    """Parse YAML text of one document.

    Args:
        text: the YAML text.
        path: how messages name it.

    Raises:
        UsageProblem: a syntax error, a duplicate key, a tag, or more than the limits allow.
    """
    import yaml

    try:
        root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        raise UsageProblem(f"is not YAML: {problem.problem or problem.context}", where=place) from None
    except yaml.YAMLError as problem:
        raise UsageProblem(f"is not YAML: {_first_line(problem)}", where=path) from None
    return Document(path, None if root is None else _Builder(path).build(root, 0), root)


def _first_line(problem: Exception) -> str:
    return (str(problem) or type(problem).__name__).splitlines()[0]


def _position(path: str, node: Node) -> str:
    return f"{path}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _is_merge(key: Node) -> bool:
    return bool(key.tag == _PREFIX + "merge")


def _child(node: Node, step: str | int) -> tuple[Node, Node] | None:
    """Key and value nodes below a node; in a sequence the value stands for its key too."""
    if node is not None and node.id == "sequence":
        inside = isinstance(step, int) and step < len(node.value)
        return (node.value[step], node.value[step]) if inside else None
    if node is None or node.id != "mapping":
        return None
    for key, value in node.value:
        if key.id == "scalar" and not _is_merge(key) and key.value == str(step):
            return key, value
    merged = (_child(source, step) for source in _merged(node))
    return next((pair for pair in merged if pair), None)


def _merged(node: Node) -> Iterator[Node]:
    """What `<<` names, nearest first."""
    for key, value in node.value:
        if _is_merge(key):
            yield from value.value if value.id == "sequence" else [value]


class _Builder:
    """Turns nodes into plain values, within limits."""

    def __init__(self, path: str) -> None:
        from yaml.constructor import SafeConstructor

        self._path, self._count = path, 0
        self._scalars = SafeConstructor()

    def _refuse(self, node: Node, message: str, hint: str = "") -> NoReturn:
        raise UsageProblem(message, where=_position(self._path, node), hint=hint)

    def build(self, node: Node, depth: int) -> Any:
        self._count += 1
        if depth > MAX_DEPTH:
            self._refuse(node, f"is nested deeper than {MAX_DEPTH} levels, or refers to itself")
        if self._count > MAX_VALUES:
            self._refuse(node, f"stands for more than {MAX_VALUES} values")
        if node.id == "scalar":
            return self._scalar(node)
        if node.tag not in (_PREFIX + "map", _PREFIX + "seq"):
            self._refuse(node, f"the tag {_shown(node.tag)} is not known here")
        if node.id == "sequence":
            return [self.build(item, depth + 1) for item in node.value]
        return self._mapping(node, depth)

    def _scalar(self, node: Node) -> Any:
        if node.tag == "!unsafe":
            return Unsafe(node.value)
        if node.tag == _PREFIX + "timestamp":
            return node.value
        if node.tag not in _PLAIN:
            self._refuse(node, f"the tag {_shown(node.tag)} is not known here")
        try:
            return self._scalars.construct_object(node)
        except (ValueError, LookupError):
            self._refuse(node, f"{node.value[:40]!r} is no {node.tag.removeprefix(_PREFIX)}", "quote it")

    def _mapping(self, node: Node, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                continue
            key = self._key(key_node)
            if key in found:
                self._refuse(key_node, f"the key {key!r} is here twice", "keep one of them")
            found[key] = self.build(value_node, depth + 1)
        for source in _merged(node):
            value = self.build(source, depth + 1)
            if not isinstance(value, dict):
                self._refuse(source, "<< needs a mapping")
            found = value | found
        return found

    def _key(self, node: Node) -> Any:
        key = self._scalar(node) if node.id == "scalar" else None
        if key is None:
            self._refuse(node, "a key must be a word or a number")
        return str(key) if isinstance(key, Unsafe) else key


def _shown(tag: str) -> str:
    return tag.replace(_PREFIX, "!!")
