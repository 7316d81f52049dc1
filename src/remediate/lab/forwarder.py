"""A slow network in user space: carries Ethernet frames between two TAP devices and replays a fixed sequence of delays.

A kernel's netem would draw its delays at random; this gives the same known figures on every kernel.
What a packet is delayed by, so that a test can compute what it must measure:

- Each direction takes half of an element of `DELAYS_MS`, so a round trip takes one whole element.
- An ICMP echo request and its reply with sequence number k (ping begins at 1) take element (k - 1) mod length.
- Any other IPv4 flow (protocol, addresses, ports; each direction is a flow of its own) takes the elements in turn from
  its first packet on, and no packet overtakes an earlier one of its flow.
- Everything else (ARP, IPv6) is not delayed.

`python -m remediate.lab.forwarder NEAR FAR` makes both TAP devices, prints READY and runs until it is killed.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import select
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

DELAYS_MS = (70, 85, 75, 90, 80, 95, 65, 100, 78, 82)
"""Round-trip delays: average 82 ms, successive differences 17 ms on average (around the cycle) and 35 ms at most, so
the effective latency (average + largest difference: 117 ms) is above etcd's default heartbeat of 100 ms, and ten round
trips (820 ms) are below its default election timeout: the cluster is slow and works."""

_TUNSETIFF = 0x400454CA  # linux/if_tun.h
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_FRAME = 65535
_MOST_FLOWS = 4096
_ICMP, _TCP, _UDP = 1, 6, 17
_ECHO_REPLY, _ECHO_REQUEST = 0, 8


@dataclass
class Delayer:
    """Decides when a frame is passed on; pure but for its memory of flows.

    Attributes:
        delays_ms: round-trip delays in turn.
    """

    delays_ms: Sequence[int] = DELAYS_MS
    _next: dict[bytes, int] = field(default_factory=dict)
    _last: dict[bytes, float] = field(default_factory=dict)

    def release(self, frame: bytes, now: float) -> float:
        """When to pass a frame on, in the seconds of `now`."""
        echo = echo_sequence(frame)
        if echo is not None:
            return now + self._half((echo - 1) % len(self.delays_ms))
        flow = flow_of(frame)
        if flow is None:
            return now
        if len(self._next) > _MOST_FLOWS:
            self._next.clear()
            self._last.clear()
        index = self._next.get(flow, 0)
        self._next[flow] = (index + 1) % len(self.delays_ms)
        when = max(now + self._half(index), self._last.get(flow, 0.0))
        self._last[flow] = when
        return when

    def _half(self, index: int) -> float:
        return self.delays_ms[index] / 2000


def echo_sequence(frame: bytes) -> int | None:
    """The sequence number of an ICMP echo request or reply; None for any other frame."""
    start = _payload(frame)
    if start is None or frame[23] != _ICMP or frame[start] not in (_ECHO_REPLY, _ECHO_REQUEST):
        return None
    return int.from_bytes(frame[start + 6 : start + 8], "big")


def flow_of(frame: bytes) -> bytes | None:
    """What the packets of one IPv4 flow have in common: protocol, addresses and ports; None for any other frame."""
    start = _payload(frame)
    if start is None:
        return None
    ports = frame[start : start + 4] if frame[23] in (_TCP, _UDP) else b""
    return frame[23:24] + frame[26:34] + ports


def _payload(frame: bytes) -> int | None:
    """Where the payload of an IPv4 packet begins."""
    if len(frame) < 42 or frame[12:14] != b"\x08\x00":
        return None
    return 14 + (frame[14] & 0x0F) * 4


def forward(near: int, far: int) -> None:
    """Carry frames between two open TAP devices until the process ends."""
    other = {near: far, far: near}
    delayers = {near: Delayer(), far: Delayer()}
    waiting: list[tuple[float, int, int, bytes]] = []
    count = 0
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for source in select.select([near, far], [], [], timeout)[0]:
            frame = os.read(source, _FRAME)
            count += 1
            when = delayers[source].release(frame, time.monotonic())
            heapq.heappush(waiting, (when, count, other[source], frame))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, target, frame = heapq.heappop(waiting)
            _write(target, frame)


def _write(target: int, frame: bytes) -> None:
    try:
        os.write(target, frame)
    except OSError:  # the device is not up (yet): a network loses such a frame too
        return


def _tap(name: str) -> int:
    handle = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(handle, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI))
    return handle


if __name__ == "__main__":
    os.nice(-15)  # what it adds by waiting for a busy CPU would be measured as the network's
    _near, _far = _tap(sys.argv[1]), _tap(sys.argv[2])
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    forward(_near, _far)
