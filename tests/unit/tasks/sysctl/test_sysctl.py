"""The task `sysctl`: plans as data, the file's editor under random text, and a real kernel in a network namespace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remediate.facts.base import Frame, Seen
from remediate.facts.files import FileSeen, Kind, TextFile
from remediate.facts.kernel import KernelParameters, KernelSeen, normal, parameter_path, parse_setting
from remediate.task.base import Noop, Operation, Task
from remediate.task.sysctl import parameter_name, with_setting
from tests.unit.tasks.shellnode import ShellNode, undone, whys

Make = Callable[..., Task]
CASES = sorted(Path(__file__).parent.glob("*.yml"))
FILE = "/etc/sysctl.d/90-remediate.conf"


class Case(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Facts in, changes and no-ops out."""

    task: dict[str, Any]
    parameters: dict[str, tuple[str, str]] = {}
    file: str | None = None
    boot: dict[str, str] = {}
    changes: list[str] = []
    becomes: str | None = None
    noops: list[str] = []
    error: str = ""


def seen_in(case: Case, task: Task) -> Seen:
    """The facts as the probe's output would make them."""
    path: str = task.file  # type: ignore[attr-defined]
    files = case.boot | ({} if case.file is None else {path: case.file})
    known = KernelParameters(tuple(case.parameters))
    lines = [f"@{access} {name}" for name, (access, _) in case.parameters.items()]
    lines += [f"@file {name}" for name in sorted(files)]
    lines += [f"/proc/sys/{name}:1:{value}" for name, (_, value) in case.parameters.items() if value]
    for name, text in files.items():
        numbered = enumerate(text.splitlines(), 1)
        lines += [f"{name}:{number}:{line}" for number, line in numbered if line and line[0] not in "#;"]
    before = (
        FileSeen(path, Kind.ABSENT)
        if case.file is None
        else FileSeen(path, Kind.FILE, case.file, "644", "root:root")
    )
    return Seen("n1", {known: known.parse(Frame("\n".join(lines))), TextFile(path): before})


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path, make: Make) -> None:
    case = msgspec.convert(yaml.safe_load(path.read_text()), Case)
    if case.error:
        with pytest.raises(msgspec.ValidationError) as caught:
            make("sysctl", **case.task)
        assert str(caught.value) == case.error
        return
    task = make("sysctl", **case.task)
    seen = seen_in(case, task)
    items = list(task.plan(seen))
    operations = [item for item in items if isinstance(item, Operation)]
    assert whys([item for item in items if isinstance(item, Noop)]) == case.noops
    changes = [type(operations[0]).compile(operations, seen)] if operations else []
    assert [change.summary for change in changes] == case.changes
    for change in changes:
        written = [content.decode() for content in change.files.values()]
        assert written == ([] if case.becomes == case.file else [case.becomes])


# The editor

keys = st.sampled_from(
    ["net.core.somaxconn", "vm.swappiness", "net/ipv4/conf/eth0.1/rp_filter", "kernel.pid_max"]
)
words = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P"], exclude_characters="\n"), min_size=1, max_size=6
)
sysctl_lines = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20),
    st.builds(
        "{}{}{}={}{}".format,
        st.sampled_from(["", " ", "-", "#", ";"]),
        keys,
        st.sampled_from(["", " "]),
        words,
        words,
    ),
)
texts = st.builds(
    "{}{}".format, st.lists(sysctl_lines, max_size=6).map("\n".join), st.sampled_from(["", "\n"])
)
settings = st.lists(words, min_size=1, max_size=3).map(" ".join)


def settings_of(text: str, path: str) -> list[str]:
    found = [parse_setting(line) for line in text.split("\n")]
    return [one[1] for one in found if one and one[0] == path]


@given(text=texts, key=keys, value=settings)
def test_the_last_line_of_a_parameter_says_what_is_wanted(text: str, key: str, value: str) -> None:
    path = parameter_path(key) or ""
    edited = with_setting(text, path, normal(value))
    assert settings_of(edited, path)[-1] == normal(value)
    assert with_setting(edited, path, normal(value)) == edited


@given(text=texts, key=keys, value=settings)
def test_every_other_line_stays_to_the_byte(text: str, key: str, value: str) -> None:
    path = parameter_path(key) or ""
    edited = with_setting(text, path, normal(value))
    before, after = text.split("\n"), edited.split("\n")
    if settings_of(text, path):
        assert len(before) == len(after)
        moved = [number for number, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
        ours = [number for number, line in enumerate(before) if (parse_setting(line) or ("",))[0] == path]
        assert moved in ([], [ours[-1]])
    else:
        assert edited.startswith(text)
        assert edited.count("\n") == text.count("\n") + (1 if text.endswith("\n") or not text else 2)


@pytest.mark.parametrize(
    ("line", "edited"),
    [
        ("vm.swappiness=60", "vm.swappiness=1"),
        ("  vm.swappiness  =  60  ", "  vm.swappiness  =  1  "),
        ("-vm/swappiness = 60\r", "-vm/swappiness = 1\r"),
        ("vm.swappiness =", "vm.swappiness =1"),
        ("vm.swappiness = 0 = 1", "vm.swappiness = 1"),
        ("vm.swappiness = 5\nvm.swappiness = 6", "vm.swappiness = 5\nvm.swappiness = 1"),
        ("#vm.swappiness = 60", "#vm.swappiness = 60\nvm.swappiness = 1\n"),
        ("", "vm.swappiness = 1\n"),
    ],
)
def test_edits(line: str, edited: str) -> None:
    assert with_setting(line, "vm/swappiness", "1") == edited


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.core.somaxconn", "net/core/somaxconn"),
        ("net/core/somaxconn", "net/core/somaxconn"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("swappiness", None),
        ("vm..swappiness", None),
        ("vm./swappiness", None),
        (".vm.swappiness", None),
        ("vm.swappiness.", None),
        ("vm.-rf", None),
        ("vm.swappiness\n", None),
        ("../vm/swappiness", None),
        ("vm." + "a" * 300, None),
    ],
)
def test_keys_as_sysctl_reads_them(key: str, path: str | None) -> None:
    assert parameter_path(key) == path


@given(
    st.text(max_size=30)
    | st.lists(st.sampled_from(["net", "a-b", ".", "/", "..", "~", "*", "é"])).map("".join)
)
def test_no_key_leads_out_of_proc_sys(key: str) -> None:
    path = parameter_path(key)
    if path is not None:
        assert all(part and not part.startswith((".", "-")) for part in path.split("/"))
        assert parameter_path(parameter_name(path)) == path


@given(st.text(max_size=200))
def test_noise_of_a_node_is_no_setting(text: str) -> None:
    known = KernelParameters(("net/core/somaxconn",))
    assert isinstance(known.parse(Frame(text)), KernelSeen)


# A real kernel


def test_set_now_and_for_every_boot_and_back(node: ShellNode, make: Make) -> None:
    node.run("echo 321 >/proc/sys/net/core/somaxconn")
    task = make(
        "sysctl", settings={"net.core.somaxconn": 8192, "net.ipv4.ip_local_port_range": "20000 60000"}
    )
    before = node.sh("cat /proc/sys/net/ipv4/ip_local_port_range")
    transaction = node.applied(node.change(task))
    assert node.state(transaction) == "await\n"
    assert node.sh("cat /proc/sys/net/core/somaxconn") == "8192\n"
    assert node.sh("cat /proc/sys/net/ipv4/ip_local_port_range") == "20000\t60000\n"
    assert node.sh(f"stat -c '%a %U' {FILE}; cat {FILE}") == (
        "644 root\n# Kernel parameters for every boot, written by remediate.\n"
        "net.core.somaxconn = 8192\nnet.ipv4.ip_local_port_range = 20000 60000\n"
    )
    assert node.plan(task)[1] == []
    node.run("echo 5 >/proc/sys/net/core/somaxconn; sysctl -q -p " + FILE)
    assert node.plan(task)[1] == [], "what the file says must be what the plan wants"
    assert undone(node, transaction) == "undone\n"
    assert node.sh("cat /proc/sys/net/core/somaxconn") == "321\n"
    assert node.sh("cat /proc/sys/net/ipv4/ip_local_port_range") == before
    assert node.sh(f"ls {FILE} 2>&1 || :").startswith("ls: cannot access")


def test_undo_twice_is_harmless(node: ShellNode, make: Make) -> None:
    transaction = node.applied(node.change(make("sysctl", settings={"net.core.somaxconn": 77})))
    assert undone(node, transaction) == undone(node, transaction) == "undone\n"


def test_a_value_that_somebody_set_after_the_plan(node: ShellNode, make: Make) -> None:
    change = node.change(make("sysctl", settings={"net.core.somaxconn": 77}))
    node.run("echo 99 >/proc/sys/net/core/somaxconn")
    transaction = node.applied(change)
    assert "moved 1\n/proc/sys/net/core/somaxconn is 99 now" in node.state(transaction)
    assert node.sh(f"cat /proc/sys/net/core/somaxconn; ls {FILE} 2>/dev/null || :") == "99\n"


def test_a_value_that_somebody_set_after_the_change_is_kept(node: ShellNode, make: Make) -> None:
    transaction = node.applied(node.change(make("sysctl", settings={"net.core.somaxconn": 77})))
    node.run("echo 99 >/proc/sys/net/core/somaxconn")
    assert "is 99, which somebody else set; kept" in undone(node, transaction)
    assert node.sh("cat /proc/sys/net/core/somaxconn") == "99\n"


def test_a_value_that_the_kernel_refuses_leaves_nothing_behind(node: ShellNode, make: Make) -> None:
    task = make("sysctl", settings={"net.core.somaxconn": 77, "net.ipv4.ip_default_ttl": "many"})
    before = node.sh("cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/ip_default_ttl")
    transaction = node.applied(node.change(task))
    assert node.state(transaction).startswith("undone\n")
    assert "the kernel refuses many for /proc/sys/net/ipv4/ip_default_ttl" in node.state(transaction)
    assert node.sh("cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/ip_default_ttl") == before
    assert node.sh(f"ls {FILE} 2>/dev/null || :") == ""


def test_what_a_network_namespace_lacks_or_holds_fast(node: ShellNode, make: Make) -> None:
    """Which keys these are depends on the kernel, so the test asks it."""
    task = make("sysctl", settings={"net.nosuch.key": 1, "kernel.osrelease": "9.9"})
    release = node.sh("cat /proc/sys/kernel/osrelease").strip()
    _, operations, noops = node.plan(task)
    assert operations == []
    assert whys(noops)[0].startswith("net.nosuch.key does not exist here")
    assert (
        whys(noops)[1]
        == f"kernel.osrelease is read-only here and stays {release}: set it on the machine that owns this kernel"
    )


def test_order_of_boot_on_real_files(node: ShellNode, make: Make) -> None:
    """/etc hides /usr/lib, a link to /dev/null hides too, and comments are no settings."""
    node.run(
        "mkdir /run/sysctl.d; cd /etc/sysctl.d; rm -f /etc/sysctl.conf ./*\n"
        "echo net.core.somaxconn=1 >/run/sysctl.d/95-a.conf; ln -s /dev/null 95-a.conf\n"
        "echo net.core.somaxconn=2 >/run/sysctl.d/96-b.conf; echo '#net.core.somaxconn=3' >96-b.conf\n"
        "echo net.core.somaxconn=4 >/run/sysctl.d/10-c.conf"
    )
    task = make("sysctl", settings={"net.core.somaxconn": 8192})
    assert whys(node.plan(task)[2]) == []
    node.run("echo ' net/core/somaxconn = 5 ' >/run/sysctl.d/97-d.conf")
    assert "will be 5 after a reboot, because /run/sysctl.d/97-d.conf:1" in whys(node.plan(task)[2])[0]


def test_one_fork_reads_everything(make: Make) -> None:
    """Forks are what a look costs (issue 2, section 5); the shell itself reads /proc/sys wrongly."""
    probe = make("sysctl", settings={"net.core.somaxconn": 1, "vm.swappiness": 2}).facts()[0].probe()
    assert probe.count("grep") == 1
    assert not any(program in probe for program in ("cat ", "$(", "`", "read "))
