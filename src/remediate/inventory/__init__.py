"""Hosts, groups and variables: what Ansible's inventories mean."""

from remediate.inventory.model import Encrypted, Group, Host, Inventory, Unsafe
from remediate.inventory.secret import Secret
from remediate.inventory.show import graph, to_list_json
from remediate.inventory.source import find, load

__all__ = [
    "Encrypted",
    "Group",
    "Host",
    "Inventory",
    "Secret",
    "Unsafe",
    "find",
    "graph",
    "load",
    "to_list_json",
]
