"""Load a playbook: every word, type, template and task is checked here, before any host is contacted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remediate.errors import UsageProblem
from remediate.inventory.names import nearest
from remediate.playbook.arguments import arguments
from remediate.playbook.condition import Condition, condition
from remediate.playbook.document import Document, Place, parse, read
from remediate.playbook.model import Play, Playbook, TaskCall
from remediate.playbook.template import Templates
from remediate.playbook.typed import refuse_unknown_words, typed
from remediate.playbook.words import Measure, PlayWords, TaskWords, decode
from remediate.task.loader import TaskCatalog
from remediate.task.search import search_path


def load(
    path: Path, catalog: TaskCatalog, *, project: Path | None = None, finding_ids: Collection[str] = ()
) -> Playbook:
    """Load a playbook from a file.

    Args:
        path: the file.
        catalog: the tasks that it may name; those that it names are imported.
        project: the folder whose `templates/` comes first.
        finding_ids: every finding that a diagnosis can make, to refuse a mistyped one; empty: not checked.

    Raises:
        UsageProblem: at file:line:column, with what was expected.
    """
    return load_document(read(path), catalog, project=project, finding_ids=finding_ids)


def load_text(text: str, path: str, catalog: TaskCatalog, *, finding_ids: Collection[str] = ()) -> Playbook:
    """Load a playbook from text; `path` is how messages name it. Raises as `load` does."""
    return load_document(parse(text, path), catalog, finding_ids=finding_ids)


def load_document(
    document: Document,
    catalog: TaskCatalog,
    *,
    project: Path | None = None,
    finding_ids: Collection[str] = (),
) -> Playbook:
    """Load a playbook from a document that was read already. Raises as `load` does."""
    if not isinstance(document.value, list) or not document.value:
        raise UsageProblem("a playbook is a list of plays, each beginning with `- `", where=document.where())
    loader = _Loader(document, catalog, Templates(search_path("templates", project)), finding_ids)
    plays = tuple(loader.play(number) for number in range(len(document.value)))
    return Playbook(Path(document.path).stem, document.path, plays)


@dataclass(frozen=True, slots=True)
class _Loader:
    document: Document
    catalog: TaskCatalog
    templates: Templates
    finding_ids: Collection[str]

    def play(self, number: int) -> Play:
        place: Place = (number,)
        value = self._mapping(place, self.document.value[number], "a play")
        refuse_unknown_words(value, PlayWords.__struct_fields__, "a play", self.document, place)
        words = typed(value, PlayWords, self.document, place, decode=decode)
        measure = Measure() if words.measure is True else words.measure or None
        if not words.tasks and measure is None:
            raise UsageProblem("a play needs `tasks` or `measure`", where=self.document.where(place))
        self.templates.check(dict(words.vars), lambda found: self.document.where((*place, "vars", *found)))
        conditions = tuple(self._conditions(words.when, (*place, "when")))
        return Play(
            name=words.name or ",".join(words.hosts),
            hosts=",".join(words.hosts),
            where=self.document.where(place),
            tasks=tuple(
                self._task((*place, "tasks", index), task, frozenset(words.tags), conditions)
                for index, task in enumerate(words.tasks)
            ),
            vars=words.vars,
            become=words.become,
            measure=measure,
            on_failure=words.on_failure,
            window=words.window,
            serial=words.serial,
            order=words.order,
            gate=words.gate,
            settle=words.settle,
        )

    def _task(
        self, place: Place, value: dict[Any, Any], tags: frozenset[str], before: tuple[Condition, ...]
    ) -> TaskCall:
        word = self._task_word(place, value)
        rest = {key: item for key, item in value.items() if key != word}
        words = typed(rest, TaskWords, self.document, place, decode=decode)
        self.templates.check(rest | {"when": None}, lambda found: self.document.where((*place, *found)))
        written = self._mapping(
            (*place, word), {} if value[word] is None else value[word], f"what {word} gets"
        )
        return TaskCall(
            name=words.name or word,
            word=word,
            where=self.document.where((*place, word), key=True),
            tags=tags | frozenset(words.tags),
            conditions=before + tuple(self._conditions(words.when, (*place, "when"))),
            _arguments=arguments(
                self.catalog.load(word), written, self.document, (*place, word), self.templates
            ),
            _templates=self.templates,
            _loop=words.loop,
        )

    def _task_word(self, place: Place, value: dict[Any, Any]) -> str:
        """The one word of a task that names what it does."""
        own = TaskWords.__struct_fields__
        others = [str(key) for key in value if key not in own]
        named = [key for key in others if key in self.catalog]
        for key in others:
            if key not in self.catalog:
                known = self.catalog.names if not named else own
                raise UsageProblem(
                    f"there is no task «{key}»" if not named else f"unknown word {key!r} in a task",
                    where=self.document.where((*place, key), key=True),
                    hint=nearest(key, {*known, *own}),
                )
        if len(named) > 1:
            raise UsageProblem(
                f"a task does one thing, this one has {' and '.join(named)}",
                where=self.document.where((*place, named[1]), key=True),
                hint="write each with a `- ` of its own",
            )
        if not named:
            raise UsageProblem(
                "a task needs a word that says what to do, such as `sysctl:`",
                where=self.document.where(place),
                hint="`remediate tasks` lists them",
            )
        return named[0]

    def _conditions(self, written: Any, place: Place) -> Iterator[Condition]:
        listed = isinstance(written, list)
        for index, one in enumerate(written if listed else [written]):
            where = self.document.where((*place, index) if listed else place)
            if isinstance(one, (str, bool)):
                yield condition(one, where, self.templates, self.finding_ids)
            elif one is not None or listed:
                raise UsageProblem("`when` needs an expression", where=where)

    def _mapping(self, place: Place, value: Any, what: str) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise UsageProblem(
                f"{what} must be a mapping of words to values", where=self.document.where(place)
            )
        return value
