r"""What clipping does to gradients: how often it fires, what is left of the norm, and whether the direction stays.

By the global norm the whole gradient is scaled and keeps its direction; by element every number is cut to
[−C, C], and the direction turns. The cosine between the clipped gradient and the one before says by how much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import xarray as xr

from manual_rnn.cell import Array
from manual_rnn.clipping import clip_by_norm, norm


def clipping_statistics(gradients: Iterable[Mapping[str, Array]], limits: Sequence[float]) -> xr.Dataset:
    """Of gradients by name, one an update, for each limit C.

    Returns ``norm`` (update): before clipping; and by ``update``, ``limit`` and ``kind`` ("norm", "element")
    ``fired``, ``norm_after`` and ``cosine`` to the unclipped gradient (nan for a gradient of zero). The fraction of
    updates at which it fired is ``fired.mean("update")``.

    Raises ValueError for a limit that is not above zero or no gradients at all, FloatingPointError for a gradient that
    is not finite.
    """
    limits = list(limits)
    if wrong := [limit for limit in limits if not limit > 0]:
        raise ValueError(f"limits has {wrong[0]}; a limit is more than 0.")
    rows = [_of_update(each, limits) for each in gradients]
    if not rows or not limits:
        raise ValueError("There is nothing to clip: give at least one gradient and one limit.")
    before, fired, after, cosine = (np.array(part) for part in zip(*rows, strict=True))
    dims = ("update", "limit", "kind")
    return xr.Dataset(
        {
            "norm": ("update", before),
            "fired": (dims, fired),
            "norm_after": (dims, after),
            "cosine": (dims, cosine),
        },
        coords={"update": np.arange(1, len(rows) + 1), "limit": limits, "kind": ["norm", "element"]},
    )


def _of_update(
    gradients: Mapping[str, Array], limits: list[float]
) -> tuple[float, list[list[bool]], list[list[float]], list[list[float]]]:
    _, before = clip_by_norm(gradients, np.inf)
    whole = np.concatenate([gradient.ravel() for gradient in gradients.values()]).astype(np.float64)
    fired, after, cosine = [], [], []
    for limit in limits:
        cut = np.clip(whole, -limit, limit)
        length = norm(cut)
        fired.append([before > limit, bool((np.abs(whole) > limit).any())])
        after.append([min(before, limit), length])
        by_element = float((cut / length) @ (whole / before)) if before else np.nan
        cosine.append([1.0 if before else np.nan, by_element])
    return before, fired, after, cosine
