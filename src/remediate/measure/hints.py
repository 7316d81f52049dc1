"""How to install a program that a measurement needs, in the words of the node's own distribution."""

from __future__ import annotations

_INSTALL = {
    "debian": "apt-get install {}",
    "ubuntu": "apt-get install {}",
    "fedora": "dnf install {}",
    "rhel": "dnf install {}",
    "centos": "dnf install {}",
    "amzn": "dnf install {}",
    "suse": "zypper install {}",
    "opensuse": "zypper install {}",
    "alpine": "apk add {}",
    "arch": "pacman -S {}",
}
"""Command by the identifiers of os-release(5), `ID` or a word of `ID_LIKE`."""

_IMAGE_BASED = ("rhcos", "coreos", "flatcar", "talos", "bottlerocket")
"""Distributions whose root file system is not for installing into; Fedora CoreOS says so in VARIANT_ID only."""

_PACKAGES = {"ping": {"debian": "iputils-ping", "ubuntu": "iputils-ping", "": "iputils"}}
"""Package by program and distribution, where it is not called as the program is."""


def how_to_install(program: str, identifiers: str) -> str:
    """Say how to get a program onto a node.

    Args:
        program: `fio`, `iperf3`, `ping`, `curl`.
        identifiers: `ID` and the words of `ID_LIKE` from the node's os-release, in that order.

    Returns:
        One advice: `apt-get install fio`; a general one where the distribution is not known.
    """
    words = [word.strip('"') for word in identifiers.lower().split()]
    if any(word in _IMAGE_BASED for word in words):
        return f"make {program} available on the host, for example through a toolbox container"
    for word in words:
        if word in _INSTALL:
            return _INSTALL[word].format(_package(program, word))
    return f"install {_package(program, '')} with the node's package manager"


def _package(program: str, distribution: str) -> str:
    names = _PACKAGES.get(program, {})
    return names.get(distribution, names.get("", program))
