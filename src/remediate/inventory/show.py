"""What `ansible-inventory --list` and `--graph` print (format of ansible-core 2.19)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from remediate.inventory.model import Encrypted, Group, Inventory, Unsafe

_MAGIC = frozenset(  # Ansible's INTERNAL_STATIC_VARS, which it leaves out even where the inventory sets them
    {
        *(
            "ansible_async_path",
            "ansible_collection_name",
            "ansible_config_file",
            "ansible_dependent_role_names",
        ),
        *(
            "ansible_diff_mode",
            "ansible_facts",
            "ansible_forks",
            "ansible_inventory_sources",
            "ansible_limit",
        ),
        *("ansible_play_batch", "ansible_play_hosts", "ansible_play_hosts_all", "ansible_play_role_names"),
        *("ansible_playbook_python", "ansible_role_name", "ansible_role_names", "ansible_run_tags"),
        *("ansible_skip_tags", "ansible_verbosity", "ansible_version", "group_names", "groups", "hostvars"),
        *("inventory_dir", "inventory_file", "inventory_hostname", "inventory_hostname_short", "play_hosts"),
        *("playbook_dir", "role_name", "role_names", "role_path", "role_uuid"),
    }
)


def to_list_json(inventory: Inventory) -> str:
    """The JSON document of `--list`: groups, and the variables of every host under `_meta.hostvars`."""
    found: dict[str, Any] = {name: content for name, content in _groups(inventory) if content}
    variables = {host.name: _shown(host.variables) for host in inventory.hosts.values()}
    hostvars = {name: _plain(said) for name, said in variables.items() if said}
    found["_meta"] = {"hostvars": hostvars, "profile": "inventory_legacy"}
    text = json.dumps(found, sort_keys=True, indent=4, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate becomes its JSON escape


def _groups(inventory: Inventory) -> Iterator[tuple[str, dict[str, list[str]]]]:
    for group in inventory.groups.values():
        hosts = [] if group.name == "all" else list(group.hosts)
        content = {"hosts": hosts, "children": list(group.children)}
        yield group.name, {key: names for key, names in content.items() if names}


def _shown(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in variables.items() if name not in _MAGIC}


def _plain(value: Any) -> Any:
    """The value in JSON's types, marked as Ansible marks what is encrypted or must not be templated."""
    if isinstance(value, Unsafe):
        return {"__ansible_unsafe": str(value)}
    if isinstance(value, Encrypted):
        return {"__ansible_vault": value.ciphertext}
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    return json.dumps(key) if key is None or isinstance(key, int | float) else str(key)


def graph(inventory: Inventory) -> str:
    """The tree of `--graph`: groups with an @, hosts below them."""
    return "\n".join(_branch(inventory, inventory.groups["all"], 0))


def _branch(inventory: Inventory, group: Group, depth: int) -> Iterator[str]:
    yield _line(f"@{group.name}:", depth)
    for child in group.children:
        yield from _branch(inventory, inventory.groups[child], depth + 1)
    if group.name != "all":
        for host in group.hosts:
            yield _line(host, depth + 1)


def _line(text: str, depth: int) -> str:
    return f"{'  |' * depth}--{text}" if depth else text
