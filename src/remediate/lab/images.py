"""The cached root file systems: one Debian for the nodes, one folder per etcd release."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from remediate.errors import UsageProblem
from remediate.lab import spec
from remediate.lab.host import run

BASE_SUITE = "bookworm"
ETCD_SUITES = {"3.4": "bookworm", "3.5": "trixie"}
"""etcd's release line → the Debian suite that has it (Debian 12: 3.4.23, Debian 13: 3.5.16)."""

_BUILD_SECONDS = 900
_BASE_PACKAGES = (
    "systemd,systemd-sysv,openssh-server,sudo,procps,iproute2,iputils-ping,curl,ca-certificates,"
    "fio,iperf3,xfsprogs,e2fsprogs,rsync,python3,python3-yaml"
)
# Set-up of the nodes' image, run with the root folder as $1. Vendor files in sysctl.d would set parameters that
# are not the node's own but this machine's (kernel.pid_max); /etc/sysctl.d stays the administrator's.
_BASE_HOOK = """
set -eu
rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/machine-id "$1"/usr/lib/sysctl.d/*.conf "$1"/etc/sysctl.d/*.conf
: >"$1"/etc/machine-id
systemctl --quiet --root="$1" mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer \\
  e2scrub_all.timer e2scrub_reap.service console-getty.service iperf3.service systemd-random-seed.service
chroot "$1" useradd --uid 1001 --shell /bin/bash --create-home ops
chroot "$1" useradd --uid 1002 --shell /bin/bash --create-home admin
echo 'ops:ops-password' | chroot "$1" chpasswd
echo 'ops ALL=(ALL:ALL) ALL' >"$1"/etc/sudoers.d/ops
echo 'admin ALL=(ALL:ALL) NOPASSWD: ALL' >"$1"/etc/sudoers.d/admin
chmod 0440 "$1"/etc/sudoers.d/*
printf 'PasswordAuthentication no\\nUseDNS no\\nMaxStartups 200\\n' >"$1"/etc/ssh/sshd_config.d/lab.conf
mkdir -p "$1"/etc/kubernetes/manifests
chmod 0700 "$1"/etc/kubernetes/manifests
"""
# `extract` unpacks without the links of a merged /usr; the empty folders are mount points of the container.
_ETCD_HOOK = """
set -eu
for link in bin lib lib64 sbin; do
  mkdir -p "$1/usr/$link"
  if [ -d "$1/$link" ] && [ ! -L "$1/$link" ]; then cp -a "$1/$link/." "$1/usr/$link/"; rm -rf "${1:?}/$link"; fi
  ln -sfn "usr/$link" "$1/$link"
done
mkdir -p "$1"/proc "$1"/sys "$1"/dev "$1"/run "$1"/tmp "$1"/root
rm -rf "$1"/var/lib/apt "$1"/var/cache "$1"/usr/share/doc "$1"/usr/share/man
"""


@dataclass(frozen=True, slots=True)
class Images:
    """Root folders, and the tag of etcd's image (`3.5.16-0`)."""

    base: Path
    etcd: Path | None
    tag: str


def ensure(etcd: str | None, progress: Callable[[str], None]) -> Images:
    """Build what the cache lacks; serialised over all labs of this machine.

    Args:
        etcd: release line, None where no etcd is wanted.
        progress: is told before a long step.

    Raises:
        UsageProblem: apt knows no Debian archive.
        ChangeFailed: mmdebstrap failed.
    """
    spec.cache_root().mkdir(parents=True, exist_ok=True)
    with lock(spec.cache_root() / ".lock"):
        base = _image(f"debian-{BASE_SUITE}", BASE_SUITE, "minbase", _BASE_PACKAGES, _BASE_HOOK, progress)
        if etcd is None:
            return Images(base, None, "")
        suite = ETCD_SUITES[etcd]
        image = _image(f"etcd-{etcd}", suite, "extract", "etcd-server,etcd-client", _ETCD_HOOK, progress)
    version = run("chroot", str(image), "/usr/bin/etcd", "--version").splitlines()[0].split()[-1]
    return Images(base, image, f"{version}-0")


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock file; the kernel drops it when the process ends."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _image(
    name: str, suite: str, variant: str, packages: str, hook: str, progress: Callable[[str], None]
) -> Path:
    """One cached root folder, named after its recipe: another recipe is another folder."""
    recipe = hashlib.sha256("\0".join((suite, variant, packages, hook)).encode()).hexdigest()[:12]
    final = spec.cache_root() / f"{name}-{recipe}"
    if final.exists():
        return final
    progress(f"building the image {name} from Debian {suite} (once)")
    partial = final.with_name(f".{final.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    options = spec.cache_root() / ".apt.conf"
    options.write_text(_apt_options(run("apt-config", "dump")))
    script = spec.cache_root() / ".hook.sh"
    script.write_text(hook)
    stage = "extract" if variant == "extract" else "customize"  # `extract` ends before anything is customized
    sources = sources_for(suite, run("apt-get", "indextargets", "Created-By: Packages"), _codename())
    run(
        "mmdebstrap",
        "--mode=root",
        f"--variant={variant}",
        f"--aptopt={options}",
        *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale")),
        f"--include={packages}",
        f'--{stage}-hook=sh {script} "$1"',
        f'--{stage}-hook=rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap',
        suite,
        str(partial),
        *sources,
        timeout=_BUILD_SECONDS,
    )
    partial.rename(final)
    return final


def _apt_options(dump: str) -> str:
    """This machine's way to its mirror (proxy, certificates, time-outs), from `apt-config dump`."""
    lines = [line for line in dump.splitlines() if line.startswith("Acquire::")]
    lines = [line for line in lines if not line.startswith(("Acquire::IndexTargets", "Acquire::Changelogs"))]
    for setting, path in (("netrc", "/etc/apt/auth.conf"), ("netrcparts", "/etc/apt/auth.conf.d/")):
        if os.path.exists(path):  # noqa: PTH110
            lines.append(f'Dir::Etc::{setting} "{path}";')
    return "\n".join(lines) + "\n"


def sources_for(suite: str, targets: str, codename: str) -> list[str]:
    """Turn this machine's Debian sources into those of another suite.

    Args:
        suite: the wanted suite.
        targets: what `apt-get indextargets` prints.
        codename: this machine's own release.

    Returns:
        One-line sources, the main archive and, where the machine has it for its own release, the security archive.

    Raises:
        UsageProblem: no source of this machine is Debian's main archive.
    """
    sources: list[str] = []
    for stanza in targets.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
        release, uri = fields.get("Codename") or fields.get("Release", ""), fields.get("Repo-URI", "")
        if fields.get("Component") != "main" or fields.get("Origin", "Debian") != "Debian":
            continue
        if release in (codename, f"{codename}-security"):
            signed = (
                f" [signed-by={fields['Signed-By']}]" if fields.get("Signed-By", "").startswith("/") else ""
            )
            sources.append(f"deb{signed} {uri} {release.replace(codename, suite)} main")
    if not any(source.endswith(f" {suite} main") for source in sources):
        raise UsageProblem(
            f"apt on this machine has no source for Debian {codename} main",
            where="/etc/apt/sources.list.d",
            hint="add one and run apt-get update",
        )
    return list(dict.fromkeys(sources))


def _codename() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    return BASE_SUITE
