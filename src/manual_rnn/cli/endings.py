"""How a process ended that came to no verdict, in one sentence, and where in the user's code it was."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from manual_rnn.cli.child import Child
from manual_rnn.cli.failed import Failed
from manual_rnn.errors import RunError
from manual_rnn.tracebacks import is_own

FRAME = re.compile(r'  File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>.+)')
"""A line of faulthandler's, the innermost call first."""


MUCH = 100_000
"""Bytes printed from which on a print without end is the likely cause."""


def out_of_time(target: str, child: Child, stack: Path) -> Failed:
    """Nothing was heard of it for as long as the limit."""
    at, frames = _where(stack)
    printing = " while it printed without end" if child.printed_bytes > MUCH else ""
    sentence = f"{target} came to no end within {child.limit:g} s{printing}{at}; --time-limit allows for more."
    return Failed(target, RunError.kind, sentence, frames)


def crash(target: str, child: Child, stack: Path) -> Failed:
    """The process has gone without a word."""
    code = child.process.exitcode
    if code is not None and code < 0:
        at, frames = _where(stack)
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = " (too much memory, perhaps)" if name in ("SIGKILL", "SIGABRT") else ""
        return Failed(target, RunError.kind, f"{target} crashed with {name}{hint}{at}.", frames)
    sentence = f"{target} ended its own process with exit code {code}, before there was a verdict."
    last = child.printed.decode(errors="replace").strip().splitlines()[-5:]
    return Failed(target, RunError.kind, sentence, "\n".join(last))


def _where(stack: Path) -> tuple[str, str]:
    """(the place as a phrase, the user's part of the stack) from what faulthandler wrote last."""
    told = stack.read_text(encoding="utf-8", errors="replace") if stack.is_file() else ""
    dump = re.split(r"^(?:Timeout \(|Fatal Python error)", told, flags=re.MULTILINE)[-1]
    frames = [match for line in dump.splitlines() if (match := FRAME.match(line)) and is_own(match["file"])]
    if not frames:
        return "", ""
    first = frames[0]
    at = f", at line {first['line']} of {Path(first['file']).name}, in {first['function']}"
    lines = [f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}' for frame in reversed(frames)]
    return at, "\n".join(["Where it was (most recent call last):", *lines])
