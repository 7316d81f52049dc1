"""`python -m remediate.lab …`: the lab without the rest of the command line."""

from __future__ import annotations

import sys

from remediate.errors import RemediateError
from remediate.lab.cli import lab

if __name__ == "__main__":
    try:
        lab(prog_name="remediate lab")
    except RemediateError as problem:
        sys.stderr.write(f"remediate: {problem}\n")
        sys.exit(problem.exit_code)
