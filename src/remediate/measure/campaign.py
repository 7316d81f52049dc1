"""One side of a run's figures: what is measured where, what runs at once, and what waits for what."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from typing import Protocol, TypeVar

from remediate.errors import RemediateError
from remediate.etcd.flags import flags_of
from remediate.etcd.model import Cluster, EtcdHost
from remediate.facts.look import look
from remediate.measure.activity import Finished, keep_going, perform
from remediate.measure.fio import fio_activity, fio_latency
from remediate.measure.model import Latency, Measurements, NetworkPath, NotMeasured
from remediate.measure.network import iperf_all, peer_addresses, ping_all
from remediate.measure.puts import put_latency, puts_activity
from remediate.measure.together import together
from remediate.measure.window import EtcdMetricsWindow, LeadersSeen, MetricsWindow
from remediate.node.api import Clock, Node

V = TypeVar("V")

Gate = Callable[[EtcdHost], "str | None"]
"""Why the cluster is not fit for load on this member now; None where it is. May wait."""


_IDLE = "nothing was synced meanwhile (an idle member, or --unsafe-no-fsync); ask for --probe-writes or --fio"
_FOLDERS = re.compile(r"""(?:--|ETCD_)(data|wal)[-_]dir[= ]["']?([^\s"']+)""", re.IGNORECASE)


class Progress(Protocol):
    """Whoever wants to know how far it is; called from several threads."""

    def __call__(self, what: str, host: str, progress: float | None = None, detail: str = "") -> None:
        """`what` is `metrics`, `network`, `puts` or `fio`; progress 0…1; host is empty for the whole cluster."""


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """What is wanted beyond etcd's own metrics and ping.

    Attributes:
        run: the run's ID: names units on the nodes and the keys of the put probe.
        fio: the disk itself, although etcd runs; where it does not, fio runs anyway.
        iperf3: UDP jitter.
        probe_writes: put latency, by writing.
        window: seconds between the two scrapes of etcd's metrics.
    """

    run: str
    fio: bool = False
    iperf3: bool = False
    probe_writes: bool = False
    window: int = 10


def measure(
    cluster: Cluster,
    nodes: Mapping[str, Node],
    options: MeasureOptions,
    clock: Clock,
    tell: Progress,
    *,
    gate: Gate | None = None,
) -> Measurements:
    """Measure a cluster.

    The members' metrics, ping and the put probe go side by side: they do not disturb each other, and the puts give
    an idle cluster's disk something to be measured by. Then iperf3, then fio, one node at a time, followers first.

    Args:
        cluster: as last seen.
        nodes: connections by host name; hosts without one are left out.
        options: what is wanted.
        clock: for the seconds that `tell` reports.
        tell: told about every part.
        gate: asked before and after fio on each member; a refusal ends the fio part.

    Returns:
        What could be measured, and for the rest the reason why not. Nothing that goes wrong on a node is raised.
    """
    campaign = _Campaign(cluster, nodes, options, clock, tell, gate)
    windows, activities = together([campaign.metrics, campaign.activities])
    return _merged([*windows, *activities, *campaign.disks()])


@dataclass(frozen=True, slots=True)
class _Campaign:
    """The parts; each gives what it found as Measurements of its own."""

    cluster: Cluster
    nodes: Mapping[str, Node]
    options: MeasureOptions
    clock: Clock
    tell: Progress
    gate: Gate | None

    @property
    def hosts(self) -> list[EtcdHost]:
        """Instances on nodes that can be reached."""
        return [host for host in self.cluster.hosts if host.host in self.nodes]

    @property
    def token(self) -> str:
        """Plain word for this run's units and keys; clusters that share nodes are measured side by side."""
        cluster = hashlib.sha256(self.cluster.name.encode()).hexdigest()[:6]
        return f"{re.sub('[^a-z0-9]+', '-', self.options.run.lower()).strip('-')[:40]}-{cluster}"

    @contextmanager
    def _step(self, what: str, host: str = "") -> Iterator[None]:
        began = self.clock.now()
        self.tell(what, host, 0.0)
        yield
        self.tell(what, host, 1.0, f"{self.clock.now() - began:.1f} s")

    def metrics(self) -> list[Measurements]:
        """Every member's metrics over the same seconds."""
        with self._step("metrics"):
            jobs = [partial(self._window, name) for name in dict.fromkeys(host.host for host in self.hosts)]
            windows = dict(pair for pairs in together(jobs) for pair in pairs)
        return [_of_window(host.name, windows.get((host.host, host.instance))) for host in self.hosts]

    def _window(self, name: str) -> list[tuple[tuple[str, str], MetricsWindow]]:
        """The windows of one node's instances, by host and instance."""
        fact = EtcdMetricsWindow(self.options.window)
        mine = [host.instance for host in self.hosts if host.host == name]
        try:
            seen = look(self.nodes[name], [fact])
        except RemediateError as error:
            return [((name, instance), MetricsWindow(instance, error=str(error))) for instance in mine]
        why = seen.why_unknown(fact)
        if why is not None:
            return [((name, instance), MetricsWindow(instance, error=why)) for instance in mine]
        return [((name, window.instance), window) for window in seen[fact]]

    def activities(self) -> list[Measurements]:
        """What puts load on the cluster, one after another."""
        parts = []
        if self.options.probe_writes:
            parts.append(self.puts())
        parts.append(self.network())
        return parts

    def puts(self) -> Measurements:
        """Put latency on the leader's node; every put has to go there anyway."""
        host = next((host for host in sorted(self.hosts, key=_leads, reverse=True) if host.status), None)
        if host is None:
            return _gap("puts", self.cluster.name, "no member answers")
        activity = puts_activity(host.instance, self.token, _prelude("etcd", "etcdctl"))
        with self._step("puts", host.host):
            finished = perform(self.nodes[host.host], activity)
        found = put_latency(finished, host.name) if isinstance(finished, Finished) else finished
        return (
            Measurements(not_measured=(found,)) if isinstance(found, NotMeasured) else Measurements(put=found)
        )

    def network(self) -> Measurements:
        """The paths between the nodes."""
        addresses = peer_addresses(self.cluster)
        with self._step("network"):
            found = ping_all(self.nodes, addresses, self.token)
        if self.options.iperf3:
            with self._step("iperf3"):
                found += iperf_all(self.nodes, addresses, found, self.token)
        return Measurements(
            network=tuple(path for path in found if isinstance(path, NetworkPath)),
            not_measured=tuple(gap for gap in found if isinstance(gap, NotMeasured)),
        )

    def disks(self) -> Iterator[Measurements]:
        """fio where it is asked for or where etcd is down, one node after another; a closed gate ends it."""
        closed = None
        for host in sorted(self.hosts, key=_leads):
            if self.options.fio or host.process is None:
                closed = closed or self._closed(host)
                yield _gap("fio", host.name, f"gate: {closed}") if closed else self._disk(host)
                closed = closed or self._closed(host)

    def _closed(self, host: EtcdHost) -> str | None:
        return self.gate(host) if self.gate else None

    def _disk(self, host: EtcdHost) -> Measurements:
        folder = _log_folder(host)
        if folder is None:
            return _gap("fio", host.name, "where its data lies is not known")
        node = self.nodes[host.host]
        with self._step("fio", host.host):
            finished = perform(node, fio_activity(folder), stop=leader_watch(node, host))
        found = fio_latency(finished, host.name) if isinstance(finished, Finished) else finished
        if isinstance(found, NotMeasured):
            return Measurements(not_measured=(found,))
        return Measurements(fsync={host.name: found})


def _leads(host: EtcdHost) -> bool:
    return host.status is not None and host.status.is_leader


def _log_folder(host: EtcdHost) -> str | None:
    """Where etcd's log lies on the node; where nothing runs, what its manifest or flag file says.

    A wal dir is taken by the name that the server knows it by: manifests mount it under the same one (kubeadm).
    """
    texts = [file.text for file in host.manifests] + ([host.flag_file.text] if host.flag_file else [])
    named = {kind.lower(): path for text in texts for kind, path in _FOLDERS.findall(text)}
    if host.process:
        named["wal"] = flags_of(host.process.argv, host.process.environment).get("wal-dir", "")
    return named.get("wal") or (host.disk.data_dir if host.disk else named.get("data"))


def _of_window(name: str, window: MetricsWindow | None) -> Measurements:
    if window is None or window.fsync is None or window.commit is None or window.rates is None:
        return _gap("metrics", name, window.error if window else "no etcd process runs")
    idle = window.fsync.samples == 0
    return Measurements(
        fsync={name: window.fsync},
        commit={name: window.commit},
        leader_changes={name: window.rates.leader_changes},
        rates={name: window.rates},
        not_measured=(NotMeasured("fsync", name, _IDLE),) if idle else (),
    )


def _gap(what: str, host: str, why: str) -> Measurements:
    return Measurements(not_measured=(NotMeasured(what, host, why),))


def _prelude(*names: str) -> str:
    return "".join(
        files("remediate.facts").joinpath(f"prelude/{name}.sh").read_text("utf-8") for name in names
    )


def leader_watch(node: Node, host: EtcdHost) -> Callable[[], str | None]:
    """What stops fio on a member: its leader is not the one from before, or it does not answer any more."""
    if host.status is None:
        return keep_going
    before = _leader(node, host.instance)

    def stop() -> str | None:
        now = _leader(node, host.instance)
        if before is None or now == before:
            return None
        return "the leader changed" if now else "etcd does not answer any more"

    return stop


def _leader(node: Node, instance: str) -> tuple[bool, int] | None:
    """Whether a member has a leader, and how many it has seen; None where it does not say."""
    fact = LeadersSeen()
    try:
        return (look(node, [fact]).known(fact) or {}).get(instance)
    except RemediateError:
        return None


def _merged(parts: Iterable[Measurements]) -> Measurements:
    """All parts as one; fio's figure keeps the bucket that etcd's own metrics gave (FIELD-NOTES, thresholds).

    Where fio measured a disk, nobody is told that etcd's metrics could not.
    """
    parts = tuple(parts)
    fsync: dict[str, Latency] = {}
    for name, latency in (pair for part in parts for pair in part.fsync.items()):
        known = fsync.get(name)
        fsync[name] = replace(latency, p99_bucket_ms=known.p99_bucket_ms) if known else latency
    return Measurements(
        fsync=fsync,
        commit=_joined(part.commit for part in parts),
        put=next((part.put for part in parts if part.put), None),
        network=tuple(path for part in parts for path in part.network),
        not_measured=tuple(
            dict.fromkeys(
                gap
                for part in parts
                for gap in part.not_measured
                if gap.what != "fsync" or fsync[gap.host].source != "fio"
            )
        ),
        leader_changes=_joined(part.leader_changes for part in parts),
        rates=_joined(part.rates for part in parts),
    )


def _joined(mappings: Iterable[Mapping[str, V]]) -> dict[str, V]:
    return {name: value for mapping in mappings for name, value in mapping.items()}
