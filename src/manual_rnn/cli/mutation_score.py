"""``manual-rnn mutation-score``: how many mistakes the judge fails, names and explains, when they are planted."""

from __future__ import annotations

import json as json_format

from manual_rnn.errors import UsageError


def mutation_score(*names: str, json: bool = False) -> int:
    """Plant mistakes in a cell, one at a time, and count what the judge makes of each.

    The museum: mistakes that real code has shipped. Mechanical: each term of each equation dropped, negated, counted
    twice, shifted in time, transposed, exchanged for another; each array scaled and averaged. The counts: planted;
    failed by the judge; named, exactly the wrong equations and no other; diagnosed in words that reproduce the numbers
    in cases never seen; wrong, the words of another mistake; and in reach, those for which there are words.

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
    from manual_rnn.testing.mutation import Scores, mutation_score

    if unknown := [name for name in names if name not in cells.names()]:
        raise UsageError(f"There is no cell {', '.join(unknown)}; the built-in cells are {', '.join(cells.names())}.")
    use_compilation_cache()
    scores: dict[str, Scores] = {}
    with threadpoolctl.threadpool_limits(1), counting("planting", None, "mistakes") as progress:
        for name in names or cells.names():
            cell = cells.get(name)
            scores[name] = mutation_score(cell, find_oracle(cell), progress=progress)
    total = sum(scores.values(), start=Scores())
    if json:
        by_cell = {name: score.as_dict() for name, score in scores.items()}
        print(json_format.dumps({"version": 1, **total.as_dict(), "cells": by_cell}))
    else:
        names_of = ("planted", "failed", "named", "diagnosed", "wrong", "in reach")
        print(f"{'cell':<16}{'mistakes':<12}" + "".join(f"{name:>11}" for name in names_of))
        for name, both in {**scores, "all": total}.items():
            for kind, score in (("museum", both.museum), ("mechanical", both.mechanical)):
                print(f"{name:<16}{kind:<12}" + "".join(f"{count:>11}" for count in score.as_dict().values()))
        for sentence in total.total.missed:
            print(f"not named or not diagnosed: {sentence}")
    return 0 if total.total.failed == total.total.planted else 1
