"""known_hosts as OpenSSH reads it: every case is held against `ssh-keygen -F`, the real thing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import paramiko
import pytest

from remediate.errors import Unreachable
from remediate.node.client import KnownKeysOnly
from remediate.node.known_hosts import KnownHosts, fingerprint

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPNkIxxFvLMpKX1wfLVPNm2ZQ8JtRJ4L4bC5mWkbX9mH"
OTHER = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDJ0"
HASHED = "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg="  # 192.168.1.61, from sshd(8)'s format

LINES = [
    f"n1 {KEY}",
    f"n1,n2.example,10.0.0.7 {KEY} a comment",
    f"N1.Example {KEY}",
    f"[n1]:2222 {KEY}",
    f"[n1]:2222,[10.0.0.7]:2222 {KEY}",
    f"n? {KEY}",
    f"*.example {KEY}",
    f"*.example,!n2.example {KEY}",
    f"!n1,* {KEY}",
    f"[n*]:2222 {KEY}",
    f"[n1]:* {KEY}",
    f"# n1 {KEY}",
    "n1 ssh-ed25519",
    "   ",
    f"{HASHED} {KEY}",
    f"|1|broken {KEY}",
    f"|1|%%%|%%% {KEY}",
    f"192.168.1.61 {KEY}",
]
HOSTS = [
    ("n1", 22),
    ("n2.example", 22),
    ("n1.example", 22),
    ("10.0.0.7", 22),
    ("n1", 2222),
    ("192.168.1.61", 22),
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_speaks_of_the_hosts_that_openssh_finds(line: str, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"\n{line}\n")
    known = KnownHosts.read([file])
    for host, port in HOSTS:
        name = host if port == 22 else f"[{host}]:{port}"
        found = subprocess.run(["ssh-keygen", "-F", name, "-f", file], capture_output=True, check=False)
        keys = known._named(name)
        assert bool(keys) == (found.returncode == 0), f"{name} in {line}"
        assert [key.place for key in keys] == [f"{file}:2"] * len(keys)


def test_a_host_on_an_unusual_port_may_be_listed_without_it(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"n1 {KEY}\nn2 {OTHER}\n[n2]:2222 {KEY}\n")
    known = KnownHosts.read([file])
    assert [key.line for key in known.keys("n1", 2222)] == [1]
    assert [key.line for key in known.keys("n2", 2222)] == [3]
    assert [key.line for key in known.keys("n2", 22)] == [2]


def test_marked_lines(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"@revoked n1 {KEY}\n@cert-authority n1 {KEY}\n@unknown n1 {KEY}\nn1 {OTHER}\n")
    assert [(key.line, key.revoked) for key in KnownHosts.read([file]).keys("n1", 22)] == [
        (1, True),
        (4, False),
    ]


def test_files_that_are_missing_or_no_text_know_nobody(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 9)
    known = KnownHosts.read([tmp_path / "none", tmp_path, tmp_path / "binary"])
    assert known.keys("n1", 22) == () and len(known.files) == 3


def test_a_file_that_cannot_be_read_is_told_instead_of_advice_to_add_the_key(tmp_path: Path) -> None:
    known = KnownHosts.read([tmp_path / "none", tmp_path])
    assert known.unread == (f"{tmp_path}: Is a directory",)
    policy = KnownKeysOnly(known, "n1", "10.0.0.7", 22)
    with pytest.raises(Unreachable) as told:
        policy.missing_host_key(paramiko.SSHClient(), "10.0.0.7", paramiko.RSAKey.generate(1024))
    assert f"is known cannot be told: {tmp_path}: Is a directory" in str(told.value)
    assert "ssh-keyscan" not in str(told.value)


def test_a_fingerprint_is_ssh_keygen_s(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "k"], check=True)
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / "k"], capture_output=True, text=True, check=True)
    import base64

    key = base64.b64decode((tmp_path / "k.pub").read_text().split()[1])
    assert fingerprint(key) == shown.stdout.split()[1]
