"""The playbook format: schema, loading with file:line:column errors, sandboxed templating."""

from remediate.playbook.extra import extra_vars
from remediate.playbook.find import find
from remediate.playbook.load import load, load_text
from remediate.playbook.model import Play, Playbook, TaskCall
from remediate.playbook.pace import Pace, Serial

__all__ = ["Pace", "Play", "Playbook", "Serial", "TaskCall", "extra_vars", "find", "load", "load_text"]
