"""The preludes' shell functions, in every POSIX shell that is at hand."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import remediate.facts

PRELUDE = Path(remediate.facts.__file__).parent / "prelude"
MOUNTS = Path(__file__).parents[2] / "data" / "etcd" / "mounts"
SHELLS = [shell for shell in ("dash", "bash --posix", "busybox sh") if shutil.which(shell.split()[0])]

Run = Callable[..., list[str]]


@pytest.fixture(params=SHELLS)
def run(request: pytest.FixtureRequest) -> Run:
    """Runs text behind the preludes; its output by line. Nothing may appear on standard error."""

    def script(text: str, *args: str) -> list[str]:
        pieces = [(PRELUDE / f"{name}.sh").read_text() for name in ("etcd", "etcdctl", "disk", "threads")]
        command = [*request.param.split(), "-s", *args]
        done = subprocess.run(
            command, input="\n".join([*pieces, text]), capture_output=True, text=True, timeout=20, check=False
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    return script


@pytest.mark.parametrize(
    ("urls", "url"),
    [
        ("https://10.0.0.1:2379,https://127.0.0.1:2379", "https://127.0.0.1:2379"),
        ("https://10.0.0.1:2379,https://localhost:2379", "https://localhost:2379"),
        ("https://10.0.0.1:2379,https://10.0.0.2:2379", "https://10.0.0.1:2379"),
        ("http://0.0.0.0:2379", "http://127.0.0.1:2379"),
        ("http://[::]:2379", "http://[::1]:2379"),
        ("unix://x,https://10.0.0.1:2379/", "https://10.0.0.1:2379"),
    ],
)
def test_the_url_that_this_node_can_ask(run: Run, urls: str, url: str) -> None:
    assert run('etcd_local_url "$1"; echo "$e_first"', urls) == [url]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["etcd", "--data-dir=/a", "--data-dir=/b c"], "/b c|"),
        (["etcd", "--pre-vote", "--data-dir", "/a", "--wal-dir", "/w"], "/a|/w"),
        (["etcd", "-data-dir=/a=b"], "/a=b|"),
        (["etcd", "--initial-cluster=a=http://*", "--data-dir=/*"], "/*|"),
    ],
)
def test_settings_of_a_command_line(run: Run, words: list[str], found: str) -> None:
    text = "e_args=$(printf '%s\\n' \"$@\"); e_wal_dir=''; set -f; IFS=$etcd_nl; etcd_from_args; unset IFS"
    assert run(f'{text}; echo "$e_data_dir|$e_wal_dir"', *words) == [found]


def test_settings_of_the_environment(run: Run) -> None:
    text = (
        "e_env='ETCD_DATA_DIR=/d\nETCD_QUOTA_BACKEND_BYTES=5\nHOME=/x\nETCD_LISTEN_CLIENT_URLS=https://a:1'\n"
        'IFS=$etcd_nl; etcd_from_env; unset IFS; echo "$e_data_dir $e_quota $e_listen"'
    )
    assert run(text) == ["/d 5 https://a:1"]


def test_settings_of_a_configuration_file(run: Run, tmp_path: Path) -> None:
    """As RKE2 writes it."""
    file = tmp_path / "config"
    file.write_text(
        "advertise-client-urls: https://10.0.0.1:2379\n"
        "client-transport-security:\n"
        "  cert-file: /tls/server-client.crt\n"
        "  client-cert-auth: true\n"
        "  key-file: '/tls/server-client.key'\n"
        "  trusted-ca-file: /tls/server-ca.crt\n"
        "data-dir: /var/lib/rancher/rke2/server/db/etcd\n"
        "listen-client-urls: https://127.0.0.1:2379,https://10.0.0.1:2379\n"
        "listen-metrics-urls: http://127.0.0.1:2381\n"
        "peer-transport-security:\n"
        "  cert-file: /tls/peer.crt\n"
        "  trusted-ca-file: /tls/peer-ca.crt\n"
        "snapshot-count: 10000"
    )
    text = 'etcd_from_file "$1"; echo "$e_cert $e_key $e_ca"; echo "$e_data_dir"; echo "$e_listen $e_metrics"'
    assert run(text, str(file)) == [
        "/tls/server-client.crt /tls/server-client.key /tls/server-ca.crt",
        "/var/lib/rancher/rke2/server/db/etcd",
        "https://127.0.0.1:2379,https://10.0.0.1:2379 http://127.0.0.1:2381",
    ]


def test_lines_are_printed_as_they_are(run: Run) -> None:
    assert run('etcd_print "a  *\n\n@x\n\\n"') == [":a  *", ":", ":@x", ":\\n"]


def test_a_process_is_shown_without_what_may_be_secret(run: Run) -> None:
    text = (
        'eval "etcd_pids=$$ etcd_ticks_$$=7 etcd_name_$$=etcd"\n'
        "eval \"etcd_args_$$='etcd\n--data-dir=/d\n\n--name=a\001b' "
        "etcd_env_$$='HOME=/root\nETCD_NAME=a b\nETCD_ROOT_PASSWORD=x\nETCD_MY_SECRET=y\nTOKEN=z'\"\n"
        "etcd_show"
    )
    head, *rest = run(text)
    assert head.startswith("@server ")
    assert rest == [
        *("@ticks 7", "@root ", "@argv", ":etcd", ":--data-dir=/d", ":", ":--name=a\x01b"),
        *("@env", ":ETCD_NAME=a b"),
    ]


@pytest.mark.parametrize(
    ("files", "pair"),
    [
        (
            ["ca.crt", "healthcheck-client.crt", "healthcheck-client.key", "client.crt", "client.key"],
            "healthcheck-client",
        ),
        (["ca.pem", "admin-n1.pem", "admin-n1-key.pem", "member-n1.pem", "member-n1-key.pem"], "admin-n1"),
        (["server-ca.crt", "client.crt", "client.key"], "client"),
        (["ca.crt", "server.crt", "server.key"], "server"),
        (["ca.crt", "healthcheck-client.crt", "server.crt", "server.key"], "server"),
    ],
)
def test_which_client_certificate(run: Run, tmp_path: Path, files: list[str], pair: str) -> None:
    for name in files:
        (tmp_path / name).write_text("x")
    text = 'e_root= e_ca=$1/ca e_cert=$1/server.crt e_key=$1/server.key; etcd_certs; echo "$e_client $e_client_key"'
    (found,) = run(text, str(tmp_path))
    client, key = found.split()
    assert Path(client).name in (f"{pair}.crt", f"{pair}.pem")
    assert Path(key).name in (f"{pair}.key", f"{pair}-key.pem")


ID = "062e1a39126202a502041925d6cebb96d10878a854859cdb0388aaa2186a257f"


@pytest.mark.parametrize(
    "group",
    [
        f"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1f_2.slice/cri-containerd-{ID}.scope",
        f"9:name=systemd:/kubepods/burstable/pod1f2c/{ID}",
        f"0::/kubepods.slice/kubepods-pod1.slice/crio-{ID}.scope/container",
        f"0::/machine.slice/libpod-{ID}.scope",
        f"4:memory:/docker/{ID}",
        f"0::/system.slice/docker-{ID}.scope",
        f"0::/system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:{ID}",
    ],
)
def test_a_containers_id_is_in_its_cgroup(run: Run, group: str) -> None:
    text = f"etcd_container_id <<X\n8:pids:/\n{group}\n1:cpu:/\nX\n" + 'echo "$e_id"; echo "$e_groups"'
    assert run(text) == [ID, group]


def test_a_unit_has_no_container_id(run: Run) -> None:
    assert run('etcd_container_id <<X\n0::/system.slice/etcd.service\nX\necho "<$e_id>"') == ["<>"]


SHOW = 'echo "$k_path $k_type $k_point $k_mm $k_root"'


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        ("/var/lib/etcd", "/var/lib/etcd xfs /var/lib/etcd 7:7 /"),
        ("/var/lib/etcd/member", "/var/lib/etcd/member xfs /var/lib/etcd 7:7 /"),
        ("/var/lib/etcd2", "/var/lib/etcd2 overlay / 0:105 /"),
        ("/", "/ overlay / 0:105 /"),
        ("/run/host/os-release", "/run/host/os-release ext4 /run/host/os-release 254:0 /usr/lib/os-release"),
    ],
)
def test_the_mount_that_a_path_lies_on(run: Run, path: str, mount: str) -> None:
    assert run(f'disk_mount "$(cat "$1")" "$2"; {SHOW}', str(MOUNTS / "lab-host.txt"), path) == [mount]


CONTAINER = """\
1 0 0:50 / / rw - overlay overlay rw
2 1 8:1 /var/lib/etcd /var/lib/etcd rw - ext4 /dev/sda1 rw
3 1 8:17 /events/data /var/lib/events rw - xfs /dev/sdb1 rw
"""
HOST = """\
20 1 8:1 / / rw - ext4 /dev/sda1 rw
21 20 8:17 / /mnt/fast\\040disk rw shared:1 - xfs /dev/sdb1 rw
22 20 8:17 /events /srv/events rw shared:1 master:2 - xfs /dev/sdb1 rw
23 20 0:50 / /run/containers/x/rootfs rw - overlay overlay rw
"""


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        ("/var/lib/etcd", "/var/lib/etcd ext4 / 8:1 /"),
        ("/var/lib/events/member", "/srv/events/data/member xfs /srv/events 8:17 /events"),
        ("/default.etcd", "/run/containers/x/rootfs/default.etcd overlay /run/containers/x/rootfs 0:50 /"),
    ],
)
def test_where_a_containers_data_lies_on_the_host(run: Run, path: str, mount: str) -> None:
    assert run(f'k_table=$3; disk_on_host "$1" "$2"; {SHOW}', path, CONTAINER, HOST) == [mount]


def test_a_containers_data_on_a_disk_of_the_lab(run: Run) -> None:
    tables = [str(MOUNTS / "lab-host.txt"), str(MOUNTS / "lab-container.txt")]
    text = f'k_table=$(cat "$1"); disk_on_host /var/lib/etcd "$(cat "$2")"; {SHOW}'
    assert run(text, *tables) == ["/var/lib/etcd xfs /var/lib/etcd 7:7 /"]


def test_no_mount_for_no_table(run: Run) -> None:
    assert run(f'disk_mount "" /x; {SHOW}') == ["/x    "]


def test_processes_by_their_exact_names(run: Run, tmp_path: Path) -> None:
    names = ("re.m ed", "rexm ed", "re.m")
    started = []
    try:
        for name in names:
            program = tmp_path / name
            shutil.copy("/bin/sleep", program)
            started.append(subprocess.Popen([str(program), "20"]))
        pids = [str(process.pid) for process in started]
        assert run('etcd_named "re.m ed"; echo $e_these') == [pids[0]]
        assert sorted(run('etcd_named "re.m ed" rexm re.m; echo $e_these')[0].split()) == sorted(
            [pids[0], pids[2]]
        )
        assert run("etcd_named '*'; echo $e_these") == [""]
    finally:
        for process in started:
            process.kill()
            process.wait()
