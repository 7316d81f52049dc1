"""Commands, options and exit codes; what they do lives elsewhere and is imported when it is needed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from remediate import __version__
from remediate.errors import RemediateError

F = TypeVar("F", bound=Callable[..., Any])

EXIT_CODES = """
\b
Exit codes:
  0  done, or nothing to do
  1  a change or a gate failed, or a node is held
  2  usage, playbook or inventory error; nothing was contacted
  3  a host is unreachable, or its host key is wrong
  4  refused before the first change
  5  --check has changes to make, or diagnose has findings of warning or worse
130  interrupted, left safe
"""

LAZY = {"lab": "remediate.lab.cli:lab"}


class Commands(click.Group):
    """A group that imports some of its commands only when they are asked for, and tells errors in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, lazy ones too."""
        return sorted({*super().list_commands(ctx), *LAZY})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now where it is a lazy one."""
        if cmd_name in LAZY:
            module, _, name = LAZY[cmd_name].partition(":")
            command: click.Command = getattr(import_module(module), name)
            return command
        return super().get_command(ctx, cmd_name)


def _connection_options(command: F) -> F:
    for option in (
        click.option("-u", "--user", metavar="USER", help="Log in as USER where the inventory does not say."),
        click.option(
            "--private-key", type=click.Path(path_type=Path), metavar="FILE", help="Log in with this key."
        ),
        click.option(
            "-K", "--ask-become-pass", is_flag=True, help="Ask once for sudo's password; it is never stored."
        ),
        click.option(
            "--forks", type=click.IntRange(1, 1000), default=16, show_default=True, help="Hosts at once."
        ),
        click.option(
            "-e",
            "--extra-vars",
            multiple=True,
            metavar="K=V",
            help="Variables that outrank all others: K=V …, a JSON object, or @FILE.",
        ),
        click.option("--limit", metavar="PATTERN", help="Only these hosts of the plays: n1, 'etcd:!n2', n*."),
    ):
        command = option(command)
    return command


def _measure_options(command: F) -> F:
    for option in (
        click.option(
            "--probe-writes", is_flag=True, help="Measure the latency of real puts (small, deleted again)."
        ),
        click.option("--iperf3", is_flag=True, help="Measure jitter with UDP streams as well."),
        click.option(
            "--fio",
            is_flag=True,
            help="Measure the data disks with fio: 22 MB of synced writes, one node at a time.",
        ),
    ):
        command = option(command)
    return command


def _output_options(command: F) -> F:
    for option in (
        click.option("-v", "--verbose", count=True, help="Say more: every no-op, every check of every gate."),
        click.option(
            "--output",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="json: one document on standard output, everything else on standard error.",
        ),
    ):
        command = option(command)
    return command


def _run_options(command: F) -> F:
    for option in (
        click.option(
            "--allow-outage", is_flag=True, help="Stop a member although the others make no quorum. Recorded."
        ),
        click.option("--skip-tags", default="", metavar="TAGS", help="Leave out tasks with these tags."),
        click.option("--tags", default="", metavar="TAGS", help="Only tasks with these tags."),
        click.option("--yes", is_flag=True, help="Apply without asking; needed where there is no terminal."),
        click.option("--diff", is_flag=True, help="Show what would change in files, line by line."),
        click.option(
            "--check",
            is_flag=True,
            help="Plan and show; change nothing. Exit 5 where there is something to do.",
        ),
    ):
        command = option(command)
    return _output_options(_measure_options(_connection_options(command)))


_inventory_option = click.option(
    "-i",
    "--inventory",
    metavar="NAME",
    help="An inventory: inventory/NAME, .yml, .yaml, .ini, or a path.",
)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, message="remediate %(version)s")
@_inventory_option
@_run_options
@click.pass_context
def cli(ctx: click.Context, /, inventory: str | None, **options: Any) -> None:
    """Measure etcd, say what is wrong, repair it one member at a time, and prove that it helped.

    Without a command it runs the playbook `incident`: measure, findings, plan, ask, change behind health gates,
    measure again, compare.

    \b
      remediate -i prod --check --diff     what would be done
      remediate -i prod                    do it, after asking once
      remediate diagnose -i prod           only look
      remediate run defrag -i prod         one playbook
      remediate lab up --sick              a real, ill cluster on this machine to try it on
    """
    if ctx.invoked_subcommand is None:
        _run("incident", inventory, options)
    ctx.obj = inventory
    # An option before the command would belong to nobody, and `--check` must never be lost.
    given = [name for name in options if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        name = given[0].replace("_", "-")
        raise click.UsageError(f"--{name} stands before `{ctx.invoked_subcommand}`; write it behind")


@cli.command(epilog=EXIT_CODES)
@click.argument("playbook")
@_inventory_option
@_run_options
@click.pass_obj
def run(before: str | None, /, playbook: str, inventory: str | None, **options: Any) -> None:
    """Run PLAYBOOK, by name or path, on the hosts of an inventory."""
    _run(playbook, inventory or before, options)


@cli.command(epilog=EXIT_CODES)
@_inventory_option
@_output_options
@_measure_options
@_connection_options
@click.pass_obj
def diagnose(before: str | None, /, inventory: str | None, **options: Any) -> None:
    """Measure and say what is wrong; change nothing on the nodes."""
    _run("diagnose", inventory or before, options | {"diagnose": True})


@cli.command(name="inventory")
@_inventory_option
@click.option(
    "--list", "show", flag_value="list", default="list", help="JSON, as ansible-inventory --list prints it."
)
@click.option("--graph", "show", flag_value="graph", help="A tree, as ansible-inventory --graph prints it.")
@click.pass_obj
def show_inventory(before: str | None, /, inventory: str | None, show: str) -> None:
    """Show what an inventory means."""
    from remediate import command

    click.echo(command.show_inventory(_need(inventory or before), show))


@cli.command()
@click.argument("name", required=False)
def tasks(name: str | None) -> None:
    """List the tasks that playbooks can use, or describe one."""
    from remediate import command

    click.echo(command.describe_tasks(name))


def _need(inventory: str | None) -> str:
    from remediate.errors import UsageProblem

    if inventory is None:
        raise UsageProblem("which inventory?", hint="say -i NAME; `remediate lab up` writes one called lab")
    return inventory


def _run(playbook: str, inventory: str | None, options: dict[str, Any]) -> None:
    from remediate import command

    try:
        code = command.run(playbook, _need(inventory), options)
    except RemediateError as problem:
        if options["output"] == "json":  # one document on standard output, whatever happens
            click.echo(json.dumps(command.refusal(playbook, inventory, options, problem)))
        raise
    sys.exit(code)


def main() -> None:
    """The program: one line for every error, and the exit code that DESIGN promises for it."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as problem:
        problem.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("remediate: interrupted; nothing was changed", err=True)
        sys.exit(130)
    except RemediateError as problem:
        click.echo(f"remediate: {problem}", err=True)
        sys.exit(problem.exit_code)
    except Exception as problem:  # at 3 a.m. a traceback helps nobody but us
        if os.environ.get("REMEDIATE_DEBUG"):
            raise
        click.echo(
            f"remediate: a defect of remediate itself: {type(problem).__name__}: {problem} "
            "(set REMEDIATE_DEBUG=1 to see where; read the nodes' state before running it again)",
            err=True,
        )
        sys.exit(1)
