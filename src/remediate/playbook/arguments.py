"""A task's arguments: checked while loading as far as possible, then with a host's variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from remediate.errors import UsageProblem
from remediate.playbook.document import Document, Place
from remediate.playbook.template import Compiled, Scope, Templates, has_template
from remediate.playbook.typed import refuse_unknown_words, typed
from remediate.task import units
from remediate.task.base import Task
from remediate.task.rendered import Rendered


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one task call.

    Attributes:
        kind: the task.
        written: as in the file.
        place: where in the document.
    """

    kind: type[Task]
    written: dict[str, Any]
    document: Document
    place: Place
    templates: Templates = field(repr=False)
    _fixed: Task | None = None

    def task(self, scope: Scope) -> Task:
        """The typed task for one host. Raises UsageProblem."""
        if self._fixed is not None:
            return self._fixed

        def decode(kind: type, written: Any) -> Any:
            if kind is Rendered:
                return Rendered(scope.evaluate(_file(written, self.templates), written))
            return units.decode(kind, written)

        rendered = scope.render(self.written)
        return typed(
            rendered, self.kind, self.document, self.place, decode=decode, strict=False, host=scope.host
        )


def arguments(
    kind: type[Task], written: dict[str, Any], document: Document, place: Place, templates: Templates
) -> Arguments:
    """Check arguments as far as the file alone allows. Raises UsageProblem."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    refuse_unknown_words(written, fields, f"the arguments of {place[-1]}", document, place)
    for name in (name for name, info in fields.items() if info.required and name not in written):
        raise UsageProblem(f"{place[-1]} needs the argument {name!r}", where=document.where(place, key=True))
    templates.check(written, lambda found: document.where((*place, *found)))

    waiting: list[str] = []

    def decode(argument: type, value: Any) -> Any:
        if argument is not Rendered:
            return units.decode(argument, value)
        text = templates.plain(value) if isinstance(value, str) else None
        if text is None:
            _file(value, templates)
            waiting.append(value)
        return Rendered(text or "")

    if not has_template(written):
        task = typed(written, kind, document, place, decode=decode)
        return Arguments(kind, written, document, place, templates, None if waiting else task)
    for name, value in written.items():
        if not has_template(value):
            typed(value, fields[name].type, document, (*place, name), decode=decode)
    return Arguments(kind, written, document, place, templates)


def _file(written: Any, templates: Templates) -> Compiled:
    """A compiled file. Raises ValueError, to which msgspec adds the place."""
    if not isinstance(written, str):
        raise ValueError("expected the name of a file in templates/")
    try:
        return templates.file(written, "")
    except UsageProblem as problem:
        raise ValueError(problem.message) from None
