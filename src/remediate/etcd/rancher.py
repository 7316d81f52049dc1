"""Set and remove etcd's flags in the `etcd-arg` list of k3s' and RKE2's config.yaml; they write the manifest."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import yaml

from remediate.errors import Refused
from remediate.etcd.refusal import refused_at
from remediate.etcd.words import edit_words
from remediate.etcd.yamltext import child, compose, scalar, word_list

KEY = "etcd-arg"


def flags_in(text: str, *, where: str = "") -> dict[str, str]:
    """The flags that the file gives etcd, by name; raises Refused where it is no YAML mapping with a list of words."""
    with refused_at(where):
        return _flags(text)


def edit(text: str, set: Mapping[str, str], remove: Collection[str], *, where: str = "") -> str:
    """The file with some flags set and others removed; see `manifest.edit`.

    Raises:
        Refused: it cannot be edited safely; says why.
    """
    with refused_at(where):
        wanted = {name: value for name, value in {**_flags(text), **set}.items() if name not in remove}
        result = _edit(text, set, remove, wanted)
        if _flags(result) != wanted or _rest(result) != _rest(text):
            raise Refused(f"it cannot be edited without changing more than {KEY}")
        return result


def _config(text: str) -> dict[str, object]:
    try:
        config = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        raise Refused("it is no readable YAML", hint="mend it first") from None
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise Refused("it is no YAML mapping")
    if f"{KEY}+" in config:
        raise Refused(f"it adds to {KEY} of another file", hint="edit it by hand")
    return config


def _flags(text: str) -> dict[str, str]:
    words = _config(text).get(KEY) or []
    if not isinstance(words, list):
        raise Refused(f"{KEY} is expected to be a list", hint="write it as a list of name=value")
    pairs = (str(word).lstrip("-").partition("=") for word in words)
    return {name: value if has_value else "true" for name, has_value, value in pairs}


def _edit(text: str, wishes: Mapping[str, str], remove: Collection[str], wanted: Mapping[str, str]) -> str:
    if not _flags(text):
        return _appended(text, wanted)
    if not wanted:
        raise Refused(f"nothing of {KEY} would be left", hint="remove the list by hand")
    node = child(compose(text), KEY)
    lists = (word_list(text, node),) if node else ()
    dashes = "--" if lists and lists[0].items[0].value.startswith("--") else ""
    return edit_words(text, lists, wishes, remove, alone=True, dashes=dashes)


def _appended(text: str, flags: Mapping[str, str]) -> str:
    if not flags:
        return text
    if KEY in _config(text):
        raise Refused(f"{KEY} is empty", hint="remove that line first")
    if text.lstrip().startswith("{"):
        raise Refused("it is one flow mapping", hint="write one key per line")
    eol = "\r\n" if "\r\n" in text else "\n"
    lead = "" if not text or text.endswith("\n") else eol
    lines = [
        f"{KEY}:",
        *(f"  - {scalar(f'{name}={value}', '', flow=False)}" for name, value in flags.items()),
    ]
    return text + lead + eol.join(lines) + eol


def _rest(text: str) -> dict[str, object]:
    return {name: value for name, value in _config(text).items() if name != KEY}
