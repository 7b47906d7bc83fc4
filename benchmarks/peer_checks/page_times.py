"""The part of the page about time."""

from __future__ import annotations

from typing import Any

from peer_checks.checkers import CHECKERS
from peer_checks.timing import LIMIT


def times_section(results: dict[str, Any]) -> str:
    """A table of seconds: a row for each hidden size, a column for each checker."""
    present = list(results["checkers"])
    by = {(row["checker"], row["hidden"]): row for row in results["times"]}
    sizes = sorted({(row["hidden"], row["numbers"]) for row in results["times"]})
    rows = [
        [str(hidden), f"{numbers:,}", *(_seconds(by[name, hidden]) for name in present)] for hidden, numbers in sizes
    ]
    head = ["hidden", "numbers", *(CHECKERS[name].title for name in present)]
    lines = [head, ["---:"] * len(head), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"""
## Time

Seconds to check right code once, T = 40, batch 8, 16 inputs and outputs, by the count of numbers that are
differentiated: the median of up to five checks after the first in a process, and in brackets the fastest and the
slowest. More than {LIMIT} s was given up.

{table}

{_ours(results, by, sizes[-1][0])}
"""


def _ours(results: dict[str, Any], by: dict[Any, Any], hidden: int) -> str:
    row, command = by["judge", hidden], results["whole_command"]
    low, high = min(command["warm"]), max(command["warm"])
    return (
        f"At hidden {hidden} a check by this project, both verdicts, takes {row['median']:.2f} s. The first one in a "
        f"new process takes\n{row['first']:.2f} s with a warm compile cache and {row['cold']:.2f} s with an empty one, "
        f"besides {row['imports']:.2f} s for imports, JAX's above all.\nThe whole command `manual-rnn verify rnn`, "
        f"with its 300 cases in some twenty shapes, takes {command['median']:.1f} s\nwarm ({low:.1f}–{high:.1f}) and "
        f"{command['cold']:.1f} s cold."
    )


def _seconds(row: dict[str, Any]) -> str:
    if row["median"] is None:
        return f"> {LIMIT}"
    return f"{row['median']:.2g} ({row['low']:.2g}–{row['high']:.2g})"
