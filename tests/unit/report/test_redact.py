"""What may leave: no secret, and nothing that a terminal would act on."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.inventory.secret import Secret
from remediate.report.redact import escape, redact

KEY = "-----BEGIN RSA PRIVATE KEY-----\n+MIIEpAIBAAKCAQEA\n+c2VjcmV0\n+-----END RSA PRIVATE KEY-----\n+next: line"


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("password: hunter2", "hunter2"),
        ("ETCD_PASSWORD='two words'", "two words"),
        ("db-passwd=x7", "x7"),
        ("+    - --token=9a08jv.c0izixklcxtmnze7", "c0izixklcxtmnze7"),
        ("join with 9a08jv.c0izixklcxtmnze7 now", "c0izixklcxtmnze7"),
        ("--password hunter2 --name n1", "hunter2"),
        ('"client_secret": "abc def"', "abc def"),
        ("client-key-data: LS0tLS1CRUdJTg==", "LS0tLS1CRUdJTg"),
        ("aws_secret_access_key = wJalrXUtnFEMI", "wJalrXUtnFEMI"),
        ("id AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("Authorization: Bearer abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnop"),
        ("https://admin:s3cr3t@10.0.0.1:2379", "s3cr3t"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN", "dozjgNryP4J3jVmN"),
        (KEY, "MIIEpAIBAAKCAQEA"),
        (KEY.partition("-----END")[0], "c2VjcmV0"),
    ],
)
def test_what_looks_like_a_secret_is_cut_out(text: str, without: str) -> None:
    """And it is visible that something was there."""
    assert without in text
    assert without not in redact(text)
    assert "[redacted]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "--initial-cluster-token=etcd-cluster-1",
        "ETCD_INITIAL_CLUSTER_TOKEN=etcd-cluster-1",
        "--auth-token=simple",
        "--key-file=/etc/kubernetes/pki/etcd/server.key",
        "--token-auth-file: /etc/tokens",
        "token_file='/var/lib/token'",
        "sudo's password is missing or wrong",
        "the password was refused",
        "etcd 3.5.16 on 10.0.0.1, member 8e9e05c52164694d",
        "https://10.0.0.1:2379,https://10.0.0.2:2379",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """A diff that hides harmless values cannot be reviewed."""
    assert redact(text) == text


def test_what_follows_a_private_key_stays() -> None:
    """Only the key is cut out."""
    assert redact(KEY).endswith("-----END RSA PRIVATE KEY-----\n+next: line")


def test_known_secrets_are_cut_out_wherever_they_are() -> None:
    """The sudo password in a host's error message, say."""
    assert redact("no such user: 12345", [Secret("12345"), Secret("")]) == "no such user: [redacted]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb\nc\td", r"a\rb\nc\td"),
        ("abc\u202edef", r"abc\u202edef"),
        ("zero\u200bwidth\u2028line", r"zero\u200bwidth\u2028line"),
        ("\ud800", r"\ud800"),
        ("\x7f\x00", r"\x7f\x00"),
        ("\U000e0041", r"\U000e0041"),
        ("8–16 ms → «é» 日本", "8–16 ms → «é» 日本"),
    ],
)
def test_controls_are_shown(text: str, shown: str) -> None:
    """ANSI, OSC, C1 and bidirectional controls become text."""
    assert escape(text) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_that_is_written_controls(text: str) -> None:
    """For any text: no control, format or surrogate character, and no line break, is left."""
    assert not [
        c for c in escape(text) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    ]


@given(st.text())
def test_escaping_twice_changes_nothing(text: str) -> None:
    """What is escaped is plain."""
    assert escape(escape(text)) == escape(text)
