"""The lab's disks by themselves: the instant of a power cut, on a real XFS."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediate.lab import disks

pytestmark = pytest.mark.lab


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A mounted data disk; the image lies in its parent."""
    home, where = tmp_path / "node", tmp_path / "mounted"
    disks.create(home, {"data": str(uuid.uuid4())})
    where.mkdir()
    subprocess.run(["mount", disks.attach(home)["data"].path, where], check=True)
    yield where
    subprocess.run(["umount", where], check=False)
    disks.detach(home)


def test_after_the_cut_nothing_reaches_the_disk(mounted: Path) -> None:
    (mounted / "kept").write_text("kept")
    subprocess.run(["sync", "--file-system", mounted], check=True)
    (mounted / "lost").write_text("lost")
    disks.stop_writes([str(mounted)])
    with pytest.raises(OSError, match="Input/output error"):
        (mounted / "more").write_text("more")
    source = subprocess.run(
        ["findmnt", "-n", "-o", "SOURCE", mounted], capture_output=True, text=True, check=True
    )
    subprocess.run(["umount", mounted], check=True)  # an unmount writes everything out, unless the cut holds
    subprocess.run(["mount", source.stdout.strip(), mounted], check=True)
    assert [path.name for path in mounted.iterdir()] == ["kept"]


def test_a_file_system_that_knows_no_cut_is_left_to_the_copy(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "ramfs", "ramfs", tmp_path], check=True)
    try:
        disks.stop_writes([str(tmp_path)])
        (tmp_path / "file").write_text("still works")
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_device_is_attached_again_where_it_was(tmp_path: Path) -> None:
    home = tmp_path / "node"
    disks.create(home, {})
    try:
        first = disks.attach(home)
        assert disks.attach(home) == first
        disks.release(home)
        assert {name: one.path for name, one in disks.attach(home).items()} == {
            name: one.path for name, one in first.items()
        }
        assert {disks.schedulers(one.path)[0] for one in first.values()} <= set(disks.SCHEDULERS)
    finally:
        disks.detach(home)
