"""The demo's patient: real illnesses in a real cluster."""

from __future__ import annotations

from collections.abc import Callable

from remediate.lab.spec import Lab


def infect(lab: Lab, progress: Callable[[str], None]) -> None:
    """Make a healthy lab sick."""
