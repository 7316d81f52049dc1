"""The slow network's delays, as data: a test of the network relies on them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.lab.forwarder import DELAYS_MS, Delayer, echo_sequence, flow_of

ARP = b"\xff" * 6 + b"\x02" * 6 + b"\x08\x06" + b"\0" * 28
IPV6 = b"\xff" * 6 + b"\x02" * 6 + b"\x86\xdd" + b"\0" * 60


def ipv4(protocol: int, payload: bytes, *, source: int = 11, target: int = 12, options: bytes = b"") -> bytes:
    """An Ethernet frame with an IPv4 packet."""
    words = (20 + len(options)) // 4
    total = words * 4 + len(payload)
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, total, 0, 0, 64, protocol, 0)
    return (
        b"\x02" * 12
        + b"\x08\x00"
        + head
        + bytes((10, 213, 0, source, 10, 213, 0, target))
        + options
        + payload
    )


def echo(sequence: int, kind: int = 8, options: bytes = b"") -> bytes:
    """An ICMP echo request (8) or reply (0)."""
    return ipv4(1, struct.pack("!BBHHH", kind, 0, 0, 77, sequence) + b"x" * 48, options=options)


def udp(port: int = 5201) -> bytes:
    """A UDP packet."""
    return ipv4(17, struct.pack("!HHHH", 40000, port, 20, 0) + b"x" * 12)


@pytest.mark.parametrize(
    ("frame", "sequence"),
    [
        (echo(1), 1),
        (echo(65535, kind=0), 65535),
        (echo(7, options=b"\0" * 8), 7),
        (ipv4(1, struct.pack("!BBHHH", 3, 1, 0, 0, 9) + b"x" * 28), None),
        (udp(), None),
        (ARP, None),
        (echo(1)[:30], None),
    ],
    ids=["request", "reply", "with IP options", "unreachable", "UDP", "ARP", "truncated"],
)
def test_echo_sequence(frame: bytes, sequence: int | None) -> None:
    assert echo_sequence(frame) == sequence


@pytest.mark.parametrize("kind", [0, 8])
@pytest.mark.parametrize("sequence", [1, 2, 10, 11, 25])
def test_request_and_reply_take_half_of_their_element_each(sequence: int, kind: int) -> None:
    delay = DELAYS_MS[(sequence - 1) % len(DELAYS_MS)]
    assert Delayer().release(echo(sequence, kind), 100.0) == pytest.approx(100.0 + delay / 2000)


@pytest.mark.parametrize("frame", [ARP, IPV6], ids=["ARP", "IPv6"])
def test_what_is_no_ipv4_is_not_delayed(frame: bytes) -> None:
    assert Delayer().release(frame, 5.0) == 5.0


def test_a_flow_takes_the_elements_in_turn() -> None:
    delayer = Delayer((10, 30, 20))
    taken = [delayer.release(udp(), second) - second for second in range(5)]
    assert taken == pytest.approx([0.005, 0.015, 0.010, 0.005, 0.015])


def test_flows_do_not_disturb_each_other() -> None:
    delayer = Delayer((10, 30))
    assert flow_of(udp(1)) != flow_of(udp(2))
    assert delayer.release(udp(1), 0.0) == delayer.release(udp(2), 0.0) == 0.005


@given(st.lists(st.floats(0, 0.2), max_size=60))
def test_no_packet_overtakes_an_earlier_one_of_its_flow(pauses: list[float]) -> None:
    delayer, now, last = Delayer(), 0.0, 0.0
    for pause in pauses:
        now += pause
        when = delayer.release(udp(), now)
        assert when >= max(now, last)
        assert when <= now + max(DELAYS_MS) / 2000 or when == last
        last = when


def test_the_sequence_is_what_its_description_says() -> None:
    differences = [
        abs(after - before) for before, after in zip(DELAYS_MS, (*DELAYS_MS[1:], DELAYS_MS[0]), strict=True)
    ]
    assert sum(DELAYS_MS) / len(DELAYS_MS) == 82
    assert (round(sum(differences) / len(differences)), max(differences)) == (17, 35)
