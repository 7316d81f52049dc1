"""Kernel parameters as resources: set now, and written into a file that is read at every boot."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from remediate.facts.base import Seen
from remediate.facts.files import TextFile
from remediate.facts.kernel import Access, KernelParameters, Parameter, normal, parse_setting
from remediate.node.shell import sh
from remediate.task.base import Change, Noop, Operation
from remediate.task.files import Placed, change, placed

HEADER = "# Kernel parameters for every boot, written by remediate.\n"


@dataclass(frozen=True, slots=True)
class SetParameter(Operation):
    """One kernel parameter, now and at boot.

    Attributes:
        path: below `/proc/sys`.
        wanted: its value, with normal white space.
        file: where it is written for every boot.
        known: the fact that has its present value.
    """

    path: str
    wanted: str
    file: str
    known: KernelParameters = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        """As people write it, `net.core.somaxconn`."""
        return parameter_name(self.path)

    @property
    def resource(self) -> Hashable:
        """The parameter."""
        return ("sysctl", self.path)

    @property
    def value(self) -> Hashable:
        """Value and file."""
        return (self.wanted, self.file)

    @property
    def target(self) -> Hashable:
        """The file: it is written once for all its parameters."""
        return ("sysctl", self.file)

    def describe(self) -> str:
        """`net.core.somaxconn = 8192 (/etc/sysctl.d/90-remediate.conf)`."""
        return f"{self.name} = {self.wanted} ({self.file})"

    @classmethod
    def compile(cls, operations: Sequence[SetParameter], seen: Seen) -> Change:
        """One write of the file, and one of each parameter whose present value differs."""
        file = operations[0].file
        before = seen[TextFile(file)]
        text = before.text if before.exists else HEADER
        for one in operations:
            text = with_setting(text, one.path, one.wanted)
        parts = (
            []
            if before.exists and text == before.text
            else [placed(before, text, *_rights(before.mode), host=seen.host)]
        )
        moving = [(one, seen[one.known].parameters[one.path].value) for one in operations]
        parts.append(_set_now([(one, old) for one, old in moving if old != one.wanted]))
        told = ", ".join(
            one.name + (f" {old} → {one.wanted}" if old != one.wanted else "") for one, old in moving
        )
        return change(("sysctl", file), f"{told}; for every boot in {file}", parts)


def _rights(mode: str) -> tuple[str, ...]:
    """An existing file keeps its mode."""
    return (mode,) if mode else ()


def parameter_name(path: str) -> str:
    """The dotted name of a path below `/proc/sys`."""
    return path.translate(str.maketrans("./", "/."))


def wishes(
    settings: Mapping[str, str], file: str, known: KernelParameters, seen: Seen
) -> Iterator[Operation | Noop]:
    """What is to be done for each parameter, or why nothing is.

    Args:
        settings: wanted values by path below `/proc/sys`, with normal white space.
        file: where they are written for every boot.
        known: the fact about all of them.
        seen: the host's facts.
    """
    for path, wanted in settings.items():
        parameter = seen[known].parameters[path]
        why = _hopeless(parameter_name(path), wanted, parameter)
        if why:
            yield Noop(why)
            continue
        lines = [line for line in seen[known].boot if line.path == path and line.file == file]
        if parameter.value == wanted and lines and lines[-1].value == wanted:
            yield Noop(f"{parameter_name(path)} is {wanted} now, and {file} says so for every boot")
        else:
            yield SetParameter(path, wanted, file, known)
        yield from _overridden(path, wanted, file, known, seen)


def _hopeless(name: str, wanted: str, parameter: Parameter) -> str:
    """Why a parameter cannot be set here; empty where it can."""
    if parameter.access is Access.ABSENT:
        return (
            f"{name} does not exist here: its kernel module is not loaded, or this network namespace lacks it; "
            "nothing was set"
        )
    if parameter.access is Access.WRITE_ONLY:
        return f"{name} cannot be read back, so it is no setting that could be kept; nothing was set"
    if parameter.access is Access.READ_ONLY and parameter.value == wanted:
        return f"{name} is {wanted} already, and read-only here"
    if parameter.access is Access.READ_ONLY:
        return f"{name} is read-only here and stays {parameter.value}: set it on the machine that owns this kernel"
    return ""


def _overridden(path: str, wanted: str, file: str, known: KernelParameters, seen: Seen) -> Iterator[Noop]:
    """Say so where a file that is read later at boot sets another value."""
    last = seen[known].at_boot(path)
    if last and last.value != wanted and _is_later(last.file, file):
        yield Noop(
            f"{parameter_name(path)} will be {last.value} after a reboot, because {last.file}:{last.number} is read "
            f"after {file}: change it there, or name a `file` that is read later"
        )


def _is_later(one: str, other: str) -> bool:
    def order(file: str) -> tuple[bool, str]:
        return (file == "/etc/sysctl.conf", file.rpartition("/")[2])

    return order(one) > order(other)


def with_setting(text: str, path: str, value: str) -> str:
    """A sysctl file's text with one parameter set; every other byte stays as it is.

    The last line that sets the parameter gets the new value, because the last one counts; without such a line, one is
    added at the end.
    """
    lines = text.split("\n")
    ours = [number for number, line in enumerate(lines) if (parse_setting(line) or ("",))[0] == path]
    if not ours:
        return text + ("\n" if lines[-1] else "") + f"{parameter_name(path)} = {value}\n"
    line = lines[ours[-1]]
    if normal(line.partition("=")[2]) != value:
        lines[ours[-1]] = re.sub(
            r"(=\s*).*?(\s*)\Z", lambda found: f"{found[1]}{value}{found[2]}", line, count=1
        )
    return "\n".join(lines)


_FUNCTIONS = """\
k_get() { set -f; set -- $(cat "/proc/sys/$1"); set +f; printf '%s\\n' "$*"; }
k_put() { printf '%s\\n' "$2" >"/proc/sys/$1" || r_fail "the kernel refuses $2 for /proc/sys/$1"; }
k_same() {
    k_now=$(k_get "$1")
    if [ "$k_now" != "$2" ]; then r_moved "/proc/sys/$1 is $k_now now; it was $2 when the plan was made"; fi
}
k_set() {
    printf '%s\\n' "$2" >"$TX/old/$3" && sync "$TX/old/$3" && k_put "$1" "$2" && k_get "$1" >"$TX/old/$3"
}
k_back() {
    if [ ! -e "$TX/old/$3" ]; then return 0; fi
    k_now=$(k_get "$1")
    if [ "$k_now" = "$2" ]; then return 0; fi
    if [ "$k_now" != "$(cat "$TX/old/$3")" ]; then r_moved "/proc/sys/$1 is $k_now, which somebody else set; kept"; fi
    k_put "$1" "$2"
}
"""


def _set_now(moving: Sequence[tuple[SetParameter, str]]) -> Placed:
    """The running kernel's part. What the kernel made of a value is kept, so that undo knows what is still ours."""
    if not moving:
        return Placed()
    return Placed(
        check=_FUNCTIONS + "".join(sh("k_same {} {}\n", one.path, old) for one, old in moving),
        apply=_FUNCTIONS
        + "".join(sh("k_set {} {} {}\n", one.path, one.wanted, _kept(one)) for one, _ in moving),
        undo=_FUNCTIONS
        + "".join(sh("k_back {} {} {}\n", one.path, old, _kept(one)) for one, old in moving[::-1]),
    )


def _kept(one: SetParameter) -> str:
    return f"{hashlib.sha256(one.path.encode()).hexdigest()[:12]}.sysctl"
