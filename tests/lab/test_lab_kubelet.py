"""The lab kubelet has the real one's quirks, on a node of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.lab.labs import RunningLab

pytestmark = pytest.mark.lab

MANIFESTS = "/etc/kubernetes/manifests"


@pytest.fixture(scope="module")
def node(lab_folder: Any) -> Iterator[RunningLab]:
    """One node with one member."""
    from tests.lab.labs import RUN

    lab = RunningLab(f"{RUN}-kubelet", lab_folder, "--nodes", "1")
    yield lab
    lab.close()


@pytest.fixture(autouse=True)
def tidy(node: RunningLab) -> Iterator[None]:
    """Every test ends with etcd's manifest alone."""
    kept = node.ssh("n1", f"cat {MANIFESTS}/etcd.yaml")
    yield
    node.ssh("n1", f"find {MANIFESTS} -type f ! -name etcd.yaml -delete")
    if node.ssh("n1", f"cat {MANIFESTS}/etcd.yaml", check=False) != kept:
        node.put("n1", f"{MANIFESTS}/etcd.yaml", kept)
    node.wait(lambda: [one["metadata"]["name"] for one in containers(node)] == ["etcd"])
    node.wait_healthy()


def containers(node: RunningLab, *options: str) -> list[dict[str, Any]]:
    """What crictl lists."""
    listed: list[dict[str, Any]] = json.loads(node.ssh("n1", f"crictl ps {' '.join(options)} -o json"))[
        "containers"
    ]
    return listed


def pod(name: str, *command: str, image: str | None = None, **more: Any) -> str:
    """A pod that runs a second etcd, or what it is told."""
    urls = ["--listen-client-urls=http://127.0.0.1:23790", "--advertise-client-urls=http://127.0.0.1:23790"]
    urls += ["--listen-peer-urls=http://127.0.0.1:23800", "--data-dir=/tmp/data"]
    container = {"name": "main", "image": image, "command": list(command) or ["etcd", *urls], **more}
    meta = {"name": name, "namespace": "kube-system"}
    return yaml.safe_dump(
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [container]}}
    )


def image(node: RunningLab) -> str:
    """The image of etcd on the node."""
    return f"localhost/etcd:{node.spec.image}"


def of(node: RunningLab, name: str, *options: str) -> list[dict[str, Any]]:
    """The containers of a pod."""
    pods = "io.kubernetes.pod.name"
    return [one for one in containers(node, *options) if one["labels"][pods] == name]


def pid(node: RunningLab) -> str:
    """etcd's process."""
    return node.ssh("n1", "pgrep -x etcd -o", check=False).strip()


def journal(node: RunningLab) -> str:
    """What the kubelet said."""
    return node.ssh("n1", "journalctl -q -o cat -u kubelet")


def test_an_edited_manifest_gets_a_new_process_with_its_flags(node: RunningLab) -> None:
    before = pid(node)
    node.ssh("n1", f"sed -i 's/snapshot-count=10000/snapshot-count=5000/' {MANIFESTS}/etcd.yaml")
    node.wait(lambda: pid(node) not in ("", before))
    assert "--snapshot-count=5000" in node.ssh("n1", f"tr '\\0' '\\n' </proc/{pid(node)}/cmdline").split("\n")
    assert of(node, "etcd")[0]["metadata"]["attempt"] == 0


def test_a_file_with_a_dot_is_not_read_any_other_name_is(node: RunningLab) -> None:
    text = pod("second", image=image(node))
    node.ssh("n1", f"cat >{MANIFESTS}/.second.yaml", stdin=text)
    node.ssh("n1", "sleep 3")
    assert of(node, "second", "-a") == []
    node.ssh("n1", f"mv {MANIFESTS}/.second.yaml {MANIFESTS}/second.yaml.bak")
    node.wait(lambda: of(node, "second"))
    node.ssh("n1", f"rm {MANIFESTS}/second.yaml.bak")
    node.wait(lambda: not of(node, "second", "-a"))


def test_an_unreadable_file_drops_its_pod_and_no_other(node: RunningLab) -> None:
    node.put("n1", f"{MANIFESTS}/second.yaml", pod("second", image=image(node)))
    node.wait(lambda: of(node, "second"))
    before = [one["id"] for one in of(node, "etcd")]
    node.put("n1", f"{MANIFESTS}/second.yaml", "kind: Pod\nspec: {containers: [\n")
    node.wait(lambda: not of(node, "second", "-a"))
    assert "second.yaml: no pod manifest" in journal(node)
    assert [one["id"] for one in of(node, "etcd")] == before


def test_of_two_files_with_one_pod_one_runs(node: RunningLab) -> None:
    text = node.ssh("n1", f"cat {MANIFESTS}/etcd.yaml")
    before = pid(node)
    node.put("n1", f"{MANIFESTS}/etcd.yaml.bak", text.replace("snapshot-count=10000", "snapshot-count=7000"))
    node.wait(lambda: pid(node) not in ("", before))
    assert len(of(node, "etcd")) == 1
    assert "--snapshot-count=7000" in node.ssh("n1", f"tr '\\0' '\\n' </proc/{pid(node)}/cmdline").split("\n")


def test_what_crashes_is_restarted_at_once_then_held_back_and_counted(node: RunningLab) -> None:
    node.put("n1", f"{MANIFESTS}/bad.yaml", pod("bad", "etcd", "--no-such-flag", image=image(node)))
    node.wait(lambda: any(one["metadata"]["attempt"] == 2 for one in of(node, "bad", "-a")), 40)
    stamp = re.compile(r"(\d+\.\d+) .*started kube-system/bad/main .* attempt (\d)")
    said = node.ssh("n1", "journalctl -q -o short-unix -u kubelet")
    times = {int(attempt): float(when) for when, attempt in stamp.findall(said)}
    assert times[1] - times[0] < 5
    assert 9 < times[2] - times[1] < 16


def test_a_killed_member_comes_back_and_its_restart_is_counted(node: RunningLab) -> None:
    before = pid(node)
    node.ssh("n1", f"kill -9 {before}")
    node.wait(lambda: pid(node) not in ("", before))
    node.wait(lambda: of(node, "etcd"))
    assert of(node, "etcd")[0]["metadata"]["attempt"] >= 1


def test_a_missing_image_starts_nothing(node: RunningLab) -> None:
    node.put("n1", f"{MANIFESTS}/second.yaml", pod("second", image="localhost/etcd:9.9.9"))
    node.wait(lambda: "ErrImagePull: no image 'localhost/etcd:9.9.9'" in journal(node))
    assert of(node, "second", "-a") == []


def test_a_failing_liveness_probe_kills_the_container(node: RunningLab) -> None:
    probe = {
        "httpGet": {"host": "127.0.0.1", "port": 9, "path": "/"},
        "periodSeconds": 1,
        "failureThreshold": 2,
    }
    node.put("n1", f"{MANIFESTS}/second.yaml", pod("second", image=image(node), livenessProbe=probe))
    node.wait(lambda: any(one["metadata"]["attempt"] for one in of(node, "second", "-a")))
    assert "liveness probe of kube-system/second/main failed 2 times" in journal(node)


def test_containers_outlive_their_kubelet(node: RunningLab) -> None:
    before = pid(node), [one["id"] for one in containers(node, "-a")]
    node.ssh("n1", "systemctl kill -s KILL kubelet && sleep 3 && systemctl is-active kubelet")
    assert (pid(node), [one["id"] for one in containers(node, "-a")]) == before


def test_a_folder_for_a_host_path_is_made_where_its_type_says_so(node: RunningLab) -> None:
    mount = {"name": "data", "mountPath": "/tmp/data"}
    manifest = yaml.safe_load(pod("second", image=image(node), volumeMounts=[mount]))
    manifest["spec"]["volumes"] = [
        {"name": "data", "hostPath": {"path": "/srv/new", "type": "DirectoryOrCreate"}}
    ]
    node.put("n1", f"{MANIFESTS}/second.yaml", yaml.safe_dump(manifest))
    node.wait(lambda: node.ssh("n1", "ls /srv/new/member", check=False))


def test_the_reaction_is_delayed(new_lab: Callable[..., RunningLab]) -> None:
    lab = new_lab("--nodes", "1", "--kubelet-delay", "20")
    assert lab.ssh("n1", "cat /etc/default/kubelet") == "LAB_KUBELET_DELAY=20\n"
    assert "remediate_deadline: 28" in lab.inventory.read_text()
