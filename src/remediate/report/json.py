"""The run as a program reads it: one document on standard output when it is over (DESIGN, "The command line")."""

from __future__ import annotations

import json
from typing import Any, TextIO

from remediate.engine.events import Event, RunEnded
from remediate.engine.result import RunResult
from remediate.report.compare import compare
from remediate.report.paper import Clean


class JsonDocument:
    """An observer that waits for the end."""

    def __init__(self, out: TextIO, redact: Clean) -> None:
        self._out, self._redact = out, redact

    def on(self, event: Event) -> None:
        """Write the document when the run is over."""
        if isinstance(event, RunEnded):
            document = _redacted(event.result.to_json() | {"verdicts": _verdicts(event.result)}, self._redact)
            self._out.write(json.dumps(document, indent=2) + "\n")  # ASCII: nothing a terminal would act on
            self._out.flush()


def _verdicts(result: RunResult) -> list[dict[str, Any]]:
    """What became of each finding, where a run changed something."""
    after = {look.cluster.name: look for look in result.after or ()}
    return [
        {
            "id": one.finding.id,
            "host": one.finding.host,
            "verdict": one.verdict.value,
            "why": one.why,
            "needs": one.needs or None,
        }
        for look in result.before
        if look.cluster.name in after
        for one in compare(look, after[look.cluster.name]).judged
    ]


def _redacted(value: Any, redact: Clean) -> Any:
    """The same document without secrets in its texts."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(item, redact) for key, item in value.items()}
    return [_redacted(item, redact) for item in value] if isinstance(value, list | tuple) else value
