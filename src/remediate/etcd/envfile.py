"""Set and remove settings in an environment file: `ETCD_HEARTBEAT_INTERVAL=250` (kubespray, Debian, RHEL).

The syntax is that of systemd's `EnvironmentFile=` (systemd.exec(5)).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from remediate.errors import Refused
from remediate.etcd.flags import flag_name, variable_name
from remediate.etcd.refusal import refused_at

_ASSIGNMENT = re.compile(r"^([ \t]*(?:export[ \t]+)?)([A-Za-z_]\w*)=([^\r\n]*)(\r?\n|\Z)", re.MULTILINE)
_PLAIN = re.compile(r"[\w@%+=:,./\[\]-]*")


@dataclass(frozen=True, slots=True)
class _Line:
    """An assignment: where it stands, and its value without quotes."""

    name: str
    value: str
    raw: str
    start: int
    end: int
    raw_start: int


def settings_in(text: str, *, where: str = "") -> dict[str, str]:
    """The settings that a file gives etcd, by flag name; raises Refused where a value goes on over several lines."""
    with refused_at(where):
        return {flag_name(line.name): line.value for line in _lines(text) if line.name.startswith("ETCD_")}


def edit(text: str, set: Mapping[str, str], remove: Collection[str], *, where: str = "") -> str:
    """The file with some settings set and others removed; see `manifest.edit`.

    Raises:
        Refused: a value goes on over several lines, or the setting is also a flag in another variable's text.
    """
    with refused_at(where):
        lines = list(_lines(text))
        _no_flags(lines, {*set, *remove})
        before = {flag_name(line.name): line.value for line in lines if line.name.startswith("ETCD_")}
        result = _edit(
            text, lines, {variable_name(n): v for n, v in set.items()}, {variable_name(n) for n in remove}
        )
        if settings_in(result) != {k: v for k, v in {**before, **set}.items() if k not in remove}:
            raise Refused("it cannot be edited without changing more than its settings")
        return result


def _lines(text: str) -> Iterator[_Line]:
    for match in _ASSIGNMENT.finditer(text):
        raw = match[3].strip()
        if raw.endswith("\\") or (raw[:1] in ("'", '"') and (len(raw) < 2 or raw[-1] != raw[0])):
            raise Refused(f"the value of {match[2]} goes on over several lines", hint="edit it by hand")
        yield _Line(match[2], _unquoted(raw), match[3], match.start(), match.end(), match.start(3))


def _unquoted(raw: str) -> str:
    if raw[:1] == "'":
        return raw[1:-1]
    if raw[:1] == '"':
        return re.sub(r'\\(["\\$`])', r"\1", raw[1:-1])
    return re.sub(r"\\(.)", r"\1", raw)


def _quoted(value: str, like: str) -> str:
    """Quoted as the old value was, and where the value needs it."""
    if not value.isprintable():
        raise Refused(f"{value!r} cannot be written into an environment file")
    if like[:1] == "'" and "'" not in value:
        return f"'{value}'"
    if like[:1] != '"' and _PLAIN.fullmatch(value):
        return value
    return '"' + re.sub(r'(["\\$`])', r"\\\1", value) + '"'


def _no_flags(lines: Collection[_Line], names: Collection[str]) -> None:
    """Debian's DAEMON_ARGS and the like: flag and variable together make etcd exit (FIELD-NOTES, traps)."""
    for line in lines:
        for name in sorted(names):
            if not line.name.startswith("ETCD_") and re.search(
                rf"(?:^|\s)--?{re.escape(name)}(?:[\s=]|$)", line.value
            ):
                raise Refused(f"{name} is a flag in {line.name}", hint="edit that by hand")


def _edit(text: str, lines: list[_Line], wishes: Mapping[str, str], remove: Collection[str]) -> str:
    last = {line.name: line for line in lines}
    parts, at = [], 0
    for line in lines:
        if line.name in remove or (line.name in wishes and last[line.name] is not line):
            parts.append(text[at : line.start])
            at = line.end
        elif line.name in wishes and line.value != wishes[line.name]:
            parts += [text[at : line.raw_start], _quoted(wishes[line.name], line.raw.strip())]
            at = line.raw_start + len(line.raw)
    parts.append(text[at:])
    return _appended("".join(parts), {name: value for name, value in wishes.items() if name not in last})


def _appended(text: str, new: Mapping[str, str]) -> str:
    eol = "\r\n" if "\r\n" in text else "\n"
    lines = eol.join(f"{name}={_quoted(value, '')}" for name, value in new.items())
    if not new:
        return text
    if text and not text.endswith("\n"):
        return f"{text}{eol}{lines}"
    return f"{text}{lines}{eol}"
