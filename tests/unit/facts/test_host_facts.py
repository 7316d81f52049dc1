"""Facts of a host, read on this very machine: its processes, files and kernel, by way of a real shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import pytest

from remediate.etcd.model import Layout
from remediate.facts.base import Fact, FactError, Frame
from remediate.facts.manifests import FlagFiles, StaticPods
from remediate.facts.system import ApiServer, System
from remediate.facts.threads import ProcessThreads

T = TypeVar("T")

ETCD = "kind: Pod\nmetadata: {name: etcd}\nspec: {containers: [{command: [etcd, --name=ä]}]}\n"
APISERVER = (
    "kind: Pod\nmetadata: {name: kube-apiserver}\nspec:\n  containers:\n  - command:\n    - kube-apiserver\n"
    "    - --etcd-cafile=/etc/kubernetes/pki/etcd/ca.crt\n    - --etcd-servers=https://127.0.0.1:2379\n"
)


def ask(fact: Fact[T]) -> T:
    """What the fact says of this machine."""
    prelude = files("remediate.facts").joinpath("prelude")
    text = [*(prelude.joinpath(f"{name}.sh").read_text() for name in fact.needs), fact.probe()]
    done = subprocess.run(
        ["/bin/sh", "-s"], input="\n".join(text).encode(), capture_output=True, timeout=20, check=False
    )
    assert done.stderr == b""
    return fact.parse(Frame(done.stdout.decode(errors="backslashreplace"), done.returncode))


def pods(folder: Path) -> StaticPods:
    return StaticPods((str(folder), "/nowhere"))


def test_the_manifests_of_etcd_to_the_byte(tmp_path: Path) -> None:
    contents = {
        "etcd.yaml": ETCD,
        "etcd.yaml.bak": ETCD.replace("\n", "\r\n") + "#",
        ".etcd.yaml.swp": ETCD,
        "broken.yaml": "spec: [\n  name: etcd",
        "kube-apiserver.yaml": APISERVER,
        "events.yaml": "spec: {containers: [{command: [/usr/local/bin/etcd]}]}\nmetadata: {name: store}\n",
        "empty": "",
    }
    for name, text in contents.items():
        (tmp_path / name).write_bytes(text.encode())
    (tmp_path / "etcd.yaml").chmod(0o600)
    (tmp_path / "folder.yaml").mkdir()
    found = ask(pods(tmp_path))
    assert {Path(file.path).name: file.instance for file in found} == {
        ".etcd.yaml.swp": "etcd",
        "broken.yaml": "",
        "etcd.yaml": "etcd",
        "etcd.yaml.bak": "etcd",
        "events.yaml": "store",
    }
    for file in found:
        path = Path(file.path)
        assert file.text.encode() == path.read_bytes()
        assert file.hidden is path.name.startswith(".")
        assert file.mode == f"{path.stat().st_mode & 0o7777:o}"
        assert file.owner == f"{path.owner()}:{path.group()}"
        summed = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True)
        assert file.sha256 == summed.stdout.split()[0]


def test_no_folder_no_manifests(tmp_path: Path) -> None:
    assert ask(pods(tmp_path)) == ()


def test_a_manifest_that_is_no_text_is_not_half_read(tmp_path: Path) -> None:
    (tmp_path / "etcd.yaml").write_bytes(ETCD.encode("latin-1"))
    with pytest.raises(FactError, match=r"etcd\.yaml changed while it was read, or|is not UTF-8"):
        ask(pods(tmp_path))


@pytest.mark.parametrize("out", ["", "x\n", "2\n5 600 root:root /a\n"])
def test_manifests_that_could_not_be_read(out: str) -> None:
    with pytest.raises(FactError):
        StaticPods().parse(Frame(out))


def test_too_many_manifests_are_not_half_read() -> None:
    with pytest.raises(FactError, match="larger than"):
        StaticPods().parse(Frame("0\n", truncated=True))


def test_files_of_settings() -> None:
    text = "ETCD_NAME=a\n"
    (file,) = FlagFiles().parse(Frame(f"1\n{len(text)} 644 root:root /etc/etcd-events.env\n{text}"))
    assert (file.layout, file.instance, file.text, file.mode) == (Layout.ENV_FILE, "etcd-events", text, "644")
    ask(FlagFiles())


def test_this_machine() -> None:
    state = ask(System())
    assert state.machine_id == Path("/etc/machine-id").read_text().strip()
    assert state.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert state.memory == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < state.memory_free < state.memory
    assert state.cpus == os.sysconf("SC_NPROCESSORS_ONLN")
    assert {"sha256sum", "curl"} <= state.tools


@pytest.mark.parametrize(("ranges", "count"), [("0", 1), ("0-3", 4), ("0-3,8,10-11", 7), ("", 0)])
def test_processors(ranges: str, count: int) -> None:
    assert System().parse(Frame(f"@cpus {ranges}\n")).cpus == count


@pytest.mark.parametrize(
    ("out", "ready"),
    [("", None), ("@readyz 200\n", True), ("@readyz 500\n", False), ("@readyz 000\n", False)],
)
def test_the_own_apiserver(out: str, ready: bool | None) -> None:
    assert ApiServer().parse(Frame(out)) is ready


@pytest.fixture
def several_threads() -> Iterator[subprocess.Popen[Any]]:
    """A process of the name `python3-threads` with four threads."""
    code = (
        "import threading, time; "
        "[threading.Thread(target=time.sleep, args=(60,), daemon=True).start() for _ in range(3)]; "
        "open('/proc/self/comm', 'w').write('a b) threads'); print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen(["python3", "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield process
        process.kill()


def test_each_threads_priority_is_its_own(several_threads: subprocess.Popen[Any]) -> None:
    """What `ionice -p` and `renice -p` change is one thread (FIELD-NOTES, traps)."""
    main = str(several_threads.pid)
    subprocess.run(["ionice", "-c", "best-effort", "-n", "1", "-p", main], check=True)
    subprocess.run(["renice", "-n", "5", "-p", main], check=True, capture_output=True)
    (process,) = ask(ProcessThreads("a b) threads"))
    assert process.pid == several_threads.pid
    assert sorted((t.io_class, t.io_level, t.nice) for t in process.threads) == [
        ("best-effort", 1, 5),
        *[("none", 0, 0)] * 3,
    ]
    stat = Path(f"/proc/{main}/stat").read_text()
    assert process.start_ticks == int(stat.rpartition(")")[2].split()[19])


def test_a_process_that_does_not_run() -> None:
    assert ask(ProcessThreads("no-such-process")) == ()
