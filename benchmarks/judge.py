"""How many cases a minute does ``manual-rnn verify`` judge? Whole commands, compile cache cold, warm, and at length.

    python benchmarks/judge.py [--examples 10000] [--rounds 3]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from manual_rnn.provenance import provenance

RESULTS = Path(__file__).parent / "results" / "judge.json"


def seconds_of(cell: str, examples: int, cache: str) -> float:
    """The wall time of one command; it must end with "all agree"."""
    command = [sys.executable, "-m", "manual_rnn", "verify", cell, "--examples", str(examples), "--json"]
    start = time.perf_counter()
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": cache}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for cell in ("rnn", "rnn_relu", "rnn_identity"):
        with tempfile.TemporaryDirectory() as cache:
            cold = seconds_of(cell, 300, cache)
            warm = [seconds_of(cell, 300, cache) for _ in range(options.rounds)]
            long = [seconds_of(cell, options.examples, cache) for _ in range(options.rounds)]
        rows.append(
            {
                "cell": cell,
                "seconds_300_cold": round(cold, 1),
                "seconds_300_warm": [round(s, 1) for s in warm],
                "examples": options.examples,
                "seconds_long": [round(s, 1) for s in long],
                "cases_a_minute": round(60 * options.examples / statistics.median(long)),
            }
        )
        row = rows[-1]
        print(
            f"{cell:<14} 300 cases: {cold:.1f} s cold, {statistics.median(warm):.1f} s warm "
            f"({min(warm):.1f}–{max(warm):.1f}); {options.examples} cases: {statistics.median(long):.1f} s "
            f"({min(long):.1f}–{max(long):.1f}), {row['cases_a_minute']} cases a minute",
            flush=True,
        )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**provenance(), "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
