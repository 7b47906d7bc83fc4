"""Runs a command for a page of the book, which shows it with what it prints, as a terminal does."""

import os
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

COLOURS = ("FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE")
"""With these, Jupyter's kernel asks for colours, which would be escape codes on a page."""


def output_of(command, *, columns=96, code=0):
    """The lines that a command writes to stdout. AssertionError, with all it said, unless it ends with that code."""
    environment = {name: value for name, value in os.environ.items() if name not in COLOURS}
    environment |= {"COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    words = {"env": environment, "capture_output": True, "text": True, "encoding": "utf-8"}
    done = subprocess.run(shlex.split(command), check=False, **words)
    assert done.returncode == code, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return [line.rstrip() for line in done.stdout.splitlines()]


def shown(command, *, columns=108, code=0):
    """The command behind a dollar, and below it what it prints: sentences folded, rows of a table as they are."""
    lines = [f"$ {command}", *output_of(command, columns=columns, code=code)]
    return "\n".join(line if "  " in line else textwrap.fill(line, columns) for line in lines)
