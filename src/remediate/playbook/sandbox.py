"""The Jinja2 environment; importing this module imports Jinja2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEnvironment
from jinja2.utils import missing

from remediate.playbook.template import SCOPE, Scope

_TRUE, _FALSE = {"yes", "on", "1", "true"}, {"no", "off", "0", "false", "none", ""}


class _Context(Context):
    """Asks the scope for variables, so that each is rendered only when it is read."""

    def resolve_or_missing(self, key: str) -> Any:
        scope = self.parent.get(SCOPE)
        if key == SCOPE:
            return missing
        if key not in self.vars and isinstance(scope, Scope) and key in scope:
            return scope.value(key)
        return super().resolve_or_missing(key)


def _to_bool(value: Any) -> bool:
    """Ansible's `bool` filter, but what is neither true nor false is an error."""
    word = str(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"{value!r} is neither true nor false")


def environment(folders: tuple[Path, ...]) -> SandboxedEnvironment:
    """A strict sandbox whose files come from the given folders, the first wins."""
    made = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        loader=FileSystemLoader(folders),
        keep_trailing_newline=True,
        autoescape=False,  # what is rendered are values and configuration files, not HTML
        auto_reload=False,
    )
    made.context_class = _Context
    made.filters["bool"] = _to_bool
    for name in ("lipsum", "cycler", "joiner"):
        del made.globals[name]
    return made
