"""What people and programs read of a run: observers, never called by tasks. Imported as late as possible."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remediate.engine.events import Observers
    from remediate.inventory.secret import Secret


def observers(
    output: str, *, diff: bool = False, verbosity: int = 0, secrets: Iterable[Secret] = ()
) -> Observers:
    """The observers of a run from the command line.

    Args:
        output: `text`: result on standard output, progress on standard error; `json`: one document on standard
            output, everything else on standard error.
        diff: show what changes in files, line by line.
        verbosity: how often `-v` was said.
        secrets: values that are cut out of everything that is written.
    """
    import sys
    from io import TextIOWrapper

    from remediate.engine.events import Observers
    from remediate.report.console import Console
    from remediate.report.json import JsonDocument
    from remediate.report.redact import escape, redact

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 must not end a run
    known = tuple(secrets)

    def without_secrets(text: str) -> str:
        return redact(text, known)

    def clean(text: str) -> str:
        return escape(without_secrets(text))

    out = sys.stderr if output == "json" else sys.stdout
    console = Console(out, sys.stderr, clean, diff=diff, verbosity=verbosity)
    documents = [JsonDocument(sys.stdout, without_secrets)] if output == "json" else []
    return Observers(console, *documents)
