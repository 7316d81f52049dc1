"""What counts as "looked everywhere and found nothing to do"."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from comparison import answers
from comparison.timing import Finished

RECAP = (
    "h00{} : ok={}   changed={}    unreachable={}    failed={}    skipped={}    rescued=0    ignored=0   \n"
)


def ansible(*hosts: tuple[int, int, int, int, int]) -> Finished:
    lines = (RECAP.format(number, *counts) for number, counts in enumerate(hosts, 1))
    return Finished(0, 1.0, 1.0, out="PLAY RECAP ****\n" + "".join(lines))


def pyinfra(
    rc: int = 0, hosts: int = 2, change: tuple[str, ...] = (), perhaps: tuple[str, ...] = ()
) -> Finished:
    plan = [{"hosts_with_change": list(change), "hosts_with_conditional_change": list(perhaps)}]
    ready = "".join(f"    [h00{number}] Ready: pyinfra_deploy.py\n" for number in range(hosts))
    return Finished(rc, 1.0, 1.0, out=json.dumps({"plan": plan}), err=ready)


def remediate(rc: int, hosts: int = 2) -> Finished:
    return Finished(rc, 1.0, 1.0, out=f"remediate: nothing to do · {hosts} hosts · 0.3 s\n")


GOOD = (10, 0, 0, 0, 0)

Reader = Callable[[Finished, int], bool]


@pytest.mark.parametrize(
    ("reader", "done", "in_order"),
    [
        (answers.ansible_in_order, ansible(GOOD, GOOD), True),
        (answers.ansible_in_order, ansible(GOOD, (10, 1, 0, 0, 0)), False),
        (answers.pyinfra_in_order, pyinfra(), True),
        (answers.pyinfra_in_order, pyinfra(change=("h001",)), False),
        (answers.pyinfra_in_order, pyinfra(perhaps=("h001",)), False),
        (answers.remediate_in_order, remediate(0), True),
        (answers.remediate_in_order, remediate(5), False),
        (answers.floor_in_order, Finished(0, 1.0, 1.0), True),
        (answers.floor_in_order, Finished(5, 1.0, 1.0), False),
    ],
)
def test_an_answer_is_yes_or_no(reader: Reader, done: Finished, in_order: bool) -> None:
    assert reader(done, 2) is in_order


@pytest.mark.parametrize(
    ("reader", "done"),
    [
        (answers.ansible_in_order, ansible(GOOD)),
        (answers.ansible_in_order, ansible(GOOD, (9, 0, 0, 0, 0))),
        (answers.ansible_in_order, ansible(GOOD, (9, 0, 0, 0, 1))),
        (answers.ansible_in_order, ansible(GOOD, (10, 0, 1, 0, 0))),
        (answers.ansible_in_order, ansible(GOOD, (10, 0, 0, 1, 0))),
        (answers.pyinfra_in_order, pyinfra(rc=1)),
        (answers.pyinfra_in_order, pyinfra(hosts=1)),
        (answers.remediate_in_order, remediate(3)),
        (answers.remediate_in_order, remediate(0, hosts=1)),
        (answers.remediate_in_order, remediate(0, hosts=12)),
        (answers.floor_in_order, Finished(1, 1.0, 1.0)),
        (answers.floor_in_order, Finished(-9, 1.0, 1.0)),
    ],
)
def test_whoever_did_not_look_everywhere_gave_no_answer(reader: Reader, done: Finished) -> None:
    with pytest.raises(ValueError, match="host"):
        reader(done, 2)
