"""Names of hosts and groups: ranges, `host:port`, what a name may look like, and the nearest known one."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv6Address
from itertools import product
from math import prod

from remediate.errors import UsageProblem

MAX_HOSTS = 65_536
"""Hosts that one pattern may stand for; a typing error such as n[1:99999999] must not eat the memory."""

_HOST_NAME = re.compile(r"[\w:][\w.:%@+-]*")
_PORT = re.compile(r"(?:\[(?P<inside>.+)\]|(?P<plain>(?:[^:\[\]]|\[[^\]]*\])*)):(?P<port>[0-9]+)")
_LABEL_RANGE = re.compile(r"\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]", re.IGNORECASE)
_HEX_RANGE = re.compile(r"\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\]", re.IGNORECASE)
_NETWORK_NAME = re.compile(r"\w[\w-]*(?<![_-])(?:\.\w[\w-]*(?<![_-]))*")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint with the known name that is most like the word, or with all of them where they are few."""
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(word, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    few = len(names) <= 12  # what fits on a line
    return f"known: {', '.join(names)}" if names and few else ""


def check_host_name(name: str, where: str) -> str:
    """The name itself where it can be shown, stored and given to SSH without harm.

    Letters, digits and `_ . : % @ + -`, not beginning with a dash or a dot (SAFETY, security case 1).

    Raises:
        UsageProblem: anything else.
    """
    if not _HOST_NAME.fullmatch(name):
        raise UsageProblem(
            f"{name!r:.80} cannot be a host's name",
            where=where,
            hint="letters, digits and _ . : % @ + - are allowed, and no dash or dot in front",
        )
    return name


def check_group_name(name: str, where: str) -> str:
    """The name itself; raises UsageProblem where it is empty or cannot be printed on a line."""
    if not name or not name.isprintable():
        raise UsageProblem(
            f"{name!r:.80} cannot be a group's name", where=where, hint="use printable characters"
        )
    return name


def split_port(text: str) -> tuple[str, int | None] | None:
    """What `host`, `host:port` or `[host]:port` says, ranges allowed; None where it is no network name."""
    port: int | None = None
    if match := _PORT.fullmatch(text):
        text, port = match["inside"] or match["plain"], _number(match["port"])
    return (text, port) if _is_network_name(text) else None


def _is_network_name(text: str) -> bool:
    if _NETWORK_NAME.fullmatch(_LABEL_RANGE.sub("0", text)):
        return True
    try:
        IPv6Address(_HEX_RANGE.sub("0", text))
    except AddressValueError:
        return False
    return True


def expand_hosts(text: str, where: str) -> tuple[list[str], int | None]:
    """The hosts that `n[01:03].example`, `db-[a:f]`, `n[1:9:2]:22` or a plain name mean, and their port.

    Args:
        text: a host as an inventory writes it.
        where: file and line for messages.

    Raises:
        UsageProblem: a broken range, a name that is not allowed, or a port that is none.
    """
    base, port = _split_strictly(text, where)
    parts = _BRACKETS.split(base)  # text, range, text, range, … text
    choices = [_expand_range(part, where) if i % 2 else [part] for i, part in enumerate(parts)]
    if prod(len(choice) for choice in choices) > MAX_HOSTS:
        raise UsageProblem(f"{text!r:.80} stands for more than {MAX_HOSTS} hosts", where=where)
    return [check_host_name("".join(words), where) for words in product(*choices)], port


def _split_strictly(text: str, where: str) -> tuple[str, int | None]:
    """As `split_port`, but what is no network name must not look as if it had a port."""
    parsed = split_port(text)
    if parsed is None:
        if text.endswith(":") or _PORT.fullmatch(text):
            raise UsageProblem(
                f"{text!r:.80} is no host", where=where, hint="write it as name:port or [address]:port"
            )
        return text, None
    name, port = parsed
    if port is not None and not 0 < port < 65_536:
        raise UsageProblem(f"the port of {text!r:.80} is not between 1 and 65535", where=where)
    return name, port


def _expand_range(text: str, where: str) -> list[str]:
    bounds = text.split(":")
    if len(bounds) not in (2, 3) or not bounds[1]:
        raise UsageProblem(
            f"the range [{text}] is broken", where=where, hint="write [first:last] or [first:last:step]"
        )
    first, last = bounds[0] or "0", bounds[1]
    step = _number(bounds[2]) if len(bounds) == 3 else 1
    if not step:
        raise UsageProblem(f"the step of the range [{text}] is not a number above 0", where=where)
    letters = string.ascii_letters
    if len(first) == len(last) == 1 and first in letters and last in letters:
        found = list(letters[letters.index(first) : letters.index(last) + 1 : step])
    else:
        found = _expand_numbers(text, first, last, step, where)
    if not found:
        raise UsageProblem(
            f"the range [{text}] is empty", where=where, hint="the first must not come after the last"
        )
    return found


def _expand_numbers(text: str, first: str, last: str, step: int, where: str) -> list[str]:
    begin, end = _number(first), _number(last)
    if begin is None or end is None:
        raise UsageProblem(f"the range [{text}] needs two numbers or two single letters", where=where)
    width = len(first) if first.startswith("0") and len(first) > 1 else 0
    if width and width != len(last):
        raise UsageProblem(
            f"the range [{text}] begins with a zero", where=where, hint="write both ends with as many digits"
        )
    numbers = range(begin, end + 1, step)
    if len(numbers) > MAX_HOSTS:
        raise UsageProblem(f"the range [{text}] stands for more than {MAX_HOSTS} hosts", where=where)
    return [str(number).zfill(width) for number in numbers]


def _number(digits: str) -> int | None:
    """A plain decimal number of at most 18 digits (64 bits), or None."""
    return int(digits) if re.fullmatch(r"[0-9]{1,18}", digits) else None
