"""Measure every cluster and say what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping

from remediate.diagnosis import diagnose
from remediate.engine.events import Found, Measuring, Note, Observer
from remediate.engine.look import Look
from remediate.engine.setup import Options
from remediate.engine.world import Fleet, World
from remediate.errors import RemediateError
from remediate.etcd.model import Cluster
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
    clusters = {cluster.name: cluster for cluster in world.clusters()}

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

    return measure(cluster, nodes, wanted, clock, tell)
