"""One diagnostic over several seeds: one result with the axis ``seed``, and its mean with an interval.

A seed whose numbers cannot be measured (its states overflow, its gradient is zero) is recorded as failed, with the
sentence, and the others go on. Whatever else is wrong, an argument or the gradients, ends the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

from manual_rnn.diagnostics.labelled import xr
from manual_rnn.diagnostics.measurable import Unmeasurable

Labelled = TypeVar("Labelled", xr.Dataset, xr.DataArray)


def over_seeds(measure: Callable[[int], Labelled], seeds: Iterable[int]) -> Labelled:
    """The results of ``measure(seed)`` side by side, along ``seed``::

        over_seeds(lambda seed: loss_by_state(cell, initialise(cell, …, seed=seed), x, y), range(10))

    Where a seed raises Unmeasurable or FloatingPointError its numbers are nan, the coordinate ``failed`` is True, and
    ``attrs["failures"]`` has "seed 3: " and the sentence. ``attrs`` are otherwise those of the first seed that did not,
    but for ``worst_relative_error``, the largest of all, and ``cross_check``, that seed's.

    Raises ValueError where there is no seed, and the sentence of the first where all have failed.
    """
    seeds = list(seeds)
    if not seeds:
        raise ValueError("seeds is empty; give at least one.")
    found: dict[int, Labelled] = {}
    failures: dict[int, Exception] = {}
    for seed in seeds:
        try:
            found[seed] = measure(seed)
        except (Unmeasurable, FloatingPointError) as error:
            failures[seed] = error
    if not found:
        first = failures[seeds[0]]
        raise Unmeasurable(f"All {len(seeds)} seeds have failed, the first so: {first}") from first
    some = next(iter(found.values()))
    parts = [found[seed] if seed in found else _nothing(some) for seed in seeds]
    together = xr.concat(parts, "seed", combine_attrs="drop", join="exact", coords="minimal", compat="override")
    together = together.assign_coords(seed=seeds, failed=("seed", [seed in failures for seed in seeds]))
    worst = {seed: one.attrs["worst_relative_error"] for seed, one in found.items() if "cross_check" in one.attrs}
    together.attrs = {**some.attrs, "failures": tuple(f"seed {seed}: {error}" for seed, error in failures.items())}
    if worst:
        seed = max(worst, key=lambda one: np.nan_to_num(worst[one], nan=-1.0))
        together.attrs |= {"worst_relative_error": worst[seed],
                           "cross_check": f"seed {seed}: {found[seed].attrs['cross_check']}"}  # fmt: skip
    return together


def mean_over_seeds(several: xr.Dataset | xr.DataArray, *, level: float = 0.95) -> xr.Dataset:
    """The mean over the seeds that have not failed, its standard error, and Student's interval at a level.

    Of a DataArray: ``mean``, ``standard_error``, ``low``, ``high``; of a Dataset the same of each variable of numbers,
    ``log_norm_mean`` and so on. Logarithms are averaged as they are: the typical seed's, not the log of the mean.
    Nan where fewer than two seeds are left, and where a seed itself has nan or -inf.

    Raises ValueError for a level not between 0 and 1, or where there is no axis ``seed``.
    """
    from manual_rnn.theory.extras import scipy_or_sentence

    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it is a probability between 0 and 1.")
    if "seed" not in several.dims:
        raise ValueError("The result has no axis 'seed': it is of one. over_seeds makes one of several.")
    kept = several.isel(seed=np.flatnonzero(~several["failed"].values))
    n = kept.sizes["seed"]
    quantile = float(scipy_or_sentence("special").stdtrit(n - 1, 0.5 + level / 2)) if n > 1 else np.nan
    if isinstance(kept, xr.DataArray):
        parts = {"": kept}
    else:
        numbers = {str(name): kept[name] for name in kept if kept[name].dtype.kind == "f" and "seed" in kept[name].dims}
        parts = {f"{name}_": array for name, array in numbers.items()}
    summary: dict[str, xr.DataArray] = {}
    for name, array in parts.items():
        with np.errstate(invalid="ignore"):
            mean = array.mean("seed", skipna=False)
            error = _spread(array) / np.sqrt(n)
        summary |= {f"{name}mean": mean, f"{name}standard_error": error,
                    f"{name}low": mean - quantile * error, f"{name}high": mean + quantile * error}  # fmt: skip
    return xr.Dataset(summary, attrs={**several.attrs, "seeds": n, "level": level})


def _spread(array: xr.DataArray) -> xr.DataArray:
    """The standard deviation over seeds, nan for one."""
    if array.sizes["seed"] < 2:
        return xr.full_like(array.isel(seed=0, drop=True), np.nan)
    return array.std("seed", ddof=1, skipna=False)


def _nothing(like: Labelled) -> Labelled:
    """A result of the same shape whose numbers are nan; what is no number is as it was."""
    if isinstance(like, xr.DataArray):
        return xr.full_like(like, np.nan)
    return like.map(lambda one: xr.full_like(one, np.nan) if one.dtype.kind == "f" else one)
