"""`lab up` and `lab down`: side by side, after a crash, and without a trace."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remediate.lab import groups, spec
from tests.lab.labs import RUN, RunningLab
from tests.lab.labs import lab as run_lab

pytestmark = pytest.mark.lab

_MOVING = (
    "/proc/sys/net/",
    "/proc/sys/fs/binfmt_misc/",
    "/proc/sys/kernel/random/",
    "/proc/sys/kernel/ns_last_pid",
)
"""Not this machine's kernel parameters, or counters that move by themselves."""


def output(*argv: str) -> str:
    """What a program prints."""
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout


def traces(name: str) -> list[str]:
    """Everything on this machine that belongs to a lab of that name."""
    found = [
        str(path)
        for root in ("/run/netns", "/run/systemd/nspawn/propagate")
        for path in belonging(root, name)
    ]
    found += [str(spec.state_root() / name)] * (spec.state_root() / name).exists()
    found += [
        line for line in output("losetup", "-l", "-n", "-O", "BACK-FILE").splitlines() if f"/{name}/" in line
    ]
    links = [link["ifname"] for link in json.loads(output("ip", "-j", "link"))]
    found += [link for link in links if link == spec.uplink(name)]
    for root in groups.hierarchies().values():
        found += [str(root / spec.group_of(name))] * (root / spec.group_of(name)).exists()
    for process in Path("/proc").glob("[0-9]*"):
        found += of_process(process, name)
    return found


def belonging(root: str, name: str) -> list[Path]:
    """Entries of a folder that are named after a lab or one of its nodes."""
    hub = spec.hub_namespace(name)
    return [
        path for path in Path(root).glob(f"{hub}*") if path.name == hub or path.name.startswith(f"{hub}-n")
    ]


def of_process(process: Path, name: str) -> list[str]:
    """How a process belongs to a lab: by its control group, its command line or its mounts."""
    try:
        group, mounts = (process / "cgroup").read_text(), (process / "mountinfo").read_text()
        words = (process / "cmdline").read_text().split("\0")
    except OSError:  # ended
        return []
    if f"/{spec.group_of(name)}/" in group or name in words:
        return [f"process {process.name}: {words}"]
    return [f"mount of {process.name}: {line}" for line in mounts.splitlines() if f"/{name}/" in line]


def kernel() -> dict[str, str]:
    """This machine's kernel parameters and disk schedulers."""
    files = [path for path in Path("/proc/sys").rglob("*") if path.is_file() and path.stat().st_mode & 0o200]
    files = [path for path in files if not str(path).startswith(_MOVING)]
    files += Path("/sys/block").glob("*/queue/scheduler")
    return {str(path): text for path in files if (text := content(path)) is not None}


def content(path: Path) -> str | None:
    """A file's text, None where the kernel does not let it be read."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return None


@pytest.fixture
def name() -> Iterator[str]:
    """A lab's name; the lab is taken down whatever happens."""
    chosen = f"{RUN}-life"
    yield chosen
    for one in (chosen, f"{chosen}-b"):
        run_lab("down", "--name", one)


def test_down_leaves_nothing_and_may_be_repeated(name: str, tmp_path: Path) -> None:
    before = kernel()
    lab = RunningLab(name, tmp_path, "--nodes", "1")
    lab.fault("n1", "slow-network")
    lab.fault("n1", "slow-disk")
    assert traces(name), "or this test sees nothing"
    assert lab.inventory.exists()
    lab.close()
    assert traces(name) == []
    assert not lab.inventory.exists()
    lab.close()
    after = kernel()
    common = before.keys() & after.keys()  # disks of other labs come and go
    assert {path for path in common if "/sys/block/loop" not in path and before[path] != after[path]} == set()


def test_loop_devices_get_their_scheduler_back(name: str, tmp_path: Path) -> None:
    from remediate.lab import disks

    lab = RunningLab(name, tmp_path, "--nodes", "1")
    used = disks.attached(lab.spec.node("n1").home)
    assert len(used) == 3
    lab.close()
    for device in used.values():
        block = Path("/sys/block", Path(device.path).name)
        if device.created:
            assert not block.exists() or (block / "loop").exists()  # gone, or taken by another lab
        elif not (block / "loop").exists():
            assert disks.schedulers(device.path)[0] == device.scheduler


def test_two_may_take_a_lab_down_at_once(name: str, tmp_path: Path) -> None:
    RunningLab(name, tmp_path, "--nodes", "1", "--bare")
    argv = [sys.executable, "-m", "remediate", "lab", "down", "--name", name]
    both = [subprocess.Popen(argv) for _ in range(2)]
    assert [one.wait(timeout=60) for one in both] == [0, 0]
    assert traces(name) == []


@pytest.mark.parametrize("moment", ["claimed", "prepared", "booting", "booted"])
def test_a_crash_of_up_is_cleaned_by_down(name: str, tmp_path: Path, moment: str) -> None:
    home = spec.state_root() / name
    reached: dict[str, Callable[[], bool]] = {
        "claimed": (home / "lab.json").exists,
        "prepared": (home / "nodes/n1/furniture.tar").exists,
        "booting": (home / "nodes/n3/console.log").exists,
        "booted": lambda: bool(groups.processes(f"{spec.group_of(name)}/n1")),
    }
    argv = [
        sys.executable,
        "-m",
        "remediate",
        "lab",
        "up",
        "--name",
        name,
        "--inventory",
        str(tmp_path / "i.yml"),
    ]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not reached[moment]():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    assert traces(name)
    refused = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert f"remediate lab down --name {name}" in refused.stderr
    run_lab("down", "--name", name)
    assert traces(name) == []


def test_a_failing_up_takes_away_what_it_built(name: str, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "remediate", "lab", "up", "--name", name, "--nodes", "1"]
    argv += ["--inventory", str(tmp_path / "i.yml"), "--without", "no-such-tool"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert traces(name) == []


def test_two_labs_live_side_by_side(lab: RunningLab, name: str, tmp_path: Path) -> None:
    other = RunningLab(name, tmp_path, "--nodes", "1")
    assert other.spec.subnet != lab.spec.subnet
    assert other.ssh("n1", "hostname -I").strip() == other.spec.nodes[0].ip
    assert other.host("n1").run(f"ping -c 1 -W 1 {lab.spec.nodes[0].ip}").rc != 0
    longer = RunningLab(f"{name}-b", tmp_path, "--nodes", "1", "--bare")
    other.close()
    assert traces(name) == []
    assert longer.ssh("n1", "hostname -I").strip() == longer.spec.nodes[0].ip, (
        "its name begins like the other's"
    )
    longer.close()
    assert traces(longer.name) == []
    assert all(node["healthy"] for node in lab.status()["nodes"].values())


def test_three_nodes_are_healthy_in_time_from_the_cached_image(name: str, tmp_path: Path) -> None:
    begin = time.monotonic()
    lab = RunningLab(name, tmp_path)
    assert time.monotonic() - begin < 90  # issue 2
    assert all(node["healthy"] for node in lab.status()["nodes"].values())
