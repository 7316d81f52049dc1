"""Set and remove flags in a static pod's manifest, byte for byte elsewhere the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import yaml

from remediate.errors import Refused
from remediate.etcd.flags import flags_of, variable_name
from remediate.etcd.refusal import refused_at
from remediate.etcd.words import edit_words
from remediate.etcd.yamltext import WordList, child, compose, word_list

_SHELLS = frozenset({"sh", "bash", "dash", "ash"})


def command_of(text: str, *, where: str = "") -> tuple[str, ...]:
    """The command line that a manifest gives its etcd container, program first.

    Args:
        text: the manifest.
        where: host and path, for messages.

    Raises:
        Refused: no YAML, or no single container that runs etcd directly.
    """
    with refused_at(where):
        return _command(_etcd(_pod(text)))


def edit(text: str, set: Mapping[str, str], remove: Collection[str], *, where: str = "") -> str:
    """The manifest with some flags set and others removed.

    A flag that is there keeps its place, form and quoting; a repeated one becomes one; a new one goes behind the last.

    Args:
        text: the manifest.
        set: values by flag name without dashes.
        remove: flag names without dashes; those that are not there are passed over.
        where: host and path, for messages.

    Raises:
        Refused: it cannot be edited safely; says why.
    """
    with refused_at(where):
        container = _etcd(_pod(text))
        _no_variables(container, {*set, *remove})
        wanted = {k: v for k, v in {**flags_of(_command(container)), **set}.items() if k not in remove}
        result = edit_words(text, _lists(text), set, remove, program="command" in container)
        if flags_of(_command(_etcd(_pod(result)))) != wanted or _rest(result) != _rest(text):
            raise Refused("it cannot be edited without changing more than its flags")
        return result


def _pod(text: str) -> Any:
    try:
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (yaml.YAMLError, RecursionError):
        raise Refused("it is no readable YAML", hint="mend it first") from None


def _etcd(pod: Any) -> Mapping[str, Any]:
    """The one container that runs etcd; raises Refused where that is not plain."""
    spec = pod.get("spec") if isinstance(pod, Mapping) else None
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    rows = [row for row in containers if isinstance(row, Mapping)] if isinstance(containers, list) else []
    found = [row for row in rows if _runs_etcd(row)]
    if len(found) == 1:
        return found[0]
    if not found and any(_shell(row) for row in rows):
        raise Refused("it starts etcd through a shell, whose text is not edited", hint="edit it by hand")
    raise Refused(f"{len(found)} of its containers run etcd; one was expected")


def _runs_etcd(container: Mapping[str, Any]) -> bool:
    """By its command, else (an image that starts etcd by itself) by the image's name."""
    command = container.get("command")
    if command:
        return isinstance(command, list) and PurePosixPath(str(command[0])).name == "etcd"
    image = str(container.get("image", ""))
    return PurePosixPath(image.partition("@")[0].rpartition(":")[0] or image).name == "etcd"


def _shell(container: Mapping[str, Any]) -> bool:
    command = container.get("command")
    return isinstance(command, list) and bool(command) and PurePosixPath(str(command[0])).name in _SHELLS


def _command(container: Mapping[str, Any]) -> tuple[str, ...]:
    command, args = (container.get(key) or [] for key in ("command", "args"))
    if not isinstance(command, list) or not isinstance(args, list):
        raise Refused("command and args are expected to be lists")
    return tuple(str(word) for word in [*(command or ["etcd"]), *args])


def _no_variables(container: Mapping[str, Any], names: Collection[str]) -> None:
    """A setting given as flag and as environment variable makes etcd exit (FIELD-NOTES, traps)."""
    rows = container.get("env") or []
    variables = (
        {row.get("name") for row in rows if isinstance(row, Mapping)} if isinstance(rows, list) else set()
    )
    for name in sorted(names):
        if variable_name(name) in variables:
            raise Refused(
                f"{name} is set by the variable {variable_name(name)} of its env", hint="edit that by hand"
            )


def _lists(text: str) -> tuple[WordList, ...]:
    """Where command and args of the etcd container stand."""
    containers = child(child(compose(text), "spec"), "containers")
    rows = containers.value if isinstance(containers, yaml.SequenceNode) else []
    node = next(row for row in rows if _runs_etcd(_plain(row)))
    return tuple(_word_lists(text, node))


def _word_lists(text: str, container: yaml.Node) -> Iterator[WordList]:
    for key in ("command", "args"):
        node = child(container, key)
        if isinstance(node, yaml.SequenceNode) and node.value:
            yield word_list(text, node)


def _plain(node: yaml.Node) -> Mapping[str, Any]:
    value = yaml.SafeLoader("").construct_document(node)
    return value if isinstance(value, Mapping) else {}


def _rest(text: str) -> Any:
    """The pod without what may be edited."""
    pod = _pod(text)
    container = _etcd(pod)
    rows: Sequence[Any] = pod["spec"]["containers"]
    bare = {key: value for key, value in container.items() if key not in ("command", "args")}
    spec = {**pod["spec"], "containers": [bare if row is container else row for row in rows]}
    return {**pod, "spec": spec}
