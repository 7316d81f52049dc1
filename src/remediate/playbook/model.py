"""A loaded playbook: every word checked, and arguments that wait only for a host's variables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from remediate.errors import UsageProblem
from remediate.facts.base import Seen
from remediate.playbook.arguments import Arguments
from remediate.playbook.condition import Condition, data_for_conditions
from remediate.playbook.pace import DISRUPTING, HARMLESS, Gate, OnFailure, Order, Pace, Serial
from remediate.playbook.template import Scope, Templates
from remediate.playbook.words import Measure
from remediate.task.base import Task


@dataclass(frozen=True, slots=True)
class TaskCall:
    """One task of a play.

    Attributes:
        name: what reports call it; the task's own name where the playbook gives none.
        word: the task's name, `etcd_flags`.
        where: its place, `file:line:column`.
        tags: its own and its play's.
        conditions: its play's and its own; all must hold.
    """

    name: str
    word: str
    where: str
    tags: frozenset[str]
    conditions: tuple[Condition, ...]
    _arguments: Arguments = field(repr=False)
    _templates: Templates = field(repr=False)
    _loop: Any = field(repr=False, default=None)
    _item: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @property
    def conditional(self) -> bool:
        """Whether a `when` decides about it."""
        return bool(self.conditions)

    @property
    def uses_findings(self) -> bool:
        """Whether its `when` asks for a finding, so that a diagnosis must be made first."""
        return any(condition.uses_findings for condition in self.conditions)

    def expand(self, variables: Mapping[str, Any]) -> tuple[TaskCall, ...]:
        """One call per item of the loop, each with its own name and `when`, as in Ansible; or itself.

        Raises:
            UsageProblem: an undefined variable, or a loop over something that is no list.
        """
        scope = self._scope(variables)
        if self._loop is None:
            return (replace(self, name=str(scope.render(self.name))),)
        items = scope.render(self._loop)
        if not isinstance(items, list):
            raise UsageProblem(f"`loop` needs a list, this is {type(items).__name__}", where=self.where)
        bound = (replace(self, _loop=None, _item={"item": item}) for item in items)
        return tuple(call for one in bound for call in one.expand(variables))

    def resolve(self, variables: Mapping[str, Any]) -> list[Task]:
        """The typed tasks for one host, loops expanded; none where variables alone make `when` false.

        Raises:
            UsageProblem: an undefined variable (names host and variable), or a wrong type after rendering.
        """
        calls = self.expand(variables) if self._loop is not None else (self,)
        return [call._arguments.task(call._scope(variables)) for call in calls if call._possible(variables)]

    def wanted(
        self, variables: Mapping[str, Any], findings: Collection[str], facts: Seen | None = None
    ) -> bool:
        """Whether every `when` holds. Call it on what `expand` gave where there is a loop.

        Args:
            variables: of the host.
            findings: IDs of the findings of the host and of its cluster.
            facts: what was seen of the host; `when` reads it as `facts.NAME`.

        Raises:
            UsageProblem: an undefined variable, or a value that is neither true nor false.
        """
        if not self.conditions:
            return True
        known = {fact.name: seen for fact in facts or () if (seen := facts and facts.known(fact)) is not None}
        scope = self._scope(variables, data_for_conditions(findings, known))
        return all(condition.holds(scope) for condition in self.conditions)

    def selected(self, tags: Collection[str], skip_tags: Collection[str] = ()) -> bool:
        """Whether `--tags` and `--skip-tags` leave it in; special tags mean what Ansible means."""
        return _selected(self.tags, tags) and not _skipped(self.tags, skip_tags)

    def _possible(self, variables: Mapping[str, Any]) -> bool:
        """False where variables alone decide; names that a later decision needs must be there."""
        scope = self._scope(variables)
        for condition in self.conditions:
            condition.require(scope, variables.get("inventory_hostname"))
            if not condition.from_hosts and not condition.holds(scope):
                return False
        return True

    def _scope(self, variables: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> Scope:
        return Scope(self._templates, variables, {**(data or {}), **self._item}, self.where)


def _selected(own: frozenset[str], tags: Collection[str]) -> bool:
    asked = own & set(tags)
    if "never" in own and not asked:
        return False
    if not tags or "all" in tags or asked or "always" in own:
        return True
    return "tagged" in tags if own else "untagged" in tags


def _skipped(own: frozenset[str], skip: Collection[str]) -> bool:
    named = bool(own & set(skip))
    kind = "tagged" if own else "untagged"
    return named or kind in skip or ("all" in skip and "always" not in own)


@dataclass(frozen=True, slots=True)
class Play:
    """One play.

    Attributes:
        name: what reports call it; the hosts' pattern where the playbook gives none.
        hosts: pattern, as `Inventory.select` takes it.
        tasks: in order.
        vars: its variables, not yet rendered.
        become: what the play says; None where it says nothing.
        measure: what is measured before and after; None where nothing is.
        on_failure: None leaves it to the command line.
        window: maintenance window, None for any time.
        serial, order, gate, settle: as written; None where the play says nothing. Use `pace`.
    """

    name: str
    hosts: str
    where: str
    tasks: tuple[TaskCall, ...]
    vars: Mapping[str, Any]
    become: bool | None
    measure: Measure | None
    on_failure: OnFailure | None
    window: str | None
    serial: Serial | None
    order: Order | None
    gate: Gate | None
    settle: float | None

    def variables(self, host: str, inventory: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
        """A host's variables by precedence: the inventory's < the play's < `--extra-vars`."""
        return {**inventory, **self.vars, **extra, "inventory_hostname": host}

    def pace(self, *, disrupts: bool) -> Pace:
        """What the play says, completed with the defaults of a play that disrupts members or does not."""
        default = DISRUPTING if disrupts else HARMLESS
        return Pace(
            self.serial or default.serial,
            self.order or default.order,
            self.gate or default.gate,
            default.settle if self.settle is None else self.settle,
        )


@dataclass(frozen=True, slots=True)
class Playbook:
    """A loaded playbook.

    Attributes:
        name: the file's name without its suffix.
        path: the file, as the user named it.
        plays: in order.
    """

    name: str
    path: str
    plays: tuple[Play, ...]
