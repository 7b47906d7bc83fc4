"""Training on a gigabyte: seconds of reading and the memory at the peak: ``python benchmarks/big_text.py TEXT``.

The text given is repeated, each time with other letters exchanged, until it has the size; this lies in a temporary
folder, with the ids of it beside the run, so twice --megabytes of disk are needed. The command runs as a process of its
own, and what the system tells of it at its end is the peak: the interpreter, all libraries, and the pages of the mapped
file with it. The time to read is that of the command less the same on the first megabyte. The numbers go to
benchmarks/results/big_text.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

RESULTS = Path(__file__).parent / "results" / "big_text.json"
MEGABYTE = 1_000_000
UPDATES, EVAL_CHARS = 10, 100_000


def write_text(path: Path, seed: bytes, size: int) -> None:
    """``size`` bytes: the text, each time with two letters in each other's place."""
    letters = b"abcdefghijklmnopqrstuvwxyz"
    written, k = 0, 0
    with path.open("wb") as file:
        while written < size:
            a, b = letters[k % 26], letters[k // 26 % 26]
            written += file.write(seed.translate(bytes.maketrans(bytes([a, b]), bytes([b, a])))[: size - written])
            k += 1


def trained(text: Path, out: Path) -> dict[str, Any]:
    """Seconds of the whole command, its peak in bytes, and its last evaluation."""
    told = ["--steps", str(UPDATES), "--eval-chars", str(EVAL_CHARS), "--out", str(out), "--overwrite", "--json"]
    began = perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "manual_rnn", "train", str(text), *told], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        last = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return {"seconds": perf_counter() - began, "peak": usage.ru_maxrss * 1024, "val_nats": last["val_nats"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help="a text file in UTF-8 to repeat")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="where there is room; by default that of temporary files")
    parser.add_argument("--results", type=Path, default=RESULTS)
    told = parser.parse_args()
    rows = []
    with TemporaryDirectory(dir=told.folder) as place:
        text, out = Path(place) / "text.txt", Path(place) / "run"
        for megabytes in (1, 1, told.megabytes // 10, told.megabytes):  # the first has everything loaded
            write_text(text, told.text.read_bytes(), megabytes * MEGABYTE)
            rows.append({"megabytes": megabytes, **trained(text, out)})
            print(rows[-1], flush=True)
        config = json.loads((out / "config.json").read_bytes())
    small, *rows = rows[1:]
    for row in rows:
        reading = row["seconds"] - small["seconds"]
        row["seconds_of_reading_per_100_megabytes"] = reading / (row["megabytes"] - small["megabytes"]) * 100
    known = {name: config[name] for name in ("versions", "platform", "commit", "options")}
    told.results.parent.mkdir(exist_ok=True)
    told.results.write_text(json.dumps({**known, "rows": [small, *rows]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
