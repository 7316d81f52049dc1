"""Templates of a playbook: sandboxed and strict, and only what its author wrote is ever one.

A template's result is data and is not rendered again, so `{{ … }}` in a fact, in a finding or in what another
template gave stays text (SAFETY, security case 2). Jinja2 is imported when the first template is met.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remediate.errors import UsageProblem
from remediate.inventory.model import Encrypted, Unsafe
from remediate.inventory.names import nearest

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

_MARKER = re.compile(r"\{[{%#]")
_WHOLE = re.compile(r"\s*\{\{[-+]?(.*?)[-+]?\}\}\s*", re.DOTALL)

Compiled = Callable[[Mapping[str, Any]], Any]

SCOPE = "_scope"
"""Where a rendering finds its `Scope`; no template can name it."""


def has_template(value: Any) -> bool:
    """Whether any text inside a value is a template."""
    if isinstance(value, str):
        return not isinstance(value, Unsafe) and _MARKER.search(value) is not None
    if isinstance(value, Mapping):
        return any(has_template(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(has_template(item) for item in value)


class Templates:
    """Compiles templates, each once. One object serves one playbook.

    Args:
        folders: where `include` and whole-file templates are found.
    """

    def __init__(self, folders: tuple[Path, ...] = ()) -> None:
        self._folders = folders
        self._environment: SandboxedEnvironment | None = None
        self._compiled: dict[tuple[str, str], Compiled] = {}

    @property
    def environment(self) -> SandboxedEnvironment:
        """Made when the first template needs it."""
        if self._environment is None:
            from remediate.playbook.sandbox import environment

            self._environment = environment(self._folders)
        return self._environment

    def text(self, source: str, where: str) -> Compiled:
        """Compile text; where all of it is one expression, its value keeps its type. Raises UsageProblem."""
        return self._once("text", source, where, self._text)

    def condition(self, source: str, where: str) -> Compiled:
        """Compile a bare expression. Raises UsageProblem."""
        return self._once("condition", source, where, self._expression)

    def file(self, name: str, where: str) -> Compiled:
        """Compile a file of the template folders. Raises UsageProblem."""
        return self._once("file", name, where, lambda found: self.environment.get_template(found).render)

    def plain(self, name: str) -> str | None:
        """The text of a file that has no template in it, so that Jinja2 is not needed; None for any other name."""
        if not all(part.strip(".") for part in name.split("/")):
            return None
        found = next((folder / name for folder in self._folders if (folder / name).is_file()), None)
        text = None if found is None else found.read_text(encoding="utf-8", errors="replace")
        return None if text is None or has_template(text) else text

    def check(self, value: Any, where: Callable[[tuple[Any, ...]], str], place: tuple[Any, ...] = ()) -> None:
        """Compile every template inside a value, so that loading finds a broken one. Raises UsageProblem."""
        if isinstance(value, str):
            if has_template(value):
                self.text(value, where(place))
        elif isinstance(value, dict):
            for key, item in value.items():
                if has_template(key):
                    raise UsageProblem("a key cannot be a template", where=where((*place, key)))
                self.check(item, where, (*place, key))
        elif isinstance(value, list):
            for number, item in enumerate(value):
                self.check(item, where, (*place, number))

    def _once(self, kind: str, source: str, where: str, make: Callable[[str], Compiled]) -> Compiled:
        key = (kind, source)
        if key not in self._compiled:
            with _told(source, where):
                self._compiled[key] = make(source)
        return self._compiled[key]

    def _text(self, source: str) -> Compiled:
        from jinja2.nodes import Output, TemplateData

        body = self.environment.parse(source).body
        whole = _WHOLE.fullmatch(source)
        single = len(body) == 1 and isinstance(body[0], Output) and len(body[0].nodes) == 1
        if whole and single and not isinstance(body[0].nodes[0], TemplateData):  # type: ignore[attr-defined]
            return self._expression(whole[1])
        return self.environment.from_string(source).render

    def _expression(self, source: str) -> Compiled:
        return self.environment.compile_expression(source, undefined_to_none=False)


class Scope:
    """The names that templates of one host can read.

    Args:
        templates: the playbook's.
        variables: of the host, each rendered when it is first read.
        data: values that are never templates: the loop's item, findings, facts.
        where: what the rendering is for, `file:line:column`.
    """

    def __init__(
        self, templates: Templates, variables: Mapping[str, Any], data: Mapping[str, Any], where: str
    ) -> None:
        self._templates, self._variables, self._data, self._where = templates, variables, data, where
        self._done: dict[str, Any] = {}
        self._open: list[str] = []

    def __contains__(self, name: object) -> bool:
        return name in self._data or name in self._variables

    def value(self, name: str) -> Any:
        """The value of a name that is there. Raises UsageProblem where rendering it fails."""
        if name in self._data:
            return self._data[name]
        if name in self._open:
            chain = " → ".join([*self._open[self._open.index(name) :], name])
            raise UsageProblem(f"the variable refers to itself: {chain}", where=self._place)
        if name not in self._done:
            self._open.append(name)
            try:
                self._done[name] = self.render(self._variables[name])
            finally:
                self._open.pop()
        return self._done[name]

    def render(self, value: Any) -> Any:
        """A copy of a value with every template inside rendered. Raises UsageProblem."""
        if isinstance(value, str):
            return self._rendered(value)
        if isinstance(value, Encrypted):
            raise UsageProblem("an encrypted value (!vault) cannot be used", where=self._place)
        if isinstance(value, Mapping):
            return {key: self.render(item) for key, item in value.items()}
        return [self.render(item) for item in value] if isinstance(value, (list, tuple)) else value

    def evaluate(self, compiled: Compiled, source: str) -> Any:
        """The plain value of something compiled. Raises UsageProblem where it fails or is undefined."""
        with _told(source, self._place, self):
            return _plain(compiled({SCOPE: self}))

    def nearest(self, name: str) -> str:
        """A hint for a name that is not there."""
        if name in ("finding", "facts"):
            return "facts and findings are known only in `when`"
        return nearest(name, [str(known) for known in (*self._data, *self._variables)])

    def _rendered(self, source: str) -> Any:
        if not has_template(source):
            return str(source)
        return self.evaluate(self._templates.text(source, self._place), source)

    @property
    def host(self) -> str:
        """Whose variables these are; empty where they do not say."""
        return str(self._variables.get("inventory_hostname", ""))

    @property
    def _place(self) -> str:
        return f"{self._where}: {self.host}" if self.host else self._where


def _plain(value: Any) -> Any:
    """Only plain data leaves a template; anything undefined inside is found here."""
    from jinja2 import Undefined

    if isinstance(value, Undefined):
        str(value)  # strict: raises UndefinedError
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    raise TypeError(f"gives a {type(value).__name__}, not plain data (a filter may need `| list` behind it)")


@contextmanager
def _told(source: str, where: str, scope: Scope | None = None) -> Iterator[None]:
    """Tell in one line whatever goes wrong in a template."""
    from jinja2 import TemplateNotFound, TemplateSyntaxError, UndefinedError

    shown = source if len(source) <= 60 else source[:57] + "…"
    try:
        yield
    except UsageProblem:
        raise
    except TemplateSyntaxError as problem:
        line = f" (line {problem.lineno} of it)" if "\n" in source else ""
        raise UsageProblem(f"bad template {shown!r}: {problem.message}{line}", where=where) from None
    except TemplateNotFound as problem:
        raise UsageProblem(f"there is no template {problem.name!r}", where=where) from None
    except UndefinedError as problem:
        name = re.match(r"'(\w+)' is undefined", str(problem))
        hint = scope.nearest(name[1]) if name and scope else ""
        raise UsageProblem(f"undefined variable in {shown!r}: {problem}", where=where, hint=hint) from None
    except Exception as problem:  # noqa: BLE001 - an expression can raise whatever its operands raise
        text = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise UsageProblem(f"cannot evaluate {shown!r}: {text}", where=where) from None
