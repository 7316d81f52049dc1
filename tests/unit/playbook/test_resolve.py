"""Playbooks, variables, findings and facts in; typed tasks or one message out. Each file is a case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from remediate.errors import UsageProblem
from remediate.facts.base import Fact, Seen
from remediate.inventory.model import Encrypted
from remediate.playbook import Play, Playbook
from remediate.playbook.document import parse
from remediate.playbook.load import load_document
from remediate.task.loader import TaskCatalog

CASES = sorted((Path(__file__).parents[2] / "data" / "playbooks" / "resolve").glob("*.yml"))


@dataclass(frozen=True)
class Named(Fact[Any]):
    """A fact with the name that a case gives it."""

    called: str

    @property
    def name(self) -> str:
        return self.called


class Case(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One file."""

    playbook: str
    variables: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    findings: list[str] = []
    facts: dict[str, Any] = {}
    names: list[str] | None = None
    tasks: list[dict[str, Any]] | None = None
    error: str = ""


def steps(play: Play, case: Case) -> list[tuple[str, dict[str, Any]]]:
    """Name and arguments of every task that is wanted, as the engine asks for them."""
    variables = play.variables("n1", case.variables, case.extra)
    seen = Seen("n1", {Named(name): value for name, value in case.facts.items()})
    found = []
    for call in play.tasks:
        call.resolve(variables)  # the engine resolves everything before it contacts a host
        for one in call.expand(variables):
            tasks = one.resolve(variables)
            if one.wanted(variables, case.findings, seen):
                found += [(one.name, msgspec.structs.asdict(task)) for task in tasks]
    return found


def loaded(case: Case, catalog: TaskCatalog, project: Path) -> Playbook:
    return load_document(parse(case.playbook, "play.yml"), catalog, project=project)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path, catalog: TaskCatalog, project: Path) -> None:
    case = msgspec.convert(yaml.safe_load(path.read_text()), Case)
    play = loaded(case, catalog, project).plays[0]
    if case.tasks is None:
        with pytest.raises(UsageProblem) as caught:
            steps(play, case)
        assert str(caught.value) == case.error
        return
    found = steps(play, case)
    assert [
        {key: task[key] for key in want} for (_, task), want in zip(found, case.tasks, strict=True)
    ] == case.tasks
    assert case.names is None or [name for name, _ in found] == case.names


def test_nothing_is_resolved_for_one_host_with_the_variables_of_another(catalog: TaskCatalog) -> None:
    case = Case(playbook="- hosts: all\n  tasks:\n    - greet: {names: {a: '{{ inventory_hostname }}'}}\n")
    play = load_document(parse(case.playbook, "play.yml"), catalog).plays[0]
    names = [play.tasks[0].resolve(play.variables(host, {}, {})) for host in ("n1", "n2")]
    assert [tasks[0].names["a"] for tasks in names] == ["n1", "n2"]  # type: ignore[attr-defined]


def test_an_encrypted_variable_is_carried_but_not_used(catalog: TaskCatalog) -> None:
    text = "- hosts: all\n  tasks:\n    - greet: {names: {a: '{{ NAME }}'}}\n"
    play = load_document(parse(text.replace("NAME", "secret"), "play.yml"), catalog).plays[0]
    variables = play.variables("n1", {"secret": Encrypted("$ANSIBLE_VAULT;1.1"), "plain": 1}, {})
    with pytest.raises(
        UsageProblem, match=r"^play\.yml:3:7: n1: an encrypted value \(!vault\) cannot be used$"
    ):
        play.tasks[0].resolve(variables)
    other = load_document(parse(text.replace("NAME", "plain"), "play.yml"), catalog).plays[0]
    assert other.tasks[0].resolve(variables)
