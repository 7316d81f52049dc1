"""`when`: a bare expression over variables, findings and facts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from remediate.errors import UsageProblem
from remediate.inventory.names import nearest
from remediate.playbook.template import Compiled, Scope, Templates, has_template

if TYPE_CHECKING:
    from jinja2 import nodes

_FROM_HOSTS = frozenset({"finding", "facts"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition.

    Attributes:
        source: the expression as written.
        where: its place in the file.
        names: variables that it cannot do without.
        finding_ids: findings that it asks for by a literal ID.
        from_hosts: it needs what only a look at the hosts can tell.
        uses_findings: it asks for a finding, so a diagnosis must have been made.
    """

    source: str
    where: str
    names: frozenset[str]
    finding_ids: frozenset[str]
    from_hosts: bool
    uses_findings: bool
    _compiled: Compiled = field(repr=False, compare=False)

    def require(self, scope: Scope, host: object) -> None:
        """Refuse names that this host does not have, before it is contacted. Raises UsageProblem."""
        for name in sorted(self.names):
            if name not in scope:
                raise UsageProblem(
                    f"undefined variable in `when: {self.source}`: {name!r} is undefined",
                    where=f"{self.where}: {host}" if host else self.where,
                    hint=scope.nearest(name),
                )

    def holds(self, scope: Scope) -> bool:
        """Whether it is true. Raises UsageProblem where it is neither true nor false."""
        value = scope.evaluate(self._compiled, self.source)
        if not isinstance(value, bool):
            raise UsageProblem(
                f"`when: {self.source}` gives {value!r}, which is neither true nor false",
                where=self.where,
                hint="compare it with something, or add `| bool`",
            )
        return value


def condition(written: Any, where: str, templates: Templates, finding_ids: Collection[str]) -> Condition:
    """Compile one condition.

    Args:
        written: text, or true or false.
        where: its place in the file.
        templates: the playbook's.
        finding_ids: every finding that a diagnosis can make; another ID is a mistake. Empty: not checked.

    Raises:
        UsageProblem: a bad expression, or an unknown finding.
    """
    source = str(written).lower() if isinstance(written, bool) else str(written)
    if has_template(source):
        raise UsageProblem(
            f"`when: {source}` is an expression already", where=where, hint="leave out the braces {{ }}"
        )
    compiled = templates.condition(source, where)
    tree = templates.environment.parse("{{ (" + source + ") }}")
    asked = frozenset(_findings_asked(tree))
    for unknown in sorted(asked - set(finding_ids)) if finding_ids else ():
        raise UsageProblem(
            f"there is no finding {unknown!r}", where=where, hint=nearest(unknown, finding_ids)
        )
    names = _names(tree)
    return Condition(
        source,
        where,
        names=names - _FROM_HOSTS - _guarded(tree),
        finding_ids=asked,
        from_hosts=bool(names & _FROM_HOSTS),
        uses_findings="finding" in names,
        _compiled=compiled,
    )


def data_for_conditions(findings: Collection[str], facts: Mapping[str, Any]) -> dict[str, Any]:
    """What `when` can read beyond variables: `finding('ID')`, and facts by name, as plain data."""
    import msgspec

    plain = msgspec.to_builtins(dict(facts), str_keys=True, enc_hook=_data)
    return {"finding": lambda name: name in findings, "facts": plain}


def _data(value: Any) -> Any:
    """Numbers with a unit are numbers; what is no data at all is seen as text."""
    kinds = (kind for kind in (int, float) if isinstance(value, kind))
    return next(kinds, str)(value)


def _names(tree: nodes.Template) -> frozenset[str]:
    from jinja2.meta import find_undeclared_variables

    known = tree.environment.globals if tree.environment else {}
    return frozenset(find_undeclared_variables(tree)) - frozenset(known)


def _guarded(tree: nodes.Template) -> frozenset[str]:
    """Variables that may be missing, because `is defined` or `default` stands behind them."""
    from jinja2 import nodes

    found = set()
    for node in tree.find_all((nodes.Test, nodes.Filter)):
        excused = node.name in ("defined", "undefined", "default", "d")
        if excused and isinstance(node.node, nodes.Name):
            found.add(node.node.name)
    return frozenset(found)


def _findings_asked(tree: nodes.Template) -> Iterator[str]:
    from jinja2 import nodes

    for call in tree.find_all(nodes.Call):
        named = isinstance(call.node, nodes.Name) and call.node.name == "finding"
        if named and call.args and isinstance(call.args[0], nodes.Const):
            yield str(call.args[0].value)
