"""The lab's imitation of a kubelet: runs static pods and has the kubelet's quirks, and no API server.

It reads every file of the manifests folder whose name begins with no dot, reacts after a while, drops the pod of a
file that it cannot read, restarts what crashes with the kubelet's back-off, counts restarts, and kills what fails its
liveness probe.
"""

from __future__ import annotations

import http.client
import os
import random
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from . import pods, runtime
from .pods import Container, Probe
from .runtime import Running, StartError

MANIFESTS = Path("/etc/kubernetes/manifests")
_TICK = 0.2
_FORGET_CRASHES = 600.0  # the kubelet's back-off entry expires after twice its maximum of 300 s


class Kubelet:
    """Brings what runs to what the manifests want, one tick at a time."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._seen: object = None
        self._read_at: float | None = 0.0  # at its start a kubelet reads at once
        self._wanted: dict[str, Container] = {}
        self._containers = {one.key: one for one in runtime.load()}
        self._crashes: dict[str, tuple[int, float]] = {}
        self._not_before: dict[str, float] = {}
        self._probes: dict[str, tuple[float, Future[bool] | None]] = {}
        self._workers = ThreadPoolExecutor(max_workers=4)

    def tick(self) -> None:
        """One round: notice, read, reap, probe, stop, start."""
        now = time.time()
        self._notice(now)
        if self._read_at is not None and now >= self._read_at:
            self._read()
        before = [repr(one) for one in self._containers.values()]
        for running in list(self._containers.values()):
            self._reap(running, now)
            self._probe(running, now)
            self._stop(running)
        for container in self._wanted.values():
            self._start(container, now)
        if before != [repr(one) for one in self._containers.values()]:
            runtime.save(list(self._containers.values()))

    def _notice(self, now: float) -> None:
        seen = [(one.name, one.stat().st_ino, one.stat().st_mtime_ns, one.stat().st_size) for one in _files()]
        if seen != self._seen and self._read_at is None:
            self._read_at = now + random.uniform(0, self._delay)  # noqa: S311
        self._seen = seen

    def _read(self) -> None:
        self._read_at = None
        texts = [(one.name, one.read_text("utf-8", "backslashreplace")) for one in _files()]
        self._wanted, problems = pods.read(texts)
        for problem in problems:
            _log(problem)

    def _reap(self, running: Running, now: float) -> None:
        if running.state == "exited" or runtime.alive(running) or not runtime.ended(running):
            return
        code = runtime.show(running.unit, "ExecMainStatus")
        _log(f"container {running.key} ({running.id[:12]}) ended, status {code}")
        runtime.discard(running)
        running.state = "exited"
        self._probes.pop(running.id, None)
        wanted = self._wanted.get(running.key)
        if wanted is not None and wanted.uid == running.uid:
            count, last = self._crashes.get(running.uid, (0, now))
            self._hold_back(running.uid, 1 if now - last > _FORGET_CRASHES else count + 1, now)

    def _hold_back(self, uid: str, crashes: int, now: float) -> None:
        self._crashes[uid] = (crashes, now)
        self._not_before[uid] = now + pods.back_off(crashes)

    def _stop(self, running: Running) -> None:
        wanted = self._wanted.get(running.key)
        if running.state == "running" and (wanted is None or wanted.uid != running.uid):
            _log(f"stopping {running.key} ({running.id[:12]}): {'changed' if wanted else 'removed'}")
            running.state = "stopping"
            runtime.stop(running)
        if running.state == "exited" and wanted is None:
            del self._containers[running.key]

    def _start(self, container: Container, now: float) -> None:
        old = self._containers.get(container.key)
        if (old and old.state != "exited") or now < self._not_before.get(container.uid, 0):
            return
        attempt = old.attempt + 1 if old and old.uid == container.uid else 0
        try:
            running = runtime.start(container, attempt, now)
        except (StartError, OSError) as problem:
            self._hold_back(container.uid, max(2, self._crashes.get(container.uid, (0, now))[0] + 1), now)
            _log(f"cannot start {container.key}: {problem}")
            return
        _log(f"started {container.key} ({running.id[:12]}), attempt {attempt}")
        self._containers[container.key] = running

    def _probe(self, running: Running, now: float) -> None:
        wanted = self._wanted.get(running.key)
        if running.state != "running" or wanted is None or wanted.uid != running.uid:
            return
        probe = wanted.liveness if running.ready else wanted.startup
        if probe is None:
            running.ready = True
            return
        due, asked = self._probes.get(running.id, (running.started + probe.delay, None))
        if asked is not None and asked.done():
            self._judge(running, probe, asked.result())
            due, asked = now + probe.period, None
        elif asked is None and now >= due:
            asked = self._workers.submit(_ask, probe)
        self._probes[running.id] = (due, asked)

    def _judge(self, running: Running, probe: Probe, passed: bool) -> None:
        running.failures = 0 if passed else running.failures + 1
        running.ready = running.ready or passed
        if running.failures >= probe.failures:
            kind = "liveness" if running.ready else "startup"
            _log(f"{kind} probe of {running.key} failed {running.failures} times: killing the container")
            running.state = "stopping"
            runtime.stop(running)


def _ask(probe: Probe) -> bool:
    connection = http.client.HTTPConnection(probe.host, probe.port, timeout=probe.timeout)
    try:
        connection.request("GET", probe.path)
        return 200 <= connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _files() -> list[Path]:
    try:
        return sorted(one for one in MANIFESTS.iterdir() if one.is_file() and not one.name.startswith("."))
    except OSError:
        return []


def _log(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> None:
    """Run until killed; LAB_KUBELET_DELAY is the longest reaction to a changed manifest in seconds (kubelet: 20)."""
    kubelet = Kubelet(float(os.environ.get("LAB_KUBELET_DELAY", "20")))
    while True:
        kubelet.tick()
        time.sleep(_TICK)


if __name__ == "__main__":
    main()
