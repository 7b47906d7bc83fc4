"""The mutation score with every mistake planted, cell by cell: ``python benchmarks/mutation_score.py [CELL ...]``.

``manual-rnn mutation-score --all`` for one cell after the other in this process, which takes minutes a cell and more.
The numbers of each go to benchmarks/results/mutation_score.json as soon as they are there, each with the commit and the
versions that it was measured with: what one run has not come to, another adds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from time import perf_counter
from typing import Any

import jax

from manual_rnn import cells
from manual_rnn.cli.mutation_score import score_of
from manual_rnn.provenance import provenance

RESULTS = Path(__file__).parent / "results" / "mutation_score.json"


def row(name: str, loss: str, sample: int | None) -> dict[str, Any]:
    """The scores of one cell; sentences of what was not named, or not put in words."""
    start = perf_counter()
    scores = score_of(name, sample, 0, loss)
    found = provenance()
    found["versions"]["jax"] = jax.__version__
    return {
        "cell": name,
        "loss": loss,
        "all": sample is None,
        **scores.as_dict(),
        "missed": scores.total.missed,
        "seconds": round(perf_counter() - start),
        **found,
    }


def line(found: dict[str, Any]) -> str:
    counts = [found[count] for count in ("planted", "failed", "named", "in_reach", "diagnosed", "wrong", "seconds")]
    return f"| {found['cell']} | {' | '.join(f'{count:,}' for count in counts)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="*", metavar="CELL", help="built-in cells; all of them by default")
    parser.add_argument("--loss", default="softmax", choices=("softmax", "squared", "bernoulli"))
    parser.add_argument("--sample", type=int, help="this many of the mechanical mistakes, for a quick look")
    parser.add_argument("--results", type=Path, default=RESULTS)
    told = parser.parse_args()
    if unknown := sorted(set(told.cells) - set(cells.names())):
        parser.error(f"there is no cell {', '.join(unknown)}; the built-in cells are {', '.join(cells.names())}")
    print("| cell | planted | failed | named | in reach | right words | wrong words | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for name in told.cells or cells.names():
        found = row(name, told.loss, told.sample)
        print(line(found), flush=True)
        rows = json.loads(told.results.read_text(encoding="utf-8"))["rows"] if told.results.exists() else []
        rows = [kept for kept in rows if (kept["cell"], kept["loss"]) != (name, told.loss)] + [found]
        order = sorted(rows, key=lambda kept: (kept["loss"], cells.names().index(kept["cell"])))
        told.results.parent.mkdir(exist_ok=True)
        told.results.write_text(json.dumps({"rows": order}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
