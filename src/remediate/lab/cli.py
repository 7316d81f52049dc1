"""`remediate lab`: a real etcd cluster on this machine."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Literal

import click

_name = click.option(
    "--name", default="lab", show_default=True, help="The lab; several can live side by side."
)


@click.group(name="lab", help=__doc__)
def lab() -> None:
    """Group of the lab's commands."""


@lab.command()
@_name
@click.option("--nodes", type=click.Choice(["1", "3", "5"]), default="3", show_default=True)
@click.option("--etcd", type=click.Choice(["3.4", "3.5"]), default="3.5", show_default=True)
@click.option(
    "--sick", is_flag=True, help="With real illnesses: slow disk, no compaction, fragmented database, …"
)
@click.option("--bare", is_flag=True, help="Stop at nodes with sshd.")
@click.option(
    "--kubelet-delay",
    type=click.FloatRange(0, 120),
    default=2.0,
    show_default=True,
    envvar="REMEDIATE_LAB_KUBELET_DELAY",
    help="Longest reaction of the lab kubelet to a changed manifest, in seconds; a real one takes up to 20.",
)
@click.option(
    "--without", multiple=True, metavar="TOOL", help="Hide a tool from the nodes (etcdctl, fio, iperf3)."
)
@click.option(
    "--inventory", type=click.Path(path_type=Path), help="The inventory file.  [default: inventory/NAME.yml]"
)
def up(
    name: str,
    nodes: Literal["1", "3", "5"],
    etcd: str,
    sick: bool,
    bare: bool,
    kubelet_delay: float,
    without: tuple[str, ...],
    inventory: Path | None,
) -> None:
    """Build a lab and write its inventory."""
    from remediate.errors import UsageProblem
    from remediate.lab import lifecycle

    if sick and bare:
        raise UsageProblem("--sick and --bare exclude each other: a bare node has no etcd to be sick")
    begin = time.monotonic()
    request = lifecycle.Request(
        name=name,
        size=int(nodes),
        etcd=etcd,
        sick=sick,
        bare=bare,
        kubelet_delay=kubelet_delay,
        inventory=inventory or Path("inventory") / f"{name}.yml",
        without=without,
    )

    def progress(text: str) -> None:
        click.echo(f"{time.monotonic() - begin:6.1f} s  {text}", err=True)

    built = lifecycle.up(request, progress)
    progress(f"lab {name!r} is up; its inventory is {built.inventory}")


@lab.command()
@_name
def down(name: str) -> None:
    """Take a lab away; nothing of it is left."""
    from remediate.lab import lifecycle

    lifecycle.down(name)


@lab.command()
@_name
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(name: str, output: str) -> None:
    """Show the nodes of a lab and how they are."""
    from remediate.lab import spec
    from remediate.lab.status import status as look

    document = look(spec.load(name))
    if output == "json":
        click.echo(json.dumps(document, indent=2))
        return
    for node, seen in document["nodes"].items():
        health = "healthy" if seen["healthy"] else "not healthy"
        role = "leader" if seen["leader"] else ""
        member = seen["member_id"] or "-"
        click.echo(
            f"{node:4} {seen['ip']:15} {seen['etcd'] or '-':26} {member:18} {health:12} {role}".rstrip()
        )


@lab.command()
@_name
@click.argument("node")
@click.argument("kind")
@click.option("--undo", is_flag=True, help="Take the fault back.")
def fault(name: str, node: str, kind: str, undo: bool) -> None:
    """Cause a fault of KIND at NODE.

    \b
    stop-etcd     the manifest is moved away
    kill          the node crashes (--undo boots it)
    reboot        the node shuts down and boots
    power-cut     the node boots from what had reached its disks
    slow-disk     the data disk takes few writes per second
    slow-network  a fixed sequence of delays of 65-100 ms per round trip
    partition     the node hears nobody and nobody hears it
    fill-disk     no space is left on the data disk
    """
    from remediate.lab import spec
    from remediate.lab.faults import inject

    built = spec.load(name)
    inject(built, built.node(node), kind, undo=undo)


@lab.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_name
@click.argument("node")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(name: str, node: str, command: tuple[str, ...]) -> None:
    """Log in to NODE as root, or run COMMAND there."""
    from remediate.lab import spec
    from remediate.lab.host import require_tools

    require_tools(["ssh"])
    built = spec.load(name)
    options = [
        "-i",
        str(built.key),
        "-o",
        f"UserKnownHostsFile={built.known_hosts}",
        "-o",
        "IdentitiesOnly=yes",
    ]
    target = f"root@{built.node(node).ip}"
    sys.stdout.flush()
    os.execvp("ssh", ["ssh", "-F", "none", *options, "-o", "StrictHostKeyChecking=yes", target, *command])  # noqa: S606
