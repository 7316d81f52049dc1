"""How a lab is put together, as data: names, addresses, sources, files, control groups, inventory."""

from __future__ import annotations

import io
import ipaddress
import tarfile
from pathlib import Path

import msgspec
import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from remediate.errors import ChangeFailed, UsageProblem
from remediate.lab import disks, furniture, gateway, groups, host, images, inventory, network, pki, spec
from tests.unit.test_lab_pods import lab

DATA = Path(__file__).parents[1] / "data" / "lab"
IDENTITY = furniture.Identity(b"private", b"public\n", b"user\n", "0" * 32, "1234-5678")


@pytest.mark.parametrize("name", ["lab", "a", "blue-2", "x" * 20])
def test_names_that_are_accepted(name: str) -> None:
    assert spec.check_name(name) == name


@pytest.mark.parametrize("name", ["", "Lab", "2lab", "a/b", "../x", "a b", "x" * 21, "lab-n1", "-a", "lab\n"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(UsageProblem, match="is no lab name"):
        spec.check_name(name)


def test_a_lab_is_saved_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMEDIATE_LAB_STATE", str(tmp_path))
    wanted = lab(without=("fio",))
    wanted.home.mkdir()
    spec.save(wanted)
    assert spec.load("lab") == wanted
    (wanted.home / "lab.json").write_text("{")
    with pytest.raises(UsageProblem, match="remediate lab down --name lab"):
        spec.load("lab")
    with pytest.raises(UsageProblem, match="lab 'other' is not up"):
        spec.load("other")


def test_an_unknown_node_is_named_with_those_that_are_there() -> None:
    with pytest.raises(UsageProblem, match=r"no node 'n4' in lab 'lab' [(]its nodes are n1, n2, n3"):
        lab().node("n4")


@pytest.mark.parametrize("name", ["lab", "x" * 20])
def test_interface_names_fit_the_kernel(name: str) -> None:
    assert len(spec.uplink(name)) <= 15
    assert spec.uplink(name) != spec.uplink(f"{name[:-1]}y")


@pytest.mark.parametrize(
    ("used", "free"),
    [
        ([], "10.213.0"),
        (["10.213.0.0/24", "10.213.1.128/25", "192.168.0.0/16"], "10.213.2"),
        (["10.213.0.0/17"], "10.213.128"),
    ],
)
def test_the_first_free_network_is_taken(used: list[str], free: str) -> None:
    assert network.free_subnet(ipaddress.IPv4Network(one) for one in used) == free


def test_no_free_network() -> None:
    with pytest.raises(ChangeFailed, match="no free /24"):
        network.free_subnet([ipaddress.IPv4Network("10.0.0.0/8")])


def test_sources_are_this_machines_with_another_suite() -> None:
    targets = (DATA / "indextargets.txt").read_text()
    assert images.sources_for("trixie", targets, "bookworm") == [
        "deb http://mirror.example/debian/ trixie main",
        "deb http://mirror.example/debian-security/ trixie-security main",
    ]


def test_a_key_ring_named_by_the_source_is_kept() -> None:
    targets = (
        (DATA / "indextargets.txt")
        .read_text()
        .replace("Release: bookworm\n", "Release: bookworm\nSigned-By: /k.gpg\n")
    )
    assert images.sources_for("bookworm", targets, "bookworm")[0].startswith("deb [signed-by=/k.gpg] http")


@pytest.mark.parametrize(
    "change", [("Component: main", "Component: other"), ("Origin: Debian", "Origin: Someone")]
)
def test_without_debians_archive_it_is_said(change: tuple[str, str]) -> None:
    targets = (DATA / "indextargets.txt").read_text().replace(*change)
    with pytest.raises(UsageProblem, match="no source for Debian bookworm main"):
        images.sources_for("trixie", targets, "bookworm")


def test_hierarchies_of_a_hybrid_machine() -> None:
    assert groups.hierarchies((DATA / "mountinfo-hybrid.txt").read_text()) == {
        "blkio": Path("/sys/fs/cgroup/blkio"),
        "systemd": Path("/sys/fs/cgroup/systemd"),
        "v2": Path("/sys/fs/cgroup/unified"),
    }


UNIFIED = (
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
)


def test_hierarchies_of_a_unified_machine() -> None:
    assert groups.hierarchies(UNIFIED) == {"v2": Path("/sys/fs/cgroup")}


@pytest.mark.parametrize(("iops", "written"), [(40, "7:1 wiops=40"), (None, "7:1 wiops=max")])
def test_a_limit_on_a_unified_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, iops: int | None, written: str
) -> None:
    monkeypatch.setattr(groups, "hierarchies", lambda: {"v2": tmp_path})
    (tmp_path / "remediate-lab/lab/n1").mkdir(parents=True)
    groups.limit_writes("remediate-lab/lab/n1", "7:1", iops)
    assert (tmp_path / "remediate-lab/lab/n1/io.max").read_text() == written
    enabled = [path.parent.relative_to(tmp_path) for path in tmp_path.rglob("cgroup.subtree_control")]
    assert {str(path) for path in enabled} == {".", "remediate-lab", "remediate-lab/lab"}


@pytest.mark.parametrize(("iops", "written"), [(40, "7:1 40"), (None, "7:1 0")])
def test_a_limit_on_a_hybrid_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, iops: int | None, written: str
) -> None:
    monkeypatch.setattr(groups, "hierarchies", lambda: {"v2": tmp_path / "v2", "blkio": tmp_path})
    (tmp_path / "remediate-lab/lab/n1").mkdir(parents=True)
    groups.limit_writes("remediate-lab/lab/n1", "7:1", iops)
    assert (tmp_path / "remediate-lab/lab/n1/blkio.throttle.write_iops_device").read_text() == written


def entries(*, bare: bool = False) -> dict[str, tarfile.TarInfo]:
    """The files of n2."""
    wanted = lab()
    ca = None if bare else pki.authority()
    packed = furniture.pack(furniture.furniture(wanted, wanted.nodes[1], IDENTITY, ca))
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {f"/{one.name}": one for one in archive.getmembers()}


def test_private_files_are_private_and_belong_to_their_owners() -> None:
    found = entries()
    keys = [name for name in found if name.endswith((".key", "_key", "authorized_keys", "etcd.yaml"))]
    assert len(keys) == 10
    assert {found[name].mode for name in keys} == {0o600}
    owners = {user: found[f"{home}/.ssh/authorized_keys"].uid for user, (_, home) in furniture.USERS.items()}
    assert owners == {"root": 0, "ops": 1001, "admin": 1002}


def test_a_bare_node_has_no_etcd() -> None:
    found = entries(bare=True)
    assert not [name for name in found if "kube" in name or name.endswith("crictl")]
    assert "/etc/ssh/ssh_host_ed25519_key" in found


def test_the_lab_kubelet_is_complete() -> None:
    found = entries()
    assert {Path(name).name for name in found if "/labnode/" in name} == {
        path.name for path in Path(furniture.__file__).with_name("node").glob("*.py")
    }
    assert found["/etc/systemd/system/multi-user.target.wants/kubelet.service"].linkname.endswith(
        "/kubelet.service"
    )


def test_certificates_have_kubeadms_names_and_usages() -> None:
    ca = pki.authority()
    server = pki.server(ca, "n1", "10.213.7.11").cert
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["n1", "localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == [
        "10.213.7.11",
        "127.0.0.1",
        "::1",
    ]
    usage = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    client = pki.client(ca, "kube-etcd-healthcheck-client").cert
    assert client.subject.rfc4514_string() == "CN=kube-etcd-healthcheck-client,O=system:masters"
    for cert in (server, client):
        cert.verify_directly_issued_by(ca.cert)


@pytest.mark.parametrize(("delay", "deadline"), [(0.0, 10), (2.0, 10), (20.0, 28)])
def test_the_inventory_gives_time_for_a_slow_kubelet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delay: float, deadline: int
) -> None:
    monkeypatch.setenv("REMEDIATE_LAB_STATE", str(tmp_path))
    wanted = lab(kubelet_delay=delay)
    for node in wanted.nodes:
        node.home.mkdir(parents=True)
        device = disks.Device("/dev/loop9", "7:9", "none", created=False)
        (node.home / "disks.json").write_bytes(msgspec.json.encode({"spare": device}))
    document = yaml.safe_load(inventory.text(wanted))
    assert document["etcd"]["vars"]["remediate_deadline"] == deadline
    assert document["etcd"]["vars"]["remediate_environment"] == "lab"
    assert document["etcd"]["hosts"]["n3"] == {"ansible_host": "10.213.7.13", "lab_spare_disk": "/dev/loop9"}


def test_somebodys_own_inventory_is_neither_overwritten_nor_deleted(tmp_path: Path) -> None:
    path = tmp_path / "prod.yml"
    inventory.check_free(path)
    path.write_text("etcd: {hosts: {a: }}\n")
    with pytest.raises(UsageProblem, match="in the way"):
        inventory.check_free(path)
    inventory.remove(path)
    assert path.exists()
    path.write_text("# Written by `remediate lab up --name prod`; …\n")
    inventory.check_free(path)
    inventory.remove(path)
    inventory.remove(path)
    assert not path.exists()


def test_ids_of_64_bits_stay_whole() -> None:
    assert gateway.hex_id("12191365342008540644") == "a9306e2f996d7de4"


@pytest.mark.parametrize(("path", "more"), [("/bin:/usr/sbin", ""), ("/bin", ", and add /usr/sbin to PATH")])
def test_a_missing_tool_is_named_with_its_package(
    path: str, more: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", path)
    with pytest.raises(UsageProblem) as problem:
        host.require_tools(["sh-that-is-not-there", "sh"], packages={"sh-that-is-not-there": "dash"})
    assert problem.value.exit_code == 2
    assert str(problem.value) == f"missing on this machine: sh-that-is-not-there (apt-get install dash{more})"


def test_a_failing_program_is_told_in_its_own_words() -> None:
    with pytest.raises(ChangeFailed, match="cat: /nowhere: No such file"):
        host.run("cat", "/nowhere")
    with pytest.raises(ChangeFailed, match=r"no end after 0\.1 s"):
        host.run("sleep", "5", timeout=0.1)
