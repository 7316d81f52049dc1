"""YAML (and JSON) with places for messages, and limits that hostile or mistaken text cannot pass.

The document is composed from the parser's events here, because libyaml's own composer overruns its stack on
deep nesting (seen at 200 000 brackets) and knows no limit for aliases.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import yaml
from yaml.events import AliasEvent, DocumentStartEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode
from yaml.representer import SafeRepresenter

from remediate.errors import UsageProblem
from remediate.inventory.json_text import MAX_DEPTH, load_json
from remediate.inventory.model import Encrypted, mark_unsafe

if TYPE_CHECKING:
    from yaml import SafeLoader as _BaseLoader
else:
    _BaseLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's where PyYAML has it

MAX_VALUES: Final = 1_000_000
"""Values when every alias is written out; 10 000 hosts with 20 variables each have half as many."""

_NULL: Final = "tag:yaml.org,2002:null"
_BROKEN_VALUE = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
"""What PyYAML's constructors let through on texts such as `!!int x`, `!!timestamp x` or 2020-13-45."""


class _Loader(_BaseLoader):
    """PyYAML's safe loader with Ansible's tags."""


def _construct_unsafe(loader: Any, node: Node) -> Any:
    """Strings below `!unsafe` are never templated."""
    return mark_unsafe(loader.construct_object(_untagged(loader, node), deep=True))


def _construct_vault(loader: Any, node: Node) -> Encrypted:
    """`!vault` values stay as they are."""
    return Encrypted(str(loader.construct_object(_untagged(loader, node), deep=True)))


def _untagged(loader: Any, node: Node) -> Node:
    tag = loader.resolve(type(node), node.value, (True, False))
    return type(node)(tag, node.value, node.start_mark, node.end_mark)


_Loader.add_constructor("!unsafe", _construct_unsafe)
_Loader.add_constructor("!vault", _construct_vault)
_Loader.add_constructor("!vault-encrypted", _construct_vault)


class Document:
    """One YAML or JSON document.

    Attributes:
        root: its outermost node; None where the text is empty.
    """

    def __init__(self, data: bytes, name: str) -> None:
        """Parse it.

        Args:
            data: UTF-8 text.
            name: the file's name for messages.

        Raises:
            UsageProblem: with file, line and column.
        """
        self._name = name
        text = _decode(data, name)
        root = _json_root(text, name)
        try:
            self._loader = _Loader("" if root else text)
            root = root or _Composer(self._loader, self).document()
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise UsageProblem(f"is no YAML: {error.reason}", where=f"{name}:{line}") from None
        except yaml.YAMLError as error:
            raise self._problem(error) from None
        self.root = None if root is None or root.tag == _NULL else root

    def where(self, node: Node) -> str:
        """File, line and column of a node; of JSON the file alone."""
        return self._place(node.start_mark)

    def _place(self, mark: Any) -> str:
        return f"{self._name}:{mark.line + 1}:{mark.column + 1}" if mark else self._name

    def is_null(self, node: Node) -> bool:
        """Whether the node says nothing, as in `hosts:`."""
        return bool(node.tag == _NULL)

    def pairs(self, node: MappingNode) -> Iterator[tuple[Any, Node, Node]]:
        """Keys and values of a mapping, what `<<` merges included: key, the key's node, the value's node.

        Raises:
            UsageProblem: a key or merge that means nothing.
        """
        try:
            self._loader.flatten_mapping(node)
        except yaml.YAMLError as error:
            raise self._problem(error) from None
        nodes = {self.value(key): (key, value) for key, value in node.value}
        return ((name, *pair) for name, pair in nodes.items())

    def value(self, node: Node) -> Any:
        """What a node stands for: strings, numbers, lists, dictionaries, dates, `Unsafe`, `Encrypted`.

        Raises:
            UsageProblem: an unknown tag, or text that is not of the kind that it claims.
        """
        try:
            return self._loader.construct_object(node, deep=True)
        except yaml.YAMLError as error:
            raise self._problem(error) from None
        except _BROKEN_VALUE as error:
            kind = node.tag.rpartition(":")[2]
            raise UsageProblem(
                f"the value is no {kind}: {error}", where=self.where(node), hint="quote it?"
            ) from None

    def _problem(self, error: yaml.YAMLError) -> UsageProblem:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        parts = [getattr(error, part, None) for part in ("context", "problem", "reason")]
        text = ", ".join(part for part in parts if part) or str(error)
        return UsageProblem(f"is no valid YAML: {text}", where=self._place(mark))


class _Composer:
    """Nodes from events, as PyYAML's composer makes them, within the limits and without duplicate keys."""

    def __init__(self, loader: Any, document: Document) -> None:
        self._loader, self._document = loader, document
        self._anchors: dict[str, Node] = {}
        self._sizes: dict[int, int] = {}
        self._total = 0

    def document(self) -> Node | None:
        self._loader.get_event()  # the stream's start
        if not self._loader.check_event(DocumentStartEvent):
            return None
        self._loader.get_event()
        root = self._node(0)
        self._loader.get_event()  # the document's end
        if self._loader.check_event(DocumentStartEvent):
            raise self._refuse("a second document begins here", "one file holds one document")
        return root

    def _refuse(self, message: str, hint: str, mark: Any = None) -> UsageProblem:
        place = mark or self._loader.peek_event().start_mark
        return UsageProblem(message, where=self._document._place(place), hint=hint)

    def _node(self, depth: int) -> Node:
        event = self._loader.get_event()
        if isinstance(event, AliasEvent):
            return self._aliased(event)
        if depth > MAX_DEPTH:
            raise self._refuse(
                f"more than {MAX_DEPTH} levels inside each other", "unfold it", event.start_mark
            )
        before = self._total
        self._count(1, event)
        node = self._scalar(event) if isinstance(event, ScalarEvent) else self._collection(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
            self._sizes[id(node)] = self._total - before
        return node

    def _count(self, values: int, event: Any) -> None:
        self._total += values
        if self._total > MAX_VALUES:
            raise self._refuse(f"more than {MAX_VALUES} values", "its aliases (*) multiply", event.start_mark)

    def _aliased(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:  # not named yet, or still open: an alias inside its own anchor
            raise self._refuse(
                f"*{event.anchor} has no finished &{event.anchor} before it", "", event.start_mark
            )
        self._count(self._sizes[id(node)], event)
        return node

    def _tag(self, event: Any, kind: type[Node], value: str | None, implicit: Any) -> str:
        if event.tag is None or event.tag == "!":
            return str(self._loader.resolve(kind, value, implicit))
        return str(event.tag)

    def _scalar(self, event: Any) -> ScalarNode:
        tag = self._tag(event, ScalarNode, event.value, event.implicit)
        return ScalarNode(tag, event.value, event.start_mark, event.end_mark, style=event.style)

    def _collection(self, event: Any, depth: int) -> CollectionNode:
        kind: type[CollectionNode] = SequenceNode if isinstance(event, SequenceStartEvent) else MappingNode
        node = kind(self._tag(event, kind, None, event.implicit), [], event.start_mark, None)
        while not self._loader.check_event(yaml.SequenceEndEvent, yaml.MappingEndEvent):
            item = self._node(depth + 1)
            node.value.append((item, self._node(depth + 1)) if isinstance(event, MappingStartEvent) else item)
        node.end_mark = self._loader.get_event().end_mark
        if isinstance(node, MappingNode):
            self._check_keys(node)
        return node

    def _check_keys(self, node: MappingNode) -> None:
        seen: dict[tuple[str, str], Any] = {}
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):
                raise self._refuse("a list or mapping cannot be a key", "quote it?", key.start_mark)
            mark: Any = key.start_mark
            first = seen.setdefault((key.tag, key.value), mark)
            if first is not mark:
                raise self._refuse(
                    f"the key {key.value!r} is already on line {first.line + 1}",
                    "keep one of the two",
                    key.start_mark,
                )


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageProblem("is no UTF-8 text", where=f"{name}:{line}") from None


def _json_root(text: str, name: str) -> Node | None:
    """The nodes of a JSON object (its numbers and escapes differ from YAML's); None if the text is none."""
    if not text.lstrip().startswith("{"):
        return None

    try:
        return SafeRepresenter(sort_keys=False).represent_data(load_json(text, name))
    except ValueError:
        return None
