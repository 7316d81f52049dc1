"""What may leave: secrets are cut out, and what a host printed cannot drive a terminal (SAFETY, cases 6 and 12)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from remediate.inventory.secret import REDACTED, Secret

_NAME = (
    r"(?i:[\w-]*(?:passw(?:or)?d|passphrase|secret|api[-_]?key|access[-_]?key|key-data|"
    r"(?<!initial-cluster-)(?<!INITIAL_CLUSTER_)token)[\w-]*)"
)
# a path is where a secret lies and no secret; `simple` and `jwt` are etcd's kinds of --auth-token
_VALUE = r"""(?!["']?(?:/|simple\b|jwt\b))(?:"[^"\n]+"|'[^'\n]+'|[^\s"',]+)"""

_PATTERNS: Final = (
    # a private key, whatever a diff puts before its lines
    re.compile(r"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----).*?(?=-----END|\Z)", re.DOTALL),
    # NAME=value, NAME: value, --name value
    re.compile(rf"""(\b{_NAME}["']?\s*[:=]\s*){_VALUE}"""),
    re.compile(rf"(--{_NAME} +){_VALUE}"),
    re.compile(r"(\b(?i:bearer|basic)\s+)[\w.~+/=-]{16,}"),
    # user:password@ in a URL
    re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]+:)[^\s/@]+(?=@)"),
    # JSON web tokens, kubeadm's bootstrap tokens, AWS key IDs
    re.compile(r"()\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+"),
    re.compile(r"()\b[a-z0-9]{6}\.[a-z0-9]{16}\b"),
    re.compile(r"()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
)

_PRINTING: Final = frozenset("LMNPS")
"""First letters of Unicode categories that only print: letters, marks, numbers, punctuation, symbols."""


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Cut out known secrets, and what looks like one."""
    for secret in secrets:
        if secret:
            text = text.replace(secret.reveal(), REDACTED)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<1>{REDACTED}", text)
    return text


def escape(text: str) -> str:
    """Write every character that a terminal would act on as `\\x1b`: one line in, one line out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if _prints(c) else _named(c) for c in text)


def _prints(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in _PRINTING or category == "Zs"


def _named(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
