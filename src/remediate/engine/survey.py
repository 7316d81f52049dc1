"""Measure every cluster and say what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping

from remediate.diagnosis import diagnose
from remediate.engine import gates
from remediate.engine.events import Found, Measuring, Note, Observer
from remediate.engine.look import Look
from remediate.engine.setup import Options
from remediate.engine.world import Fleet, World
from remediate.errors import Refused, RemediateError
from remediate.etcd.assemble import gate_facts
from remediate.etcd.model import Cluster, EtcdHost
from remediate.measure.campaign import MeasureOptions, measure
from remediate.measure.model import Measurements
from remediate.node.api import Clock, Node
from remediate.node.parallel import each


def survey(
    world: World,
    fleet: Fleet,
    options: Options,
    clock: Clock,
    observer: Observer,
    run: str,
    *,
    measured: bool,
) -> tuple[Look, ...]:
    """One look at every cluster: measured side by side where asked, diagnosed, and told to the observer."""
    clusters = {cluster.name: cluster for cluster in world.clusters() if not _refused(world, cluster)}

    def one(name: str) -> Look:
        cluster = clusters[name]
        taken = _measure(cluster, world, fleet, options, clock, observer, run) if measured else Measurements()
        return Look(cluster, taken, diagnose(cluster, taken))

    answers = each(tuple(clusters), one, options.forks)
    looks = tuple(_told(clusters[name], answer, observer) for name, answer in answers.items())
    for look in looks:
        world.measured[look.cluster.name] = look.measured
        observer.on(Found(look.cluster.name, look.findings))
    return looks


def _refused(world: World, cluster: Cluster) -> bool:
    """No host of it let itself be read: all that is known are names of the inventory, and no word on etcd is true."""
    return all(isinstance(world.error(host.host), Refused) for host in cluster.hosts)


def _told(cluster: Cluster, answer: Look | RemediateError, observer: Observer) -> Look:
    """A cluster that could not be measured is diagnosed all the same."""
    if isinstance(answer, Look):
        return answer
    observer.on(Note(f"cluster {cluster.name} could not be measured: {answer}", warning=True))
    return Look(cluster, Measurements(), diagnose(cluster, Measurements()))


def _measure(
    cluster: Cluster, world: World, fleet: Fleet, options: Options, clock: Clock, observer: Observer, run: str
) -> Measurements:
    nodes: Mapping[str, Node] = {
        member.host: fleet.node(member.host) for member in cluster.hosts if world.knows(member.host)
    }
    wanted = MeasureOptions(
        run=run, fio=options.fio, iperf3=options.iperf3, probe_writes=options.probe_writes
    )

    def tell(what: str, host: str, progress: float | None = None, detail: str = "") -> None:
        observer.on(Measuring(what, host, progress, detail))

    def closed(member: EtcdHost) -> str | None:
        return _unfit(world, fleet, cluster, member)

    return measure(cluster, nodes, wanted, clock, tell, gate=closed)


def _unfit(world: World, fleet: Fleet, cluster: Cluster, member: EtcdHost) -> str | None:
    """Why this member must not be put under load now: were it lost, the others would make no quorum."""
    hosts = tuple(dict.fromkeys(host.host for host in cluster.hosts))
    world.learn(fleet.look({host: gate_facts() for host in hosts}, quiet=True))
    place = world.instance(member.host, member.instance)
    if place is None or place[1].process is None:
        return None  # nothing runs there that load could disturb
    now = gates.moment(place[0])
    start = gates.Moment(now.term, 0) if now else None  # hosts answer in turn: one look cannot tell who lags
    checks = gates.before(*place, gates.baseline(cluster), start, allow_outage=False)
    return None if gates.passed(checks) else gates.refusals(checks)
