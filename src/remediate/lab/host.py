"""Running programs of this machine, and saying which package a missing one comes from."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence

from remediate.errors import ChangeFailed, UsageProblem

PACKAGES = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "mkfs.xfs": "xfsprogs",
    "ip": "iproute2",
    "losetup": "mount",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "mount": "mount",
    "tar": "tar",
}
"""Host tool → Debian package."""


def require_root() -> None:
    """Refuse to go on as anybody but root.

    Raises:
        UsageProblem: the effective user is not root.
    """
    if os.geteuid() != 0:
        raise UsageProblem(
            "the lab needs root: it makes namespaces, mounts and loop devices", hint="use sudo"
        )


def require_tools(tools: Iterable[str] = PACKAGES, packages: Mapping[str, str] = PACKAGES) -> None:
    """Refuse to go on while a program is missing.

    Args:
        tools: the programs.
        packages: program → Debian package.

    Raises:
        UsageProblem: names what is missing and the packages to install.
    """
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        advice = f"apt-get install {' '.join(sorted({packages[tool] for tool in missing}))}"
        if "/usr/sbin" not in os.environ.get("PATH", "").split(":"):  # as after `su` without a dash
            advice += ", and add /usr/sbin to PATH"
        raise UsageProblem(f"missing on this machine: {', '.join(missing)}", hint=advice)


def run(*argv: str, stdin: bytes | None = None, timeout: float = 60, ok: Sequence[int] = (0,)) -> str:
    """Run a program and return its standard output.

    Args:
        argv: program and arguments.
        stdin: bytes for its standard input.
        timeout: seconds until it is killed.
        ok: accepted exit codes.

    Raises:
        ChangeFailed: another exit code, or the time is over.
    """
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise ChangeFailed(f"no end after {timeout:g} s", where=" ".join(argv[:4])) from None
    if done.returncode not in ok:
        said = done.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
        reason = said[-1] if said else f"exit code {done.returncode}"
        raise ChangeFailed(reason, where=" ".join(argv[:6]))
    return done.stdout.decode("utf-8", "backslashreplace")
