"""Every way in which remediate refuses or fails, each with the exit code that DESIGN promises for it."""

from __future__ import annotations


class RemediateError(Exception):
    """A problem told to the user in one line: what, where, and what to do.

    Attributes:
        message: what is wrong.
        where: host, file:line:column or resource; empty where the message says it already.
        hint: what the user can do about it.
        exit_code: the process' exit code when nothing outranks it.
    """

    exit_code = 1

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message, self.where, self.hint = message, where, hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{advice}"


class ChangeFailed(RemediateError):
    """A change, its verification or a gate failed (exit 1)."""

    exit_code = 1


class UsageProblem(RemediateError):
    """Wrong option, playbook, inventory or conflicting tasks; nothing was contacted for change (exit 2)."""

    exit_code = 2


class Unreachable(RemediateError):
    """A host does not answer, or its host key is not the known one (exit 3)."""

    exit_code = 3


class Refused(RemediateError):
    """Refused before the first change: gate, guard, sudo password, unreadable manifest, no consent (exit 4)."""

    exit_code = 4
