"""Advice in the words of the node's distribution."""

import pytest

from remediate.measure.hints import how_to_install


@pytest.mark.parametrize(
    ("program", "identifiers", "advice"),
    [
        ("fio", "debian ", "apt-get install fio"),
        ("ping", "ubuntu debian", "apt-get install iputils-ping"),
        ("ping", "rocky rhel centos fedora", "dnf install iputils"),
        ("iperf3", "sles suse", "zypper install iperf3"),
        ("curl", "alpine", "apk add curl"),
        ("fio", '"opensuse-leap" suse opensuse', "zypper install fio"),
        ("fio", "fedora coreos", "make fio available on the host, for example through a toolbox container"),
        ("iperf3", "", "install iperf3 with the node's package manager"),
        ("fio", "nixos", "install fio with the node's package manager"),
    ],
)
def test_advice(program: str, identifiers: str, advice: str) -> None:
    assert how_to_install(program, identifiers) == advice
