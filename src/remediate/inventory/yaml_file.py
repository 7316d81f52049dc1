"""Ansible's YAML inventories: groups with `hosts`, `vars` and `children`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode

from remediate.errors import UsageProblem
from remediate.inventory.build import Builder, Said, Variables
from remediate.inventory.names import expand_hosts, nearest
from remediate.inventory.yaml_nodes import Document

_SECTIONS = ("hosts", "vars", "children")


def read_yaml(builder: Builder, data: bytes, path: Path, name: str) -> None:
    """Add what a YAML or JSON inventory says.

    Args:
        builder: where it goes.
        data: the file's content.
        path: the file's absolute path.
        name: how messages call the file.

    Raises:
        UsageProblem: with file, line and column.
    """
    document = Document(data, name)
    if document.root is not None:
        _Reader(builder, document, path).groups(document.root)


def read_variables(data: bytes, name: str) -> Variables:
    """The variables of a file in `group_vars/` or `host_vars/`.

    Args:
        data: the file's content.
        name: how messages call the file.

    Raises:
        UsageProblem: with file, line and column.
    """
    document = Document(data, name)
    if document.root is None:
        return {}
    return dict(_variables(document, document.root, "the file"))


def _variables(document: Document, node: Node, what: str) -> Iterator[tuple[str, Said]]:
    for key, key_node, value in document.pairs(_mapping(document, node, what, "variables, NAME: VALUE")):
        if not isinstance(key, str):
            raise UsageProblem(
                f"{key!r} is no name of a variable", where=document.where(key_node), hint="quote it"
            )
        yield key, Said(document.value(value), document.where(key_node))


def _mapping(document: Document, node: Node, what: str, expected: str) -> MappingNode:
    if isinstance(node, MappingNode):
        return node
    found = "a list" if not isinstance(node, ScalarNode) else f"{node.value!r:.80}"
    raise UsageProblem(f"{what} is {found}, expected a mapping of {expected}", where=document.where(node))


class _Reader:
    def __init__(self, builder: Builder, document: Document, path: Path) -> None:
        self._builder, self._document, self._path = builder, document, path

    def groups(self, root: Node) -> None:
        """The outermost mapping: each key is a group."""
        mapping = _mapping(self._document, root, "the inventory", "groups, GROUP: {hosts: …}")
        pairs = list(self._document.pairs(mapping))
        for key, key_node, _ in pairs:
            if key == "plugin":
                raise UsageProblem(
                    "configures an inventory plugin of Ansible, which cannot run here",
                    where=self._document.where(key_node),
                    hint="give a script with: exec ansible-inventory -i FILE --list",
                )
        for key, key_node, value in pairs:
            self._group(key, key_node, value)

    def _group(self, key: Any, key_node: Node, node: Node) -> str:
        where = self._document.where(key_node)
        if not isinstance(key, str):
            raise UsageProblem(f"the group's name {key!r} is no text", where=where, hint="quote it")
        self._builder.add_group(key, where)
        if self._document.is_null(node):
            return key
        for section, section_node, content in self._document.pairs(
            _mapping(self._document, node, f"group {key!r}", "hosts, vars and children")
        ):
            self._section(key, section, section_node, content)
        return key

    def _section(self, group: str, section: Any, section_node: Node, content: Node) -> None:
        if section not in _SECTIONS:
            raise UsageProblem(
                f"group {group!r} has the key {section!r}, expected hosts, vars or children",
                where=self._document.where(section_node),
                hint=nearest(str(section), _SECTIONS),
            )
        if self._document.is_null(content):
            return
        if section == "vars":
            for name, said in _variables(self._document, content, f"vars of group {group!r}"):
                self._builder.set_group_variable(group, name, said)
        elif section == "children":
            for key, key_node, value in self._members(group, section, content):
                self._builder.add_child(
                    group, self._group(key, key_node, value), self._document.where(key_node)
                )
        else:
            for key, key_node, value in self._members(group, section, content):
                self._hosts(group, key, key_node, value)

    def _members(self, group: str, section: str, content: Node) -> Iterator[tuple[Any, Node, Node]]:
        """Keys of `hosts` or `children`; a single name may stand there without being a mapping."""
        if isinstance(content, ScalarNode):
            return iter([(self._document.value(content), content, ScalarNode("tag:yaml.org,2002:null", ""))])
        what = f"{section} of group {group!r}"
        return self._document.pairs(
            _mapping(self._document, content, what, "names, each followed by a colon")
        )

    def _hosts(self, group: str, key: Any, key_node: Node, node: Node) -> None:
        where = self._document.where(key_node)
        if not isinstance(key, str):
            raise UsageProblem(f"the host's name {key!r} is no text", where=where, hint="quote it")
        names, port = expand_hosts(key, where)
        variables = (
            dict(_variables(self._document, node, f"host {key!r}"))
            if not self._document.is_null(node)
            else {}
        )
        for name in names:
            self._builder.add_host(name, group, port, self._path, where)
            for variable, said in variables.items():
                self._builder.set_host_variable(name, variable, said)
