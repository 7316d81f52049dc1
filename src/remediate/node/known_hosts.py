"""Which host keys the known_hosts files hold, with file and line (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT")."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One line of a known_hosts file.

    Attributes:
        names: the line's host field: names and patterns separated by commas, or one hashed name.
        algorithm: the key's type, `ssh-ed25519`.
        key: the public key, base64.
        file: where it is written.
        line: the line's number, from 1.
        revoked: the line is marked `@revoked`.
    """

    names: str
    algorithm: str
    key: str
    file: Path
    line: int
    revoked: bool = False

    @property
    def place(self) -> str:
        """`file:line`, for messages."""
        return f"{self.file}:{self.line}"

    def matches(self, name: str) -> bool:
        """Whether the line speaks of this host; a negated pattern outranks the others."""
        if self.names.startswith("|1|"):
            return _hashed(name, self.names)
        patterns = self.names.lower().split(",")
        if any(_like(name, pattern[1:]) for pattern in patterns if pattern.startswith("!")):
            return False
        return any(_like(name, pattern) for pattern in patterns)


class KnownHosts:
    """All known host keys of a run, read once.

    Attributes:
        files: where keys are looked for.
        unread: the files that are there and cannot be read, each with the reason: what they hold is not known.
    """

    def __init__(
        self, keys: Iterable[KnownKey], files: Sequence[Path] = (), unread: Sequence[str] = ()
    ) -> None:
        self.files, self.unread = tuple(files), tuple(unread)
        self._by_name: dict[str, list[KnownKey]] = {}
        self._patterns: list[KnownKey] = []
        for key in keys:
            if any(sign in key.names for sign in "|*?!"):
                self._patterns.append(key)
            else:
                for name in key.names.lower().split(","):
                    self._by_name.setdefault(name, []).append(key)

    @classmethod
    def read(cls, files: Sequence[Path]) -> KnownHosts:
        """Read the files that exist; a line that cannot be read is no known key."""
        keys: list[KnownKey] = []
        unread: list[str] = []
        for file in files:
            try:
                keys += _keys_of(file)
            except FileNotFoundError:  # as in OpenSSH, a missing file knows no host
                continue
            except OSError as error:
                unread.append(f"{file}: {error.strerror}")
        return cls(keys, files, unread)

    def keys(self, host: str, port: int) -> tuple[KnownKey, ...]:
        """The keys of a host. As in OpenSSH a host on an unusual port may be listed with or without it."""
        with_port = self._named(host if port == SSH_PORT else f"[{host}]:{port}")
        return with_port or (self._named(host) if port != SSH_PORT else ())

    def _named(self, name: str) -> tuple[KnownKey, ...]:
        name = name.lower()
        return (*self._by_name.get(name, ()), *(key for key in self._patterns if key.matches(name)))


def fingerprint(key: bytes) -> str:
    """The SHA-256 fingerprint of a public key, as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _keys_of(file: Path) -> Iterator[KnownKey]:
    text = file.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        key = _key_of(line.split(), file, number)
        if key:
            yield key


def _key_of(words: list[str], file: Path, number: int) -> KnownKey | None:
    """The line's key; None where it is too short for one.

    Comments and lines of `@cert-authority` count as keys of hosts that cannot be: `#` and `@` are in no host's
    name, and paramiko knows no host certificates.
    """
    revoked = words[:1] == ["@revoked"]
    if revoked:
        words = words[1:]
    if len(words) < 3:
        return None
    return KnownKey(words[0], words[1], words[2], file, number, revoked)


def _like(name: str, pattern: str) -> bool:
    """OpenSSH's patterns know `*` and `?` only; brackets, as in `[host]:2222`, are themselves."""
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def _hashed(name: str, field: str) -> bool:
    """Whether `|1|salt|hash` is this name: hash = HMAC-SHA1 with the salt as its key (`HashKnownHosts`)."""
    try:
        salt, wanted = (base64.b64decode(part) for part in field[3:].split("|", 1))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), wanted)
