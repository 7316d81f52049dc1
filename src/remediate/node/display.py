"""How text that came from a host is shown: escaped, on one line, and short (SAFETY, security case 12)."""

from __future__ import annotations

import unicodedata

SHOWN = 300
"""Characters of a host's output that fit into a message of one line."""


def shown(text: str | bytes | bytearray, limit: int = SHOWN) -> str:
    """Make text from outside harmless for a terminal and a log.

    Args:
        text: what a host sent; bytes that are no UTF-8 are shown as `\\xNN`.
        limit: characters kept, from the end: the last line of an error says most.

    Returns:
        One line without control, format or direction characters (ANSI, OSC, bidi), which appear escaped.
    """
    if not isinstance(text, str):
        text = text[-4 * limit :].decode("utf-8", "backslashreplace")
    line = " ".join(text.split())
    safe = "".join(
        char if _harmless(char) else char.encode("unicode_escape").decode() for char in line[-limit:]
    )
    return safe if len(line) <= limit else "…" + safe


def _harmless(char: str) -> bool:
    """Categories C* are control, format (bidi overrides), surrogates, unassigned; Zl and Zp break lines."""
    return char == " " or unicodedata.category(char)[0] not in "CZ"
