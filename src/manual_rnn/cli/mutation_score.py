"""``manual-rnn mutation-score``: how many mistakes the judge fails, names and explains, when they are planted."""

from __future__ import annotations

import json as json_format

from manual_rnn.errors import UsageError


def mutation_score(*names: str, json: bool = False) -> int:
    """Plant every mistake of one change in every equation of a cell, and count what the judge makes of it.

    Each term is dropped, negated, counted twice, shifted in time, transposed, exchanged for another; each array is
    scaled and averaged. The counts: planted; failed by the judge; named, the one wrong equation and no other; diagnosed
    in words that reproduce the numbers in cases never seen; and wrong, the words of another mistake.

    Exit code 0: every planted mistake was failed. 1: some were not.

    Args:
        names: Built-in cells; all of them by default.
        json: One JSON document on stdout.
    """
    import threadpoolctl

    from manual_rnn import cells
    from manual_rnn.cli.caches import use_compilation_cache
    from manual_rnn.cli.counting import counting
    from manual_rnn.cli.targets import find_oracle
    from manual_rnn.testing.mutation import Score, mutation_score

    if unknown := [name for name in names if name not in cells.names()]:
        raise UsageError(f"There is no cell {', '.join(unknown)}; the built-in cells are {', '.join(cells.names())}.")
    use_compilation_cache()
    scores: dict[str, Score] = {}
    with threadpoolctl.threadpool_limits(1), counting("planting", None, "mistakes") as progress:
        for name in names or cells.names():
            cell = cells.get(name)
            scores[name] = mutation_score(cell, find_oracle(cell), progress=progress)
    total = sum(scores.values(), start=Score())
    if json:
        by_cell = {name: score.as_dict() for name, score in scores.items()}
        print(json_format.dumps({"version": 1, **total.as_dict(), "cells": by_cell}))
    else:
        print(f"{'cell':<16}{'planted':>9}{'failed':>9}{'named':>9}{'diagnosed':>11}{'wrong':>8}")
        for name, score in {**scores, "all": total}.items():
            planted, failed, named, diagnosed, wrong = score.as_dict().values()
            print(f"{name:<16}{planted:>9}{failed:>9}{named:>9}{diagnosed:>11}{wrong:>8}")
        for sentence in total.missed:
            print(f"not named or not diagnosed: {sentence}")
    return 0 if total.failed == total.planted else 1
