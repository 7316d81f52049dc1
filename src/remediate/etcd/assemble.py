"""From one host's facts to its etcd instances, and from hosts to clusters. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from remediate.etcd.flags import flags_of
from remediate.etcd.model import Cluster, EtcdHost, EtcdProcess, FlagFile, Layout, ManifestFile
from remediate.facts.base import Fact, Seen
from remediate.facts.disk import DataDisks
from remediate.facts.etcd import CompactRevKey, EtcdAnswer, EtcdApi, EtcdProcesses
from remediate.facts.manifests import FlagFiles, StaticPods
from remediate.facts.system import ApiServer, System
from remediate.facts.threads import ProcessThreads

T = TypeVar("T")

CLUSTER_VARIABLE = "remediate_cluster"
"""Names the cluster of a host in the inventory; the only way to tell for sure where etcd is down."""


def etcd_facts() -> tuple[Fact[Any], ...]:
    """What `assemble` wants to know about a host."""
    return (
        EtcdProcesses(),
        StaticPods(),
        FlagFiles(),
        EtcdApi(),
        CompactRevKey(),
        DataDisks(),
        ProcessThreads(),
        System(),
        ApiServer(),
    )


def gate_facts() -> tuple[Fact[Any], ...]:
    """What health gates read again: far less than a whole look."""
    return EtcdProcesses(), EtcdApi(), ApiServer()


def assemble(seen: Seen, variables: Mapping[str, object], host: str) -> tuple[EtcdHost, ...]:
    """The etcd instances of one host, main one first; empty where nothing on it speaks of etcd.

    Args:
        seen: a look with the facts of `etcd_facts()`; what is unknown in it stays empty.
        variables: the host's inventory variables.
        host: the inventory's name.

    A host without process, manifest or data is an instance all the same where `remediate_cluster` says so.
    """
    processes = _rows(seen, EtcdProcesses())
    manifests = [file for file in _rows(seen, StaticPods()) if not file.hidden]
    owners = {process.instance: _manifests_of(process, manifests) for process in processes}
    claimed = {file.path for files in owners.values() for file in files}
    for file in manifests:
        if file.path not in claimed:
            owners.setdefault(file.instance or "etcd", []).append(file)
    if not owners and _speaks_of_etcd(seen, variables):
        owners["etcd"] = []
    names = sorted(owners, key=lambda name: (name != "etcd", name))
    return tuple(_host(seen, variables, host, name, owners[name]) for name in names)


def _speaks_of_etcd(seen: Seen, variables: Mapping[str, object]) -> bool:
    system = seen.known(System())
    return CLUSTER_VARIABLE in variables or bool(system and system.etcd_data)


def _manifests_of(process: EtcdProcess, manifests: Iterable[ManifestFile]) -> list[ManifestFile]:
    """Files of this name, and a pod of another name that uses the same data folder; a broken file is the main one's."""
    names = {process.instance, ""} if process.instance == "etcd" else {process.instance}
    data_dir = flags_of(process.argv, process.environment).get("data-dir")
    return [
        file
        for file in manifests
        if file.instance in names or (process.root and _written(file).get("data-dir", "") == data_dir)
    ]


def _written(file: ManifestFile) -> dict[str, str]:
    """The flags that a manifest names, whatever its shape."""
    words = (line.strip().removeprefix("- ").strip("\"'") for line in file.text.splitlines())
    return flags_of(["etcd", *(word for word in words if word.startswith("--"))])


def _host(
    seen: Seen, variables: Mapping[str, object], host: str, name: str, manifests: list[ManifestFile]
) -> EtcdHost:
    process = _of(_rows(seen, EtcdProcesses()), name)
    answer = _answer(seen, name, process)
    compact = _of(_rows(seen, CompactRevKey()), name)
    priority = _of(_rows(seen, ProcessThreads()), name)
    system = seen.known(System())
    flag_file = None if manifests else _flag_file(_rows(seen, FlagFiles()), name, process)
    return EtcdHost(
        host=host,
        instance=name,
        variables=variables,
        process=process,
        status=answer.status,
        status_error=answer.error,
        layout=_layout(manifests, flag_file),
        manifests=tuple(manifests),
        flag_file=flag_file,
        disk=_of(_rows(seen, DataDisks()), name),
        threads=priority.threads if priority else (),
        compact_rev_key=compact.alive if compact else None,
        apiserver_ready=seen.known(ApiServer()),
        machine_id=system.machine_id if system else "",
    )


def _rows(seen: Seen, fact: Fact[tuple[T, ...]]) -> tuple[T, ...]:
    return seen.known(fact) or ()


def _of(values: Iterable[T], instance: str) -> T | None:
    return next((value for value in values if getattr(value, "instance", None) == instance), None)


def _answer(seen: Seen, name: str, process: EtcdProcess | None) -> EtcdAnswer:
    why = seen.why_unknown(EtcdApi())
    if why is not None:
        return EtcdAnswer(name, error=why)
    silent = "no answer" if process else "no etcd process runs"
    return _of(_rows(seen, EtcdApi()), name) or EtcdAnswer(name, error=silent)


def _flag_file(files: Iterable[FlagFile], name: str, process: EtcdProcess | None) -> FlagFile | None:
    """The file whose settings the live environment shows most of; where nothing runs, the first that is there."""
    live = process.environment if process else {}
    mine = [file for file in files if file.instance == name]
    return max(mine, key=lambda file: sum(f"{k}={v}" in file.text for k, v in live.items()), default=None)


def _layout(manifests: Iterable[ManifestFile], flag_file: FlagFile | None) -> Layout:
    first = next(iter(manifests), None)
    if first is None:
        return flag_file.layout if flag_file else Layout.UNKNOWN
    if first.path.startswith("/var/lib/rancher/rke2/"):
        return Layout.RKE2
    if "openshift" in first.text:
        return Layout.OPENSHIFT
    return Layout.STATIC_POD


def clusters(hosts: Iterable[EtcdHost]) -> tuple[Cluster, ...]:
    """Group instances into clusters, by name.

    Instances that answer belong together by cluster ID (and by `remediate_cluster` where the inventory says it: two
    clusters that were made alike have one ID). One that is down goes where `remediate_cluster` says, else to the one
    cluster whose member list names it, else to the one cluster that it was a member of, else it stands alone.
    """
    hosts = tuple(hosts)
    groups: dict[tuple[int, str], list[EtcdHost]] = {}
    for host in hosts:
        if host.status:
            groups.setdefault((host.status.cluster_id, _wish(host)), []).append(host)
    answering = {key: Cluster("", tuple(found)) for key, found in groups.items()}
    for host in hosts:
        if not host.status:
            groups.setdefault(_home(host, answering), []).append(host)
    return tuple(sorted((_cluster(key, found) for key, found in groups.items()), key=lambda c: c.name))


def _wish(host: EtcdHost) -> str:
    """A second instance of a host is another cluster than the main one."""
    name = str(host.variables.get(CLUSTER_VARIABLE, ""))
    return f"{name}/{host.instance}" if name and host.instance != "etcd" else name


def _home(host: EtcdHost, answering: Mapping[tuple[int, str], Cluster]) -> tuple[int, str]:
    """The group of a silent host; only clusters that answer have a member list."""
    wish = _wish(host)
    if wish:
        return next((key for key in answering if key[1] == wish), (0, wish))
    listed = [key for key, cluster in answering.items() if _lists(cluster, host)]
    homes = listed or [key for key, cluster in answering.items() if was_member(cluster, host)]
    return homes[0] if len(homes) == 1 else (0, host.name)


def was_member(cluster: Cluster, host: EtcdHost) -> bool:
    """Whether a silent host was removed from a cluster: its configuration names peers, the member list not it."""
    if host.status or _lists(cluster, host):
        return False
    words = _configured(host).get("initial-cluster", "").split(",")
    named = {url for _, _, url in (word.partition("=") for word in words)}
    return any(named & set(member.peer_urls) for member in cluster.members)


def _lists(cluster: Cluster, host: EtcdHost) -> bool:
    """Whether the member list names this host: by its configured peer URL, else by name or address."""
    own = _configured(host)
    urls = {url for member in cluster.members for url in member.peer_urls}
    if "initial-advertise-peer-urls" in own:
        return bool(urls & set(own["initial-advertise-peer-urls"].split(",")))
    names = {own.get("name", host.host), host.host}
    addresses = {host.host, str(host.variables.get("ansible_host", host.host))}
    return host.instance == "etcd" and (
        any(member.name in names for member in cluster.members)
        or any(urlsplit(url).hostname in addresses for url in urls)
    )


def _configured(host: EtcdHost) -> dict[str, str]:
    """Flags as the process, else the manifest, has them."""
    if host.process:
        return flags_of(host.process.argv, host.process.environment)
    return _written(host.manifests[0]) if host.manifests else {}


def _cluster(key: tuple[int, str], hosts: list[EtcdHost]) -> Cluster:
    return Cluster(key[1] or f"{key[0]:x}", tuple(hosts))
