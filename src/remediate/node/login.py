"""From a login to a root shell that waits for a script: marks, sudo's prompt, and the script's envelope.

The rules are measured ones (DESIGN, "sudo, exactly"): sent blindly, the password of a NOPASSWD user ran as a
root command line, and lines of the script were tried as passwords. So the password goes out only after our
own random prompt, the script only after our own random mark; a second prompt ends the attempt at once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from remediate.errors import Refused, RemediateError, Unreachable
from remediate.node.display import shown
from remediate.node.exchange import Exchange, Got
from remediate.node.shell import sh

if TYPE_CHECKING:
    from remediate.inventory.secret import Secret

READY_WITHIN = 30.0
"""Seconds for the login shell's start files and sudo's own look-ups (LDAP, PAM); sshd's grace is 120."""


@dataclass(frozen=True, slots=True)
class Sudo:
    """How to become root (or another user) after the login.

    Attributes:
        user: who to become.
        password: sudo's password for the user who logs in; None where sudo asks for none.
    """

    user: str = "root"
    password: Secret | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Marks:
    """The random words of one exec; nothing that was printed before can hold them.

    Attributes:
        nonce: random hexadecimal digits.
    """

    nonce: str = field(default_factory=lambda: secrets.token_hex(12))

    @property
    def ready(self) -> bytes:
        """The line that the shell prints when it waits for the script."""
        return f"ready-{self.nonce}\n".encode()

    @property
    def prompt(self) -> bytes:
        """What sudo prints when it wants the password."""
        return f"sudo%{self.nonce}: ".encode()

    def command(self, sudo: Sudo | None) -> str:
        """What sshd is asked to run.

        It never holds a mark as it is printed, so a shell that shows its commands (`set -x`) cannot call for
        the password: the quotes vanish, and sudo prints `%%` as `%` (sudo(8), -p).
        """
        shell = f'echo ready-""{self.nonce}; exec sh -s'
        if sudo is None:
            return shell
        return sh("exec sudo -S -H -p {} -u {} -- sh -c {}", f"sudo%%{self.nonce}: ", sudo.user, shell)


def envelope(script: str) -> bytes:
    """Wrap a script so that a shell which gets only a part of it runs nothing.

    Programs are found and speak as the script expects. bash reads a script byte by byte from a pipe, 15 ms for
    33 KB; `head` hands it to another bash in half the time [measured]. (The first bash, evaluating it itself,
    crashes where the script duplicates its standard input [bash 5.2, measured].)
    """
    world = "LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export LC_ALL PATH"
    body = f"{{\n{world}\n{script}\n}}; exit\n".encode()
    return f"""[ -z "$BASH_VERSION" ] || exec sh -c 'eval "$(head -c {len(body)})"'\n""".encode() + body


def enter(exchange: Exchange, marks: Marks, sudo: Sudo | None, host: str) -> None:
    """Wait for the shell, giving sudo its password where it asks; what came before the shell is dropped.

    Raises:
        Unreachable: the login shell does not come up; nothing was run.
        Refused: sudo refuses, or its password is missing or wrong; nothing was run.
    """
    answered = 0
    until = monotonic() + READY_WITHIN
    while marks.ready not in exchange.out:
        if exchange.read(1.0) is Got.END:
            raise _no_shell(exchange, sudo, host)
        if exchange.full or monotonic() > until:
            raise Unreachable(
                f"no shell after {READY_WITHIN:g} s: {shown(exchange.err or exchange.out)}",
                where=host,
                hint="look at the login shell's start files and at sudo",
            )
        if exchange.err.count(marks.prompt) > answered:
            _give_password(exchange, sudo, host, again=answered > 0)
            answered += 1
    del exchange.out[: exchange.out.index(marks.ready) + len(marks.ready)]
    exchange.err.clear()


def _give_password(exchange: Exchange, sudo: Sudo | None, host: str, *, again: bool) -> None:
    if again:
        raise Refused(
            "wrong sudo password", where=host, hint="give the right one with -K or ansible_become_password"
        )
    if sudo is None or not sudo.password:
        raise Refused("sudo wants a password", where=host, hint="give it with -K or ansible_become_password")
    password = sudo.password.reveal()
    if "\n" in password:
        raise Refused("the sudo password holds a line break", where=host, hint="what follows it would be run")
    exchange.send(password.encode() + b"\n")


_SUDO_SAYS = {
    b"must have a tty": (
        "sudo wants a terminal (requiretty)",
        "remove requiretty for this user from sudoers",
    ),
    b"not in the sudoers": ("the user may not use sudo", "add the user to sudoers"),
    b"not allowed to": ("sudo does not allow this user a shell", "allow the user /bin/sh in sudoers"),
    b"not found": ("sudo is not installed", "install sudo, or log in as root"),
}


def _no_shell(exchange: Exchange, sudo: Sudo | None, host: str) -> RemediateError:
    said = bytes(exchange.err or exchange.out)
    if sudo is None:
        return Unreachable(
            f"the login ends without a shell: {shown(said)}",
            where=host,
            hint="look at the user's login shell",
        )
    for words, (message, hint) in _SUDO_SAYS.items():
        if words in said:
            return Refused(message, where=host, hint=hint)
    return Refused(f"sudo gives no shell: {shown(said)}", where=host)
