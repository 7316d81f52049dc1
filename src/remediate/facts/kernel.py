"""Kernel parameters: what holds now, and what the files of `sysctl.d` say for the next boot."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from remediate.facts.base import Fact, Frame
from remediate.node.shell import sh

FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
"""Of two files with one name the one in the earlier folder counts (sysctl.d(5))."""

LAST = "/etc/sysctl.conf"
"""`sysctl --system` reads it last; Debian and RHEL link it as `99-sysctl.conf` for systemd-sysctl."""

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_][A-Za-z0-9_-]*)+")
_LINE = re.compile(r"(?P<file>/[^\n]*?):(?P<number>\d+):(?P<text>.*)")
_SETTING = re.compile(r"\s*-?\s*(?P<key>[^\s=#;][^\s=]*)\s*=\s*(?P<value>.*?)\s*")


def parameter_path(key: str) -> str | None:
    """The path below `/proc/sys` of a key as sysctl reads it; None where it is none.

    Where the first separator is a dot, dots and slashes change places: `net.ipv4.conf.eth0/100.rp_filter` (sysctl(8)).
    No segment can begin with a dot, so nothing leads out of `/proc/sys`.
    """
    if len(key) > 200 or not _KEY.fullmatch(key):
        return None
    first = next(char for char in key if char in "./")
    return key.translate(str.maketrans("./", "/.")) if first == "." else key


def normal(value: str) -> str:
    """A value with every run of white space as one blank; the kernel writes tabs where people write blanks."""
    return " ".join(value.split())


class Access(StrEnum):
    """What root may do with a parameter; in a network namespace some are read-only or missing *(FIELD-NOTES)*."""

    WRITABLE = "writable"
    READ_ONLY = "read-only"
    WRITE_ONLY = "write-only"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its value with normal white space, empty where it cannot be read."""

    access: Access
    value: str = ""


@dataclass(frozen=True, slots=True)
class BootLine:
    """One setting in a file that is read at boot: where it stands, the parameter's path, and its value."""

    file: str
    number: int
    path: str
    value: str


@dataclass(frozen=True, slots=True)
class KernelSeen:
    """What a node says of some parameters.

    Attributes:
        parameters: by path below `/proc/sys`.
        boot: settings of any parameter in the order in which boot applies them; the last of a parameter counts.
    """

    parameters: Mapping[str, Parameter]
    boot: tuple[BootLine, ...]

    def at_boot(self, path: str) -> BootLine | None:
        """The setting that counts at boot, None where no file has one."""
        found = [line for line in self.boot if line.path == path]
        return found[-1] if found else None


@dataclass(frozen=True)
class KernelParameters(Fact[KernelSeen]):
    """Some kernel parameters, now and at boot. Forks: one grep for everything.

    The shell cannot read the values itself: dash reads byte by byte, and `/proc/sys` answers only the first of these
    reads, so 4096 would be read as 4 *[measured, dash 0.5.12]*.

    Attributes:
        paths: below `/proc/sys`, made by `parameter_path`.
    """

    paths: tuple[str, ...]

    def probe(self) -> str:
        """Access by built-ins; values and the lines of all files by one grep, without comments and empty lines."""
        return (
            sh("set --\nfor k_path in" + " {}" * len(self.paths) + "; do\n", *self.paths)
            + _ACCESS
            + " ".join(f"{folder}/*.conf" for folder in FOLDERS)
            + f" {LAST}; do\n"
            + _FILES
        )

    def parse(self, frame: Frame) -> KernelSeen:
        """Values and settings; lines that are neither are the node's own noise."""
        access: dict[str, Access] = {}
        files: list[str] = []
        values: dict[str, list[str]] = {}
        lines: list[tuple[str, int, str]] = []
        for line in frame.out.split("\n"):
            word, _, rest = line.partition(" ")
            if word == "@file":
                files.append(rest)
            elif word in _ACCESS_MARKS:
                access[rest] = _ACCESS_MARKS[word]
            elif match := _LINE.fullmatch(line):
                lines.append((match["file"], int(match["number"]), match["text"]))
        for file, _, text in lines:
            values.setdefault(file.removeprefix("/proc/sys/"), []).append(text)
        parameters = {
            path: Parameter(access.get(path, Access.ABSENT), normal(" ".join(values.get(path, ()))))
            for path in self.paths
        }
        return KernelSeen(parameters, tuple(_in_boot_order(files, lines)))


_ACCESS_MARKS = {f"@{access.value}": access for access in Access}

_ACCESS = """\
    k_file=/proc/sys/$k_path
    if [ ! -f "$k_file" ]; then printf '@absent %s\\n' "$k_path"; continue; fi
    if [ ! -r "$k_file" ]; then printf '@write-only %s\\n' "$k_path"; continue; fi
    if [ -w "$k_file" ]; then printf '@writable %s\\n' "$k_path"; else printf '@read-only %s\\n' "$k_path"; fi
    set -- "$@" "$k_file"
done
for k_file in """

_FILES = """\
    if [ -f "$k_file" ] || [ -L "$k_file" ]; then printf '@file %s\\n' "$k_file"; set -- "$@" "$k_file"; fi
done
grep -Hns '^[[:space:]]*[^#;[:space:]]' /dev/null "$@" || :
"""


def _in_boot_order(files: list[str], lines: list[tuple[str, int, str]]) -> Iterator[BootLine]:
    """Settings of files that no file of the same name hides, by file name, `sysctl.conf` last."""
    counted: dict[str, str] = {}
    for file in files:  # in the order of FOLDERS
        if file != LAST:
            counted.setdefault(PurePosixPath(file).name, file)
    for file in [*(counted[name] for name in sorted(counted)), LAST]:
        for where, number, text in lines:
            setting = parse_setting(text) if where == file else None
            if setting:
                yield BootLine(file, number, *setting)


def parse_setting(line: str) -> tuple[str, str] | None:
    """Path and value of a line of a sysctl file; None for comments, patterns and what is no setting."""
    match = _SETTING.fullmatch(line)
    path = parameter_path(match["key"]) if match else None
    return (path, normal(match["value"])) if match and path else None
