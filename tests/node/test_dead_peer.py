"""A node that loses its power says no farewell: its network is taken away for real, in a namespace made here."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediate.errors import Unreachable
from remediate.node import client, link
from remediate.node.connector import Connector
from tests.node.conftest import Users
from tests.node.sshd import Sshd, sshd

ADDRESS = "198.18.77"
"""Of the network for benchmarks (RFC 2544), so that no real one is hidden."""


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def far(open_folder: Path, user_key: Path) -> Iterator[Sshd]:
    """An sshd in a network namespace of its own, and `far0` as the cable to it."""
    name = f"rmdt{os.getpid()}"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("address", "add", f"{ADDRESS}.1/24", "dev", name)
        _ip("link", "set", name, "up")
        for words in (["address", "add", f"{ADDRESS}.2/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
            _ip("-n", name, *words)
        with sshd(open_folder / "far", user_key, address=f"{ADDRESS}.2", namespace=name) as running:
            yield running
    finally:
        subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)
        _ip("netns", "delete", name)


def test_a_node_that_vanishes_is_noticed(
    far: Sshd, connector: Connector, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PEER_TIMEOUT", 2)
    monkeypatch.setattr(link, "KEEPALIVE", 1)
    node = connector.connect(far.settings(users.plain, address=f"{ADDRESS}.2"))
    began = time.monotonic()
    threading.Timer(0.5, _ip, ["link", "set", f"rmdt{os.getpid()}", "down"]).start()
    with pytest.raises(
        Unreachable, match=r"^n1: the connection broke while a command ran; its outcome is unknown"
    ):
        node.run("sleep 60", timeout=60)
    assert time.monotonic() - began < 15
    node.close()
