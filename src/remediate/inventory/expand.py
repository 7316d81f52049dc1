"""Values of connection variables that refer to other variables of the same host: `{{ access_ip }}`.

Only references, a few filters and joining are possible: no calls, loops or arithmetic, so that nothing is
spawned and nothing grows. Jinja2 is imported when the first `{{` is met.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from remediate.errors import UsageProblem
from remediate.inventory.model import Encrypted, Unsafe
from remediate.inventory.names import nearest

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_MARKS = ("{{", "{%", "{#")
_FILTERS = ("default", "d", "first", "int", "last", "lower", "string", "trim", "upper")


MAX_LENGTH = 65_536
"""Characters of one expanded value; references to references multiply."""

MAX_CHAIN = 20
"""Variables that refer to variables; real chains have two or three."""


class Expander:
    """Expands the variables of one host, each once."""

    def __init__(self, variables: Mapping[str, Any], where: Mapping[str, str]) -> None:
        """Take a host's variables, and the file and line of each for messages."""
        self._variables, self._where = variables, where
        self._open: list[str] = []
        self._done: dict[str, Any] = {}

    def value(self, name: str) -> Any:
        """A variable's value with every reference in it replaced; None where it is not set.

        Raises:
            UsageProblem: it refers to itself or to what is not there, is encrypted, or is more than references.
        """
        if name not in self._variables:
            return None
        if name not in self._done:
            self._check_chain(name)
            self._open.append(name)
            self._done[name] = self._expand(self._variables[name])
            self._open.pop()
        return self._done[name]

    def _check_chain(self, name: str) -> None:
        if name in self._open:
            raise self._problem(f"the variable refers to itself: {' > '.join([*self._open, name])}")
        if len(self._open) >= MAX_CHAIN:
            raise self._problem(f"more than {MAX_CHAIN} variables refer to each other")

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

        names: frozenset[str] = frozenset()
        try:
            template, names = _compiled(text)
            rendered = template.render(
                {name: self.value(name) for name in sorted(names & self._variables.keys())}
            )
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
            raise self._failed(text, str(error).partition("\n")[0], names) from None
        if len(rendered) > MAX_LENGTH:
            raise self._problem(f"more than {MAX_LENGTH} characters when it is expanded")
        return rendered

    def _failed(self, text: str, why: str, names: frozenset[str]) -> UsageProblem:
        if any("pass" in name for name in self._open):  # the text may be a password that holds {{
            return self._problem("the template cannot be expanded", "its text is not shown")
        unknown = sorted(names - self._variables.keys())
        hint = nearest(unknown[0], self._variables) if unknown else ""
        return self._problem(f"{text!r:.80} cannot be expanded: {why}", hint)


@cache
def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    return environment


@lru_cache(maxsize=256)  # hosts share the templates of their groups
def _compiled(text: str) -> tuple[Template, frozenset[str]]:
    """The template, and the names in it; raises TemplateSyntaxError where it is more than references."""
    from jinja2 import TemplateSyntaxError, meta, nodes

    allowed = (nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem)
    tree = _environment().parse(text)
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, (*allowed, nodes.Filter, nodes.Concat, nodes.Keyword)):
            raise TemplateSyntaxError(
                f"only references and the filters {', '.join(_FILTERS)} are possible", 1
            )
    return _environment().from_string(tree), frozenset(meta.find_undeclared_variables(tree))
