"""Arguments of ssh(1) in an inventory (`ansible_ssh_common_args`): read, never passed to a program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Final, NamedTuple

from remediate.errors import UsageProblem

ACCEPTED: Final = (
    *(
        "ConnectTimeout",
        "IdentityFile",
        "Port",
        "ProxyJump",
        "StrictHostKeyChecking",
        "User",
        "UserKnownHostsFile",
    ),
)
"""Options that mean something here, by their names in ssh_config(5)."""

_WITHOUT_EFFECT: Final = (
    frozenset(  # about ssh(1)'s own sharing, keeping alive and logging, which are ours to do
        {
            *("batchmode", "compression", "controlmaster", "controlpath", "controlpersist", "loglevel"),
            *("serveralivecountmax", "serveraliveinterval", "tcpkeepalive"),
        }
    )
)
_LETTERS: Final = {"J": "ProxyJump", "i": "IdentityFile", "l": "User", "p": "Port"}
_FLAGS_WITHOUT_EFFECT: Final = frozenset({"-C", "-q"})
_HINTS: Final = {
    "proxycommand": "use ProxyJump; a ProxyCommand belongs into ~/.ssh/config, which is trusted",
    "forwardagent": "keys stay where they are",
    "-A": "keys stay where they are",
}


class SshOption(NamedTuple):
    """One option, under its name in ssh_config(5)."""

    name: str
    value: str


def parse_ssh_args(text: str, where: str) -> Iterator[SshOption]:
    """The options among arguments such as `-o ProxyJump=bastion -J bastion -o ConnectTimeout=5`.

    Args:
        text: the arguments as a shell would split them.
        where: what messages say about their place.

    Yields:
        Options of `ACCEPTED`, in their order.

    Raises:
        UsageProblem: any other option, named.
    """
    try:
        words = iter(shlex.split(text))
    except ValueError as error:
        raise UsageProblem(
            f"cannot be split into arguments: {error}", where=where, hint="check its quotes"
        ) from None
    for word in words:
        if word in _FLAGS_WITHOUT_EFFECT:
            continue
        letter, value = word[1:2], word[2:]
        if not word.startswith("-") or letter not in {"o", *_LETTERS}:
            raise _refused(word, where)
        value = value or next(words, "")
        if letter == "o":
            yield from _option(value, where)
        else:
            yield SshOption(_LETTERS[letter], value)


def _option(text: str, where: str) -> Iterator[SshOption]:
    """`Name=value` or `Name value`; names are not case-sensitive."""
    name, *rest = re.split(r"\s*=\s*|\s+", text.strip(), maxsplit=1)
    if name.lower() in _WITHOUT_EFFECT:
        return
    known = next((accepted for accepted in ACCEPTED if accepted.lower() == name.lower()), None)
    if known is None:
        raise _refused(name, where)
    yield SshOption(known, rest[0].strip('"') if rest else "")


def _refused(option: str, where: str) -> UsageProblem:
    hint = _HINTS.get(option) or _HINTS.get(option.lower()) or f"accepted: {', '.join(ACCEPTED)}"
    return UsageProblem(f"the ssh option {option!r} is not accepted", where=where, hint=hint)
