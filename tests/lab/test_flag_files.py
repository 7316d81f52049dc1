"""etcd as a plain systemd unit with an environment file, as kubespray sets it up: flags are changed there too."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from remediate.lab import images
from tests.lab.labs import RunningLab
from tests.lab.product import flags, remediate

pytestmark = pytest.mark.lab

PATH = "/etc/etcd.env"

SETTINGS = """\
# Environment file for etcd
ETCD_DATA_DIR=/var/lib/etcd
ETCD_NAME=n1

# how often a snapshot is taken
ETCD_SNAPSHOT_COUNT="10000"
ETCD_MAX_WALS=7
ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:2379
ETCD_ADVERTISE_CLIENT_URLS=http://127.0.0.1:2379
# ETCD_SNAPSHOT_COUNT=5
ETCDCTL_API=3
"""

UNIT = """\
[Unit]
Description=etcd

[Service]
Type=notify
EnvironmentFile=/etc/etcd.env
ExecStart=/usr/local/bin/etcd
Restart=always
RestartSec=10s

[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def host(new_lab: Callable[..., RunningLab]) -> RunningLab:
    """A node whose etcd is run by `etcd.service`."""
    lab = new_lab("--bare", "--nodes", "1")
    image = images.ensure("3.5", print).etcd
    assert image
    for name in ("etcd", "etcdctl"):
        program = base64.b64encode((image / "usr/bin" / name).read_bytes()).decode()
        lab.ssh("n1", f"base64 -d >/usr/local/bin/{name} && chmod 0755 /usr/local/bin/{name}", stdin=program)
    lab.put("n1", PATH, SETTINGS)
    lab.put("n1", "/etc/systemd/system/etcd.service", UNIT)
    lab.ssh("n1", "systemctl daemon-reload && systemctl enable --now etcd.service")
    return lab


def environ(lab: RunningLab) -> list[str]:
    """The live environment of etcd."""
    return lab.ssh("n1", "tr '\\0' '\\n' </proc/$(pgrep -x etcd)/environ").splitlines()


def started(lab: RunningLab) -> str:
    """PID and start time of etcd: another process has another one."""
    return lab.ssh("n1", "p=$(pgrep -x etcd); echo $p $(cut -d' ' -f22 /proc/$p/stat)").strip()


def text(lab: RunningLab) -> str:
    """The environment file."""
    return lab.ssh("n1", f"cat {PATH}")


def test_a_setting_is_changed_in_the_environment_file_and_a_second_run_changes_nothing(
    host: RunningLab, tmp_path: Path
) -> None:
    book = flags(tmp_path, "{set: {snapshot-count: 20000, max-snapshots: 9}, remove: [max-wals]}")
    before = started(host)
    refused = remediate("run", book, "-i", host.inventory, "--yes")
    assert refused.code == 4, "the only member is not restarted without a word"
    assert "--allow-outage" in refused.err + refused.out
    assert (started(host), text(host)) == (before, SETTINGS)

    done = remediate("run", book, "-i", host.inventory, "--yes", "--allow-outage", "--output", "json")
    assert done.code == 0, done.err
    assert done.document["outcome"] == "changed"
    (change,) = done.document["hosts"]["n1"]["changes"]
    assert change["state"] == "applied"
    assert '+ETCD_SNAPSHOT_COUNT="20000"' in change["diff"]
    assert text(host) == (
        SETTINGS.replace('"10000"', '"20000"').replace("ETCD_MAX_WALS=7\n", "") + "ETCD_MAX_SNAPSHOTS=9\n"
    ), "every other byte stays"
    assert host.ssh("n1", f"stat -c '%a %U:%G' {PATH}").strip() == "600 root:root"
    live = environ(host)
    assert {"ETCD_SNAPSHOT_COUNT=20000", "ETCD_MAX_SNAPSHOTS=9"} <= set(live)
    assert not [word for word in live if word.startswith("ETCD_MAX_WALS=")]

    after = started(host)
    assert after != before
    second = remediate("run", book, "-i", host.inventory, "--yes", "--output", "json")
    assert (second.code, second.document["outcome"]) == (0, "unchanged")
    assert len(second.document["hosts"]["n1"]["noops"]) == 3
    assert started(host) == after


def test_a_setting_that_the_process_does_not_have_yet_needs_only_a_restart(
    host: RunningLab, tmp_path: Path
) -> None:
    edited = SETTINGS.replace('"10000"', '"30000"')
    host.put("n1", PATH, edited)
    book = flags(tmp_path, "{set: {snapshot-count: 30000}}")
    done = remediate("run", book, "-i", host.inventory, "--yes", "--allow-outage")
    assert done.code == 0, done.err
    assert text(host) == edited
    assert "ETCD_SNAPSHOT_COUNT=30000" in environ(host)


def test_a_setting_with_which_etcd_does_not_come_up_is_undone(host: RunningLab, tmp_path: Path) -> None:
    book = flags(tmp_path, "{set: {listen-client-urls: 'http://192.0.2.1:2379'}}")
    before = started(host)
    done = remediate("run", book, "-i", host.inventory, "--yes", "--allow-outage", "--output", "json")
    assert done.code == 1
    assert done.document["hosts"]["n1"]["changes"][0]["state"] == "undone"
    assert text(host) == SETTINGS
    assert "ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:2379" in environ(host)
    assert started(host) != before
    assert host.ssh("n1", "etcdctl endpoint health 2>&1").startswith("127.0.0.1:2379 is healthy")


def test_a_process_that_no_unit_file_runs_is_refused(host: RunningLab, tmp_path: Path) -> None:
    host.ssh(
        "n1",
        "systemctl disable --now etcd && systemd-run --quiet --unit etcd-by-hand -p Type=notify "
        f"-p EnvironmentFile={PATH} /usr/local/bin/etcd",
    )
    before = started(host)
    done = remediate(
        "run",
        flags(tmp_path, "{set: {snapshot-count: 20000}}"),
        "-i",
        host.inventory,
        "--yes",
        "--allow-outage",
    )
    assert done.code == 4
    assert f"{PATH}: no unit file runs etcd" in done.err + done.out
    assert (started(host), text(host)) == (before, SETTINGS)
