"""Whatever stands in a playbook: it loads, or one line says where it is wrong. Never a traceback."""

from __future__ import annotations

import re
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediate.errors import UsageProblem
from remediate.playbook import extra_vars, load_text
from remediate.playbook.words import PlayWords, TaskWords
from remediate.task.loader import TaskCatalog

FUZZ = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PLACE = re.compile(r"play\.yml:\d+:\d+: \S")

PIECES = "{{·}}·{%·%}·{#·#}· ·a·b·item·1·'·\"·|·+·.·[·]·(·)· if · is ·defined·for· in ·default·not ·\n·é·~"
pieces = st.sampled_from([*PIECES.split("·"), "finding('x')", "facts.A.b"])
templates = st.lists(pieces, max_size=8).map("".join)
scalars = (
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats() | st.text(max_size=12) | templates
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | templates, inner, max_size=3)
    ),
)
arguments = st.fixed_dictionaries(
    {"names": st.dictionaries(st.text(max_size=4), st.integers() | templates, max_size=3) | values},
    optional={name: values for name in ("level", "tone", "wait", "room", "part", "words", "letter", "levle")},
)
tasks = st.fixed_dictionaries(
    {"greet": arguments | values},
    optional={name: values for name in (*TaskWords.__struct_fields__, "sysctl")},
)
plays = st.fixed_dictionaries(
    {"hosts": st.just("all") | values, "tasks": st.lists(tasks, max_size=2) | values},
    optional={name: values for name in (*PlayWords.__struct_fields__[3:], "nosuch")},
)


def attempt(text: str, catalog: TaskCatalog, variables: dict[str, Any]) -> None:
    """Load and resolve, as the engine does before it contacts a host."""
    try:
        book = load_text(text, "play.yml", catalog)
        for play in book.plays:
            play.pace(disrupts=True)
            known = play.variables("n1", variables, {})
            for call in play.tasks:
                call.resolve(known)
                for one in call.expand(known):
                    one.wanted(known, ["x"])
    except UsageProblem as problem:
        assert PLACE.match(str(problem)) or "is not YAML" in str(problem), str(problem)
        assert problem.exit_code == 2


@FUZZ
@given(text=st.text(max_size=200))
def test_any_text(text: str, catalog: TaskCatalog) -> None:
    attempt(text, catalog, {})


@FUZZ
@given(
    text=st.lists(
        st.sampled_from([*"-:?[]{},&*!|>'\"%@`#\n\t  ab01", "<<", "---", "...", "!!"]), max_size=40
    ).map("".join)
)
def test_the_alphabet_of_yaml(text: str, catalog: TaskCatalog) -> None:
    attempt(text, catalog, {})


@FUZZ
@given(book=st.lists(plays, min_size=1, max_size=2), variables=st.dictionaries(st.sampled_from("ab"), values))
def test_playbooks_that_are_almost_right(
    book: list[Any], variables: dict[str, Any], catalog: TaskCatalog
) -> None:
    attempt(yaml.safe_dump(book, allow_unicode=True), catalog, variables)


@FUZZ
@given(when=templates, loop=templates | st.lists(templates, max_size=2), text=templates, variable=values)
def test_templates_everywhere(when: str, loop: Any, text: str, variable: Any, catalog: TaskCatalog) -> None:
    task = {"name": text, "greet": {"names": {"a": text}}, "when": when, "loop": loop}
    book = [{"hosts": "all", "vars": {"b": text}, "tasks": [task]}]
    attempt(yaml.safe_dump(book, allow_unicode=True), catalog, {"a": variable})


@FUZZ
@given(text=st.text(max_size=60) | templates)
def test_extra_vars(text: str) -> None:
    try:
        extra_vars(["@/nowhere" if text.strip().startswith("@") else text])
    except UsageProblem as problem:
        assert str(problem)
