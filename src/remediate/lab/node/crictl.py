"""`crictl` of the lab kubelet: the few commands that operators use, with crictl's own output."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from typing import Any

from . import runtime
from .runtime import Running


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(argv)
    containers = runtime.load()
    if options.command == "ps":
        return _ps(options, containers)
    found = [one for one in containers if one.id.startswith(options.id) and one.state != "exited"]
    if len(found) != 1:
        sys.stderr.write(f'FATA[0000] container with ID starting with "{options.id}" not found\n')
        return 1
    return int(options.run(options, found[0]) or 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="crictl", description="crictl of the lab kubelet")
    parser.add_argument("-r", "--runtime-endpoint", help="accepted and not used")
    commands = parser.add_subparsers(dest="command", required=True)
    ps = commands.add_parser("ps", help="list containers")
    ps.add_argument("-a", "--all", action="store_true")
    ps.add_argument("-q", "--quiet", action="store_true")
    ps.add_argument("-o", "--output", choices=("table", "json"), default="table")
    ps.add_argument("-s", "--state", choices=("running", "exited"), type=str.lower)
    ps.add_argument("--name", default="")
    execute = commands.add_parser("exec", help="run a command in a container")
    execute.add_argument("-i", "-t", "-s", "--interactive", "--tty", "--sync", action="store_true")
    execute.add_argument("--timeout", help="accepted and not used")
    execute.add_argument("id")
    execute.add_argument("argv", nargs=argparse.REMAINDER)
    execute.set_defaults(run=_exec)
    inspect = commands.add_parser("inspect", help="show a container")
    inspect.add_argument("id")
    inspect.set_defaults(run=_inspect)
    logs = commands.add_parser("logs", help="show a container's output")
    logs.add_argument("--tail", default="all")
    logs.add_argument("id")
    logs.set_defaults(run=_logs)
    stop = commands.add_parser("stop", help="stop a container; the kubelet starts it again")
    stop.add_argument("id")
    stop.set_defaults(run=lambda _, one: runtime.stop(one))
    return parser


def _ps(options: argparse.Namespace, containers: list[Running]) -> int:
    state = options.state or ("" if options.all else "running")
    shown = [one for one in containers if re.search(options.name, one.key.split("/")[2])]
    shown = [one for one in shown if not state or (one.state == "exited") == (state == "exited")]
    if options.quiet:
        sys.stdout.writelines(f"{one.id}\n" for one in shown)
    elif options.output == "json":
        json.dump({"containers": [_document(one) for one in shown]}, sys.stdout, indent=2)
    else:
        _table(shown)
    return 0


def _table(containers: list[Running]) -> None:
    form = "{:<15}{:<31}{:<17}{:<12}{:<16}{:<9}{:<15}{}\n"
    write = sys.stdout.write
    write(form.format("CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD"))
    for one in containers:
        _, pod, name = one.key.split("/")
        age = f"{int(time.time() - one.started)} seconds ago"
        state = "Exited" if one.state == "exited" else "Running"
        write(form.format(one.id[:13], one.image, age, state, name, one.attempt, one.uid[:13], pod))


def _document(one: Running) -> dict[str, Any]:
    namespace, pod, name = one.key.split("/")
    return {
        "id": one.id,
        "podSandboxId": one.uid,
        "metadata": {"name": name, "attempt": one.attempt},
        "image": {"image": one.image},
        "imageRef": one.image,
        "state": "CONTAINER_EXITED" if one.state == "exited" else "CONTAINER_RUNNING",
        "createdAt": str(int(one.started * 1e9)),
        "labels": {
            "io.kubernetes.container.name": name,
            "io.kubernetes.pod.name": pod,
            "io.kubernetes.pod.namespace": namespace,
            "io.kubernetes.pod.uid": one.uid,
        },
    }


def _exec(options: argparse.Namespace, one: Running) -> int:
    words = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    enter = ["nsenter", f"--target={one.pid}", "--mount", "--root", "--wd", "--"]
    os.execvp("nsenter", [*enter, *words])  # noqa: S606


def _inspect(_: argparse.Namespace, one: Running) -> None:
    json.dump({"status": _document(one), "info": {"pid": one.pid}}, sys.stdout, indent=2)


def _logs(options: argparse.Namespace, one: Running) -> None:
    lines = ["-n", options.tail] if options.tail != "all" else []
    os.execvp("journalctl", ["journalctl", "-q", "-o", "cat", "-u", one.unit, *lines])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
