"""What each contender's answer means: in order, not in order, or no answer at all. Pure."""

from __future__ import annotations

import json
import re

from comparison.timing import Finished

SETTINGS_PER_HOST = 10
"""Ansible's recap counts tasks, one per setting."""

_RECAP = re.compile(
    r"^h\d+ +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+) +skipped=(\d+) ", re.MULTILINE
)


def floor_in_order(done: Finished, _hosts: int) -> bool:
    """Whether every host had the wished values: exit codes as remediate's. Raises ValueError."""
    if done.rc not in (0, 5):
        raise ValueError("it did not look at every host")
    return done.rc == 0


def remediate_in_order(done: Finished, hosts: int) -> bool:
    """Whether nothing is to be done, by the exit code that DESIGN promises. Raises ValueError."""
    if not re.search(rf"\b{hosts} hosts?\b", done.out):
        raise ValueError("it does not speak of every host")
    return floor_in_order(done, hosts)


def pyinfra_in_order(done: Finished, hosts: int) -> bool:
    """Whether its plan changes no host. Raises ValueError."""
    if done.rc or done.err.count("Ready: ") != hosts:
        raise ValueError("it did not look at every host")
    plan = json.loads(done.out)["plan"]
    return not any(step["hosts_with_change"] or step["hosts_with_conditional_change"] for step in plan)


def ansible_in_order(done: Finished, hosts: int) -> bool:
    """Whether its recap counts ten good tasks on every host and no changed one. Raises ValueError."""
    recap = _RECAP.findall(done.out)
    whole = (str(SETTINGS_PER_HOST), "0", "0", "0")
    if len(recap) != hosts or any((ok, *bad) != whole for ok, _, *bad in recap):
        raise ValueError("it did not look at ten settings of every host")
    return all(changed == "0" for _, changed, *_ in recap)
