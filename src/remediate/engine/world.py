"""What the run knows: the last look at every host, the clusters it shows, and the connections to look again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from remediate.engine.events import Looked, Looking, Observer
from remediate.errors import RemediateError
from remediate.etcd.assemble import assemble, clusters, etcd_facts
from remediate.etcd.model import Cluster, EtcdHost
from remediate.facts.base import Fact, Seen
from remediate.facts.cluster import ClusterSeen, ClusterView
from remediate.facts.look import look
from remediate.inventory import Host
from remediate.measure.model import Measurements
from remediate.node.api import Clock, Node
from remediate.node.parallel import each

Connect = Callable[[Host], Node]


class Fleet:
    """The connections of one run; one exec per host and look."""

    def __init__(
        self, hosts: Mapping[str, Host], connect: Connect, clock: Clock, observer: Observer, forks: int
    ) -> None:
        self._hosts, self._connect, self._clock = hosts, connect, clock
        self._observer, self._forks = observer, forks
        self._nodes: dict[str, Node] = {}

    def node(self, host: str) -> Node:
        """The connection to a host, opened when it is first needed. Raises Unreachable."""
        if host not in self._nodes:
            self._nodes[host] = self._connect(self._hosts[host])
        return self._nodes[host]

    def look(
        self, wanted: Mapping[str, Sequence[Fact[Any]]], *, last: bool = False, quiet: bool = False
    ) -> dict[str, Seen | RemediateError]:
        """Read facts on many hosts at once.

        Args:
            wanted: facts by host.
            last: nothing more will be asked of these hosts: each connection is closed as soon as it answered.
            quiet: the observer is not told (gates look many times).
        """
        if not quiet:
            self._observer.on(Looking(tuple(wanted)))

        def one(host: str) -> Seen:
            started = self._clock.now()
            error = ""
            try:
                return look(self.node(host), wanted[host])
            except RemediateError as problem:
                error = str(problem).removeprefix(f"{host}: ")  # the observer names the host
                raise
            finally:
                if last:
                    self.close([host])
                if not quiet:
                    self._observer.on(Looked(host, self._clock.now() - started, error))

        return each(tuple(wanted), one, self._forks)

    def close(self, hosts: Iterable[str] | None = None) -> None:
        """Close these connections, or all."""
        for host in tuple(self._nodes if hosts is None else hosts):
            node = self._nodes.pop(host, None)
            if node is not None:
                node.close()


class World:
    """All that is known of the hosts now. Threads of different clusters write different hosts."""

    def __init__(self, variables: Mapping[str, Mapping[str, Any]]) -> None:
        self.variables = variables
        self.measured: dict[str, Measurements] = {}
        self._seen: dict[str, Seen] = {}
        self._errors: dict[str, RemediateError] = {}
        self._clusters: tuple[Cluster, ...] | None = None

    def learn(self, answers: Mapping[str, Seen | RemediateError]) -> None:
        """Take what a look brought."""
        self._clusters = None
        for host, answer in answers.items():
            if isinstance(answer, RemediateError):
                self._errors[host] = (
                    answer  # older facts stay: a gate's hurried look must not make them forgotten
                )
            else:
                self._errors.pop(host, None)
                self._seen[host] = self._seen.get(host, answer).merged(answer)
        self._clusters = None  # again: another thread may have derived them meanwhile

    def error(self, host: str) -> RemediateError | None:
        """Why a host could not be looked at."""
        return self._errors.get(host)

    def knows(self, host: str) -> bool:
        """Whether the host answered."""
        return host in self._seen and host not in self._errors

    def etcd_hosts(self) -> tuple[EtcdHost, ...]:
        """Every etcd instance; a host that does not answer is one whose state is unknown."""
        found: list[EtcdHost] = []
        for host, variables in self.variables.items():
            if host in self._errors:
                found.append(EtcdHost(host, "etcd", variables, status_error=str(self._errors[host])))
            elif host in self._seen:
                found += assemble(self._seen[host], variables, host)
        return tuple(found)

    def clusters(self) -> tuple[Cluster, ...]:
        """The clusters that the last look shows."""
        found = self._clusters
        if found is None:
            found = self._clusters = clusters(self.etcd_hosts())
        return found

    def instance(self, host: str, instance: str) -> tuple[Cluster, EtcdHost] | None:
        """An instance and its cluster as last seen; None where it is not known."""
        for cluster in self.clusters():
            for member in cluster.hosts:
                if (member.host, member.instance) == (host, instance):
                    return cluster, member
        return None

    def seen(self, host: str) -> Seen:
        """A host's facts, with the view of its cluster."""
        seen = self._seen[host]
        for cluster in self.clusters() if etcd_facts()[0] in seen else ():
            own = tuple(member for member in cluster.hosts if member.host == host)
            if own:
                view = ClusterView(cluster, own, self.measured.get(cluster.name))
                return seen.merged(Seen(host, {ClusterSeen(): view}))
        return seen

    def predict(self, host: str, facts: Mapping[Fact[Any], Any]) -> World:
        """The same world after a change is made on one host."""
        other = World(self.variables)
        other.measured, other._errors = self.measured, self._errors
        other._seen = {**self._seen, host: self._seen[host].merged(Seen(host, facts))}
        return other
