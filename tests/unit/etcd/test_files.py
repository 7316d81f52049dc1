"""Editing environment files and Rancher's config.yaml: the settings change, and nothing else."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remediate.errors import Refused
from remediate.etcd import envfile, rancher
from remediate.etcd.kubeadm import kubeadm_extra_args

KUBESPRAY = """\
# Environment file for etcd 3.5.16
ETCD_DATA_DIR=/var/lib/etcd
ETCD_ADVERTISE_CLIENT_URLS=https://10.0.0.1:2379
ETCD_HEARTBEAT_INTERVAL=250
 # ETCD_MAX_WALS=9
ETCD_INITIAL_CLUSTER=etcd1=https://10.0.0.1:2380,etcd2=https://10.0.0.2:2380

# Flannel
ETCD_NAME="etcd1"
ETCD_METRICS='basic'
"""


def test_a_setting_keeps_its_place_and_quotes() -> None:
    assert envfile.edit(KUBESPRAY, {"heartbeat-interval": "100"}, []) == KUBESPRAY.replace("=250", "=100")
    assert envfile.edit(KUBESPRAY, {"name": "n9"}, []) == KUBESPRAY.replace('"etcd1"', '"n9"')
    assert envfile.edit(KUBESPRAY, {"metrics": "extensive"}, []) == KUBESPRAY.replace(
        "'basic'", "'extensive'"
    )


def test_a_new_setting_goes_to_the_end_and_an_old_one_goes() -> None:
    assert envfile.edit(KUBESPRAY, {"max-wals": "5"}, []) == KUBESPRAY + "ETCD_MAX_WALS=5\n"
    assert envfile.edit(KUBESPRAY, {}, ["heartbeat-interval", "proxy"]) == KUBESPRAY.replace(
        "ETCD_HEARTBEAT_INTERVAL=250\n", ""
    )
    assert envfile.edit("", {"max-wals": "5"}, []) == "ETCD_MAX_WALS=5\n"


def test_a_repeated_setting_becomes_one_at_the_last_place() -> None:
    twice = "ETCD_HEARTBEAT_INTERVAL=50\n" + KUBESPRAY
    assert envfile.edit(twice, {"heartbeat-interval": "250"}, []) == KUBESPRAY


def test_line_ends_and_the_missing_last_one_stay() -> None:
    windows = KUBESPRAY.replace("\n", "\r\n")
    assert envfile.edit(windows, {"max-wals": "5"}, ["metrics"]) == (
        windows.replace("ETCD_METRICS='basic'\r\n", "") + "ETCD_MAX_WALS=5\r\n"
    )
    assert envfile.edit("ETCD_NAME=a", {"max-wals": "5"}, []) == "ETCD_NAME=a\nETCD_MAX_WALS=5"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('DAEMON_ARGS="--name=a --max-wals 5"\n', "max-wals is a flag in DAEMON_ARGS"),
        ("ETCD_NAME=a\\\nb\n", "several lines"),
        ('ETCD_NAME="a\nb"\n', "several lines"),
    ],
)
def test_environment_files_that_are_not_edited(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        envfile.edit(text, {"max-wals": "9"}, [], where="n1:/etc/etcd.env")
    assert caught.value.where == "n1:/etc/etcd.env"


def test_a_value_of_several_lines_is_refused() -> None:
    with pytest.raises(Refused, match="cannot be written"):
        envfile.edit(KUBESPRAY, {"name": "a\nETCD_FORCE_NEW_CLUSTER=true"}, [])


@given(
    value=st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=20) | st.just("a b")
)
def test_any_value_is_read_back_from_an_environment_file(value: str) -> None:
    for name in ("heartbeat-interval", "name", "metrics", "max-wals"):
        after = envfile.edit(KUBESPRAY, {name: value}, [])
        assert envfile.settings_in(after) == {**envfile.settings_in(KUBESPRAY), name: value}


K3S = """\
cluster-init: true   # the first server
etcd-arg:
  - heartbeat-interval=250
  # quota
  - "quota-backend-bytes=8589934592"
tls-san: [10.0.0.9]
"""


def test_rancher_flags_have_no_dashes() -> None:
    assert rancher.flags_in(K3S) == {"heartbeat-interval": "250", "quota-backend-bytes": "8589934592"}
    assert rancher.edit(K3S, {"heartbeat-interval": "100"}, []) == K3S.replace("=250", "=100")
    assert rancher.edit(K3S, {"max-wals": "5"}, ["heartbeat-interval"]) == K3S.replace(
        "  - heartbeat-interval=250\n", ""
    ).replace('92"\n', '92"\n  - "max-wals=5"\n')


def test_rancher_flags_with_dashes_keep_them() -> None:
    text = "etcd-arg: [--max-wals=5]\n"
    assert rancher.edit(text, {"metrics": "basic"}, []) == "etcd-arg: [--max-wals=5, --metrics=basic]\n"


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "cluster-init: true\n"])
def test_a_rancher_file_without_the_list_gets_one(text: str) -> None:
    after = rancher.edit(text, {"max-wals": "5"}, [])
    assert after == text + "etcd-arg:\n  - max-wals=5\n"
    assert rancher.edit(text, {}, ["max-wals"]) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("etcd-arg: max-wals=5\n", "expected to be a list"),
        ("etcd-arg+:\n- a=b\n", "another file"),
        ("- a\n", "no YAML mapping"),
        ("a: [\n", "no readable YAML"),
        ("etcd-arg:\n", "etcd-arg is empty"),
        ("{cluster-init: true}\n", "one flow mapping"),
    ],
)
def test_rancher_files_that_are_not_edited(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        rancher.edit(text, {"max-wals": "9"}, [], where="n1:/x")
    assert caught.value.where == "n1:/x"


def test_an_empty_list_is_left_to_a_person() -> None:
    with pytest.raises(Refused, match="nothing of etcd-arg would be left"):
        rancher.edit("etcd-arg:\n- max-wals=5\n", {}, ["max-wals"])


def test_kubeadm_keeps_what_it_is_told() -> None:
    text = kubeadm_extra_args({"heartbeat-interval": "250", "name": 'a"b'})
    assert yaml.safe_load(text)["etcd"]["local"]["extraArgs"] == [
        {"name": "heartbeat-interval", "value": "250"},
        {"name": "name", "value": 'a"b'},
    ]
