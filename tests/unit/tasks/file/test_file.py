"""The task `file` on real files: placed, found in place, and put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from remediate.errors import Refused
from remediate.facts.base import FactError
from remediate.facts.files import TextFile
from remediate.facts.look import look
from remediate.task.base import Task
from tests.unit.tasks.shellnode import ShellNode, undone, whys

Make = Callable[..., Task]
PATH = "/etc/remediate-test.conf"
LISTING = f"cd /etc; stat -c '%a %U:%G %n' remediate-test.conf && cat {PATH}"


def test_a_new_file_and_back(node: ShellNode, make: Make) -> None:
    task = make("file", path=PATH, content="a\nb", mode="0640")
    change = node.change(task)
    assert change.summary == f"create {PATH}"
    assert change.diff.endswith("@@ -0,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file\n")
    transaction = node.applied(change)
    assert node.state(transaction) == "await\n"
    assert node.sh(LISTING) == "640 root:root remediate-test.conf\na\nb"
    _, operations, noops = node.plan(task)
    assert not operations
    assert whys(noops) == [f"{PATH} has this content, mode and owner already"]
    assert undone(node, transaction) == "undone\n"
    assert node.sh(f"ls {PATH}* 2>&1 || :").startswith("ls: cannot access")


@pytest.mark.parametrize("old", ["", "x\n", "x", "é\n\n\n", "no newline\nat the end", "a\\n%s`$x`'\"\n"])
def test_an_old_file_comes_back_to_the_byte(node: ShellNode, make: Make, old: str) -> None:
    node.run(
        f"printf %s '{old.encode().hex()}' | xxd -r -p >{PATH}; chown daemon:mail {PATH}; chmod 604 {PATH}"
    )
    before = node.sh(f"{LISTING} | od -c")
    transaction = node.applied(node.change(make("file", path=PATH, content="new\n")))
    assert node.sh(LISTING) == "644 root:root remediate-test.conf\nnew\n"
    assert undone(node, transaction) == "undone\n"
    assert node.sh(f"{LISTING} | od -c") == before


def test_only_mode_and_owner_differ(node: ShellNode, make: Make) -> None:
    node.run(f"echo x >{PATH}; chown daemon:mail {PATH}; chmod 600 {PATH}")
    transaction = node.applied(node.change(make("file", path=PATH, content="x\n", mode="644")))
    assert node.sh(LISTING) == "644 root:root remediate-test.conf\nx\n"
    assert undone(node, transaction) == "undone\n"
    assert node.sh(LISTING) == "600 daemon:mail remediate-test.conf\nx\n"


@pytest.mark.parametrize("owner", ["daemon:mail", "1:8"])
def test_owner_by_name_or_number(node: ShellNode, make: Make, owner: str) -> None:
    task = make("file", path=PATH, content="x\n", owner=owner)
    node.applied(node.change(task))
    assert node.sh(LISTING).startswith("644 daemon:mail")
    assert node.plan(task)[1] == []


def test_missing_folders_are_made_and_taken_away(node: ShellNode, make: Make) -> None:
    node.run("mkdir -m 711 /etc/there")
    task = make("file", path="/etc/there/not/yet/file", content="x\n")
    transaction = node.applied(node.change(task))
    assert node.sh("cd /etc/there; stat -c '%a %n' . not not/yet not/yet/file") == (
        "711 .\n755 not\n755 not/yet\n644 not/yet/file\n"
    )
    assert undone(node, transaction) == "undone\n"
    assert node.sh("ls -A /etc/there; stat -c %a /etc/there") == "711\n"


def test_an_edit_after_the_plan_is_kept(node: ShellNode, make: Make) -> None:
    node.run(f"echo old >{PATH}")
    change = node.change(make("file", path=PATH, content="new\n"))
    node.run(f"echo somebody >{PATH}")
    transaction = node.applied(change)
    assert node.state(transaction) == f"moved 1\n{PATH} was edited since the plan was made\n"
    assert node.sh(f"cat {PATH}") == "somebody\n"


def test_an_edit_after_the_change_is_kept(node: ShellNode, make: Make) -> None:
    transaction = node.applied(node.change(make("file", path=PATH, content="new\n")))
    node.run(f"echo somebody >{PATH}")
    assert undone(node, transaction).startswith("held\n")
    assert node.sh(f"cat {PATH}") == "somebody\n"


@pytest.mark.parametrize(
    ("setup", "message"),
    [
        (f"ln -s /etc/passwd {PATH}", f"n1: {PATH} is a symbolic link and is not replaced"),
        (f"mkdir {PATH}", f"n1: {PATH} is no regular file and is not replaced"),
        (f"mkfifo {PATH}", f"n1: {PATH} is no regular file and is not replaced"),
    ],
)
def test_what_is_no_file_is_refused(node: ShellNode, make: Make, setup: str, message: str) -> None:
    node.run(setup)
    with pytest.raises(Refused, match=message):
        node.change(make("file", path=PATH, content="x"))


def test_a_link_that_appears_after_the_plan_is_refused(node: ShellNode, make: Make) -> None:
    change = node.change(make("file", path=PATH, content="x"))
    node.run(f"ln -s /etc/victim {PATH}")
    assert node.state(node.applied(change)).startswith("moved 1\n")
    assert node.sh("ls /etc/victim 2>&1 || :").startswith("ls: cannot")


def test_a_folder_behind_a_link_is_refused(node: ShellNode, make: Make) -> None:
    node.run("mkdir /etc/real; ln -s /etc/real /etc/link")
    for path in ("/etc/link/file", "/etc/link/deeper/file"):
        transaction = node.applied(node.change(make("file", path=path, content="x")))
        assert "symbolic link" in node.state(transaction)
    assert node.sh("ls -A /etc/real") == ""


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"a\0b\n", b"x" * 300_000])
def test_what_cannot_be_read_to_the_byte_has_no_value(node: ShellNode, content: bytes) -> None:
    node.run(
        f"printf %s '{content.hex()}' | xxd -r -p >{PATH}"
        if len(content) < 9
        else f"yes | head -c 300000 >{PATH}"
    )
    seen = look(node, [TextFile(PATH)])
    if b"\0" in content:
        assert seen[TextFile(PATH)].text == "a\0b\n"
        return
    with pytest.raises(FactError):
        seen[TextFile(PATH)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "etc/x", "content": ""}, "is not the absolute path"),
        ({"path": "/etc/../x", "content": ""}, "is not the absolute path"),
        ({"path": "/etc/", "content": ""}, "is not the absolute path"),
        ({"path": "/etc/a\nb", "content": ""}, "is not the absolute path"),
        ({"path": "/", "content": ""}, "is not the absolute path"),
        ({"path": "/etc/x"}, "give either"),
        ({"path": "/etc/x", "content": "", "mode": "999"}, "mode"),
        ({"path": "/etc/x", "content": "", "owner": "root"}, "owner"),
        ({"path": "/etc/x", "content": "", "owner": "root:$(id)"}, "owner"),
    ],
)
def test_bad_arguments(make: Make, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make("file", **arguments)
