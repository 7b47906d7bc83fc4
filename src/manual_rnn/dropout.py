r"""Dropout between layers (Srivastava et al. 2014; Zaremba, Sutskever, Vinyals 2014), as masks that are handed in.

A mask's entry is 0 with the probability of the rate and 1/(1 − rate) else, so that what comes through has the mean of
what goes in. The pass is given the masks and stays a function of its arguments: the same masks, the same gradient.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from manual_rnn.cell import Array
from manual_rnn.network import Network


def draw_masks(
    network: Network, rng: np.random.Generator, rate: float, *, T: int, B: int, n_hidden: int, dtype: npt.DTypeLike
) -> dict[str, Array]:
    """A mask (T, B, n) for the input of each layer above the first, by its name; one for both directions of a layer.

    Raises:
        ValueError: the rate is not between 0 and 1, or the network has one layer.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"The rate of dropout is {rate}; it is at least 0 and less than 1.")
    if len(network.layers) == 1:
        raise ValueError("Dropout is between layers, and the network has one; stack(cell, layers=2) has two.")
    masks: dict[str, Array] = {}
    for below, layer in zip(network.layers, network.layers[1:], strict=False):
        kept = rng.random((T, B, n_hidden * len(below)), np.float32) >= rate
        mask = np.where(kept, np.asarray(1 / (1 - rate), dtype), np.asarray(0, dtype))
        masks |= {f"{cell.prefix}x": mask for cell in layer}
    return masks
