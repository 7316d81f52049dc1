"""Editing a static pod's manifest: the flags change, and nothing else."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remediate.errors import Refused
from remediate.etcd.flags import flags_of
from remediate.etcd.manifest import command_of, edit

KUBEADM = """\
apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/etcd.advertise-client-urls: https://10.0.0.1:2379
  creationTimestamp: null
  name: etcd   # the only one
  namespace: kube-system
spec:
  containers:
  - command:
    - etcd
    # timers
    - --heartbeat-interval=100   # default
    - --election-timeout=1000
    - --data-dir=/var/lib/etcd
    - --initial-cluster=n1=https://10.0.0.1:2380,n2=https://10.0.0.2:2380
    - "--listen-metrics-urls=http://127.0.0.1:2381"
    - --name
    - n1
    - '--snapshot-count=10000'
    image: registry.k8s.io/etcd:3.5.16-0
    livenessProbe:
      httpGet: {host: 127.0.0.1, path: /health, port: 2381}
  hostNetwork: true
status: {}
"""


def lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that went and those that came."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return [line for line in old if line not in new], [line for line in new if line not in old]


def test_a_flag_keeps_its_place_and_its_comment() -> None:
    after = edit(KUBEADM, {"heartbeat-interval": "250"}, [])
    assert lines(KUBEADM, after) == (
        ["    - --heartbeat-interval=100   # default\n"],
        ["    - --heartbeat-interval=250   # default\n"],
    )
    assert after == KUBEADM.replace("interval=100", "interval=250")


def test_a_new_flag_goes_behind_the_last_in_its_quoting() -> None:
    after = edit(KUBEADM, {"quota-backend-bytes": "8589934592"}, [])
    assert after == KUBEADM.replace(
        "    - '--snapshot-count=10000'\n",
        "    - '--snapshot-count=10000'\n    - '--quota-backend-bytes=8589934592'\n",
    )


def test_a_flag_and_its_value_in_two_words() -> None:
    assert edit(KUBEADM, {"name": "n9"}, []) == KUBEADM.replace("    - n1\n", "    - n9\n")
    assert edit(KUBEADM, {}, ["name"]) == KUBEADM.replace("    - --name\n    - n1\n", "")


def test_what_is_as_wished_stays_to_the_byte() -> None:
    assert edit(KUBEADM, {"heartbeat-interval": "100", "name": "n1"}, ["proxy"]) == KUBEADM


def test_a_repeated_flag_becomes_one_at_the_last_place() -> None:
    twice = KUBEADM.replace("    # timers\n", "    - --heartbeat-interval=50\n    # timers\n")
    assert edit(twice, {"heartbeat-interval": "250"}, []) == KUBEADM.replace("interval=100", "interval=250")
    assert edit(twice, {}, ["heartbeat-interval"]) == KUBEADM.replace(
        "    - --heartbeat-interval=100   # default\n", ""
    )


def test_line_ends_and_the_missing_last_one_stay() -> None:
    windows = KUBEADM.replace("\n", "\r\n")
    assert edit(windows, {"max-wals": "9"}, ["election-timeout"]) == (
        windows.replace("    - --election-timeout=1000\r\n", "").replace(
            "    - '--snapshot-count=10000'\r\n", "    - '--snapshot-count=10000'\r\n    - '--max-wals=9'\r\n"
        )
    )
    ends = "spec:\n  containers:\n  - image: etcd:3.5.1\n    args:\n    - --name=a\n    - --max-wals=5"
    assert edit(ends, {}, ["max-wals"]) == ends.removesuffix("\n    - --max-wals=5")
    assert edit(ends, {"metrics": "basic"}, []) == ends + "\n    - --metrics=basic"
    assert edit(ends, {"metrics": "basic"}, ["max-wals"]) == ends.replace("--max-wals=5", "--metrics=basic")


FLOW = 'kind: Pod\nspec: {containers: [{command: ["etcd", "--name=a", "--pre-vote", "--max-wals=5"], args: []}]}\n'


@pytest.mark.parametrize(
    ("wishes", "remove", "command"),
    [
        ({"max-wals": "6"}, [], '["etcd", "--name=a", "--pre-vote", "--max-wals=6"]'),
        ({"pre-vote": "false"}, [], '["etcd", "--name=a", "--pre-vote=false", "--max-wals=5"]'),
        ({"pre-vote": "true"}, ["max-wals"], '["etcd", "--name=a", "--pre-vote"]'),
        ({}, ["name"], '["etcd", "--pre-vote", "--max-wals=5"]'),
        ({"metrics": "basic"}, ["max-wals"], '["etcd", "--name=a", "--pre-vote", "--metrics=basic"]'),
        ({"metrics": "basic"}, ["name", "pre-vote", "max-wals"], '["etcd", "--metrics=basic"]'),
    ],
)
def test_flow_lists(wishes: dict[str, str], remove: list[str], command: str) -> None:
    assert edit(FLOW, wishes, remove) == FLOW.replace(
        '["etcd", "--name=a", "--pre-vote", "--max-wals=5"]', command
    )


def test_json_is_yaml() -> None:
    text = '{"spec": {"containers": [{"command": ["/usr/bin/etcd"], "args": ["--name", "a"]}]}}'
    assert edit(text, {"max-wals": "5"}, []) == text.replace('"a"]', '"a", "--max-wals=5"]')


def test_only_the_etcd_container_is_edited() -> None:
    text = (
        "spec:\n  containers:\n  - command: [sidecar, --name=x]\n    image: etcd-backup:1\n"
        "  - args:\n    - --name=a\n    image: quay.io/coreos/etcd:v3.5.16\n"
    )
    assert command_of(text) == ("etcd", "--name=a")
    assert edit(text, {"name": "b"}, []) == text.replace("--name=a", "--name=b")


def test_an_edit_that_etcd_would_not_see_is_refused() -> None:
    """etcd reads no flag behind the first word that is none."""
    text = "spec:\n  containers:\n  - command: [etcd, --name=a, stop, --max-wals=5]\n"
    for wishes in ({"max-wals": "6"}, {"metrics": "basic"}):
        with pytest.raises(Refused, match="without changing more than its flags"):
            edit(text, wishes, [])
    assert edit(text, {"name": "b"}, []) == text.replace("=a", "=b")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "no readable YAML"),
        ("- a\n", "0 of its containers"),
        (
            KUBEADM.replace("- command:\n    - etcd\n", "- command:\n    - etcdx\n").replace("/etcd:", "/x:"),
            "0 of its",
        ),
        ("spec:\n  containers:\n  - command: [sh, -c, exec etcd --name=a]\n", "through a shell"),
        (KUBEADM.replace("  - command:\n", "  - image: etcd:1\n  - command:\n"), "2 of its containers"),
        (KUBEADM.replace("- --name\n", "- &n --name\n"), "anchor"),
        (KUBEADM.replace("    - --name\n    - n1\n", "    - |\n      --name=n1\n"), "a word on one line"),
        (KUBEADM.replace("- --name\n", "- [--name]\n"), "a word on one line"),
        (KUBEADM + "---\na: 1\n", "no readable YAML"),
        (KUBEADM.replace("    image:", "    command: [etcd]\n    image:"), "stands twice"),
        (
            KUBEADM.replace("    image:", "    env: [{name: ETCD_MAX_WALS, value: '5'}]\n    image:"),
            "ETCD_MAX_WALS",
        ),
        ("spec:\n  containers:\n  - image: etcd:1\n", "no list of flags"),
        ("spec:\n  containers:\n  - command: etcd --name=a\n    image: etcd:1\n", "containers run etcd"),
        ("spec:\n  containers:\n  - command: [etcd, # c\n     --max-wals=1]\n", "comment stands inside"),
    ],
)
def test_refusals_say_why_and_where(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        edit(
            text,
            {"max-wals": "9"} if "# c" not in text else {},
            ["max-wals"] if "# c" in text else [],
            where="n1:/x",
        )
    assert str(caught.value).startswith("n1:/x: ")


VALUES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\0"), max_size=20
) | st.sampled_from(
    [
        "",
        "#",
        " #x",
        "a: b",
        "- a",
        "null",
        "yes",
        "{}",
        "[a]",
        "'",
        '"',
        "a,b",
        "*a",
        "%a",
        "\n",
        "\r",
        "\x85",
    ]
)


@given(
    value=VALUES,
    text=st.sampled_from([KUBEADM, FLOW, KUBEADM.replace("\n", "\r\n")]),
    name=st.sampled_from(["name", "max-wals", "metrics"]),
)
def test_any_value_is_read_back_and_can_be_taken_back(value: str, text: str, name: str) -> None:
    after = edit(text, {name: value}, [])
    assert flags_of(command_of(after))[name] == value
    before = flags_of(command_of(text))
    if name in before:
        assert yaml.safe_load(edit(after, {name: before[name]}, [])) == yaml.safe_load(text)
    else:
        assert edit(after, {}, [name]) == text
