"""Captured outputs: of real programs on lab nodes, and of busybox."""

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "data" / "measure"


def captured(name: str) -> str:
    """A file of tests/data/measure."""
    return (FOLDER / name).read_text("utf-8")
