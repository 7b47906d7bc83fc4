"""``manual-rnn mutation-score``: how many mistakes the judge fails, names and explains, when they are planted."""

from __future__ import annotations

import json as json_format
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from manual_rnn.errors import UsageError

if TYPE_CHECKING:
    from manual_rnn.testing.mutation import Scores

Job = tuple[str, int | None, int, str]
"""A cell's name, how many mechanical mistakes, the seed that draws them, and the loss."""
SAMPLE = 300
"""Mistakes made mechanically that are planted in each cell: of some 460 in the vanilla network, 2,300 in an LSTM."""


def mutation_score(
    *names: str,
    sample: Annotated[int, Parameter(validator=validators.Number(gte=1))] = SAMPLE,
    all: bool = False,
    seed: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 0,
    loss: str = "softmax",
    json: bool = False,
) -> int:
    """Plant mistakes in a cell, one at a time, and count what the judge makes of each.

    The museum: mistakes that real code has shipped. Mechanical: each term of each equation dropped, negated, counted
    twice, shifted in time, transposed, exchanged for another; each array scaled and averaged. The counts: planted;
    failed by the judge; named, exactly the wrong equations and no other; diagnosed in words that reproduce the numbers
    in cases never seen; wrong, the words of another mistake; and in reach, those for which there are words.

    Exit code 0: every planted mistake was failed. 1: some were not.

    Args:
        names: Built-in cells; all of them by default.
        sample: How many of the mechanical mistakes are planted in each cell, drawn at random.
        all: Plant every one of them, which takes minutes a cell.
        seed: The same seed draws the same sample.
        loss: The loss that cells are judged with: softmax, squared, or bernoulli. It has mistakes of its own.
        json: One JSON document on stdout.
    """
    from manual_rnn import cells
    from manual_rnn.cli.counting import counting
    from manual_rnn.cli.setting import check_loss
    from manual_rnn.cli.task import cores
    from manual_rnn.testing.mutation import Scores

    if unknown := [name for name in names if name not in cells.names()]:
        raise UsageError(f"There is no cell {', '.join(unknown)}; the built-in cells are {', '.join(cells.names())}.")
    check_loss(loss)
    chosen = names or tuple(cells.names())
    scores: dict[str, Scores] = {}
    workers = min(cores(), len(chosen))
    jobs = {name: (name, None if all else sample, seed, loss) for name in chosen}
    with counting("planting mistakes in", len(chosen), "cells") as progress:
        for name, score in _side_by_side(jobs, workers) if workers > 1 else _one_by_one(jobs):
            scores[name] = score
            progress(1)
    total = sum(scores.values(), start=Scores())
    if json:
        by_cell = {name: score.as_dict() for name, score in scores.items()}
        print(json_format.dumps({"version": 1, "loss": loss, **total.as_dict(), "cells": by_cell}))
    else:
        _show({**scores, "all": total})
        for sentence in total.total.missed:
            print(f"not named or not diagnosed: {sentence}")
    return 0 if total.total.failed == total.total.planted else 1


def _one_by_one(jobs: dict[str, Job]) -> Iterator[tuple[str, Scores]]:
    yield from ((name, score_of(*job)) for name, job in jobs.items())


def _side_by_side(jobs: dict[str, Job], workers: int) -> Iterator[tuple[str, Scores]]:
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:  # JAX forbids fork
        waiting = {name: pool.submit(score_of, *job) for name, job in jobs.items()}
        yield from ((name, score.result()) for name, score in waiting.items())


def score_of(name: str, sample: int | None, seed: int, loss: str) -> Scores:
    """The score of one built-in cell, in this process."""
    import threadpoolctl

    from manual_rnn import cells
    from manual_rnn.cli.caches import use_compilation_cache
    from manual_rnn.cli.targets import find_oracle
    from manual_rnn.testing.mutation import mutation_score

    use_compilation_cache()
    cell = cells.get(name)
    with threadpoolctl.threadpool_limits(1):
        return mutation_score(cell, find_oracle(cell), loss=loss, sample=sample, seed=seed)


def _show(scores: dict[str, Scores]) -> None:
    counted = ("planted", "failed", "named", "diagnosed", "wrong", "in reach")
    print(f"{'cell':<20}{'mistakes':<12}" + "".join(f"{name:>11}" for name in counted))
    for name, both in scores.items():
        for kind, score in (("museum", both.museum), ("mechanical", both.mechanical)):
            print(f"{name:<20}{kind:<12}" + "".join(f"{count:>11}" for count in score.as_dict().values()))
