"""Values of connection variables that refer to other variables of the same host: `{{ access_ip }}`.

Only references, a few filters and joining are possible: no calls, loops or arithmetic, so that nothing is
spawned and nothing grows. Jinja2 is imported when the first `{{` is met.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from remediate.errors import UsageProblem
from remediate.inventory.model import Encrypted, Unsafe
from remediate.inventory.names import nearest

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.nodes import Template

_MARKS = ("{{", "{%", "{#")
_FILTERS = ("default", "d", "first", "int", "join", "last", "lower", "replace", "string", "trim", "upper")


class Expander:
    """Expands the variables of one host, each once."""

    def __init__(self, variables: Mapping[str, Any], where: Mapping[str, str]) -> None:
        """Take a host's variables, and the file and line of each for messages."""
        self._variables, self._where = variables, where
        self._open: list[str] = []

    def value(self, name: str) -> Any:
        """A variable's value with every reference in it replaced; None where it is not set.

        Raises:
            UsageProblem: it refers to itself or to what is not there, is encrypted, or is more than references.
        """
        if name in self._open:
            raise self._problem(f"the variable refers to itself: {' > '.join([*self._open, name])}")
        self._open.append(name)
        try:
            return self._expand(self._variables.get(name))
        finally:
            self._open.pop()

    def _problem(self, message: str, hint: str = "") -> UsageProblem:
        name = self._open[-1]
        return UsageProblem(f"{name}: {message}", where=self._where.get(name, ""), hint=hint)

    def _expand(self, value: Any) -> Any:
        if isinstance(value, Encrypted):
            raise self._problem(
                "the value is encrypted (!vault)", "decrypt it; a sudo password is asked for with -K"
            )
        if isinstance(value, dict):
            return {key: self._expand(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._expand(item) for item in value]
        if isinstance(value, str) and not isinstance(value, Unsafe) and any(mark in value for mark in _MARKS):
            return self._render(value)
        return value

    def _render(self, text: str) -> str:
        from jinja2 import TemplateError

        names: set[str] = set()
        try:
            tree, names = self._parse(text)
            known = {name: self.value(name) for name in sorted(names & self._variables.keys())}
            return self._environment.from_string(tree).render(known)
        except TemplateError as error:
            raise self._failed(text, error.message or "", names) from None

    def _parse(self, text: str) -> tuple[Template, set[str]]:
        """The template's tree, and the names in it. Raises TemplateSyntaxError for more than references."""
        from jinja2 import TemplateSyntaxError, meta, nodes

        allowed = (nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem)
        tree = self._environment.parse(text)
        for node in tree.find_all(nodes.Node):
            if not isinstance(node, (*allowed, nodes.Filter, nodes.Concat, nodes.Keyword)):
                raise TemplateSyntaxError(
                    f"only references and the filters {', '.join(_FILTERS)} are possible", 1
                )
        return tree, meta.find_undeclared_variables(tree)

    def _failed(self, text: str, why: str, names: set[str]) -> UsageProblem:
        if any("pass" in name for name in self._open):  # the text may be a password that holds {{
            return self._problem("the template cannot be expanded", "its text is not shown")
        unknown = sorted(names - self._variables.keys())
        hint = nearest(unknown[0], self._variables) if unknown else ""
        return self._problem(f"{text!r} cannot be expanded: {why}", hint)

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
        environment.filters = {name: environment.filters[name] for name in _FILTERS}
        return environment
