r"""What clipping does to gradients: how often it fires, what is left of the norm, and whether the direction stays.

By the global norm the whole gradient is scaled and keeps its direction; by element every number is cut to
[−C, C], and the direction turns. The cosine between the clipped gradient and the one before says by how much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.clipping import clip_by_norm, norm
from manual_rnn.diagnostics.comparison import relative
from manual_rnn.diagnostics.labelled import xr


def clipping_statistics(
    gradients: Iterable[Mapping[str, Array]],
    limits: Sequence[float],
    *,
    against: Iterable[Mapping[str, Array]] | None = None,
) -> xr.Dataset:
    """Of gradients by name, one an update, for each limit C.

    Returns ``norm`` (update): before clipping; and by ``update``, ``limit`` and ``kind`` ("norm", "element")
    ``fired``, ``norm_after`` and ``cosine`` to the unclipped gradient (nan for a gradient of zero). The fraction of
    updates at which it fired is ``fired.mean("update")``.

    ``against`` are an oracle's gradients of the same updates, at the same parameters: then ``relative_error`` (update)
    is the largest over the parameters of ‖manual − autodiff‖ / ‖autodiff‖, and ``worst_relative_error`` (an attribute)
    that of all. There is no verdict, as the network is not handed in and what rounding may do to it is not known here;
    :func:`.cross_check` has one. Clipping itself is not compared.

    Raises ValueError for a limit that is not above zero, no gradients at all, or as many others or of other names in
    ``against``; FloatingPointError for a gradient that is not finite.
    """
    if isinstance(gradients, Mapping):
        raise ValueError("gradients are one mapping; expected a list of them, one an update.")
    gradients, limits = list(gradients), list(limits)
    if wrong := [limit for limit in limits if not limit > 0]:
        raise ValueError(f"limits has {wrong[0]}; a limit is more than 0.")
    if any(not each for each in gradients):
        raise ValueError("One of the updates has no gradients; each is a mapping of arrays by name, and not empty.")
    rows = [_of_update(each, limits) for each in gradients]
    if not rows or not limits:
        raise ValueError("There is nothing to clip: give at least one gradient and one limit.")
    before, fired, after, cosine = (np.array(part) for part in zip(*rows, strict=True))
    dims = ("update", "limit", "kind")
    statistics = xr.Dataset(
        {
            "norm": ("update", before),
            "fired": (dims, fired),
            "norm_after": (dims, after),
            "cosine": (dims, cosine),
        },
        coords={"update": np.arange(1, len(rows) + 1), "limit": limits, "kind": ["norm", "element"]},
        attrs={"diagnostic": "clipping_statistics"},
    )
    if against is None:
        return statistics
    off = _off(gradients, list(against))
    worst = int(np.argmax(np.nan_to_num(off, nan=np.inf)))
    statistics["relative_error"] = ("update", off, {"long_name": "‖manual − autodiff‖ / ‖autodiff‖"})
    statistics.attrs["worst_relative_error"] = off[worst]
    statistics.attrs["cross_check"] = f"manual and autodiff: worst relative error {off[worst]:.1e} (update {worst + 1})"
    return statistics


def _off(gradients: list[Mapping[str, Array]], others: list[Mapping[str, Array]]) -> list[float]:
    if len(others) != len(gradients):
        raise ValueError(f"against has {len(others)} updates, and there are gradients of {len(gradients)}.")
    if missing := {name for ours, theirs in zip(gradients, others, strict=True) for name in ours if name not in theirs}:
        raise ValueError(f"against has no gradient of {', '.join(sorted(missing))}, which is among the gradients.")
    return [
        max(float(relative(gradient.ravel(), np.asarray(theirs[name]).ravel())) for name, gradient in ours.items())
        for ours, theirs in zip(gradients, others, strict=True)
    ]


def _of_update(
    gradients: Mapping[str, Array], limits: list[float]
) -> tuple[float, list[list[bool]], list[list[float]], list[list[float]]]:
    _, before = clip_by_norm(gradients, np.inf)
    whole = np.concatenate([gradient.ravel() for gradient in gradients.values()]).astype(np.float64)
    fired, after, cosine, direction = [], [], [], _unit(whole) if whole.any() else whole
    for limit in limits:
        cut = np.clip(whole, -limit, limit)
        fired.append([before > limit, bool((np.abs(whole) > limit).any())])
        after.append([min(before, limit), norm(cut)])
        cosine.append([1.0, min(float(_unit(cut) @ direction), 1.0)] if whole.any() else [np.nan, np.nan])
    return before, fired, after, cosine


def _unit(vector: Array) -> Array:
    """The vector at length one, to all its digits: a norm that is below the smallest normal number has few."""
    within: Array = np.ldexp(vector, -np.frexp(np.abs(vector).max())[1])
    direction: Array = within / np.sqrt(within @ within)
    return direction
