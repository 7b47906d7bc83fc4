r"""Clipping by the global norm, a step of its own between the gradient and the update.

.. math::
    g \leftarrow g \cdot \min\!\left(1, \frac{C}{\lVert g \rVert}\right), \qquad
    \lVert g \rVert = \sqrt{\textstyle\sum_{\theta} \lVert \nabla \theta \rVert^2}

Algorithm 1 of Pascanu, Mikolov, Bengio, *On the difficulty of training recurrent neural networks*, 2013. The
norm is taken over all parameters together, so the direction of the whole gradient stays.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manual_rnn.cell import Array


def norm(array: Array) -> float:
    """The Euclidean norm of an array, which overflows and underflows only where the norm itself does."""
    # Divided by the largest entry first: the squares of 1e20 and of 1e-23 do not exist in float32.
    largest = float(np.abs(array).max(initial=0))
    if largest == 0 or not np.isfinite(largest):
        return largest
    scaled = (array / array.dtype.type(largest)).ravel()
    return largest * float(np.sqrt(np.vdot(scaled, scaled)))


def norms(gradients: Mapping[str, Array]) -> dict[str, float]:
    """The norm of each gradient by its name."""
    return {name: norm(gradient) for name, gradient in gradients.items()}


def clip_by_norm(gradients: Mapping[str, Array], limit: float) -> tuple[dict[str, Array], float]:
    """The gradients, scaled to the norm ``limit`` if theirs is larger, and the norm that they had.

    Raises:
        FloatingPointError: a gradient is not finite, so no factor makes it usable; all norms are given.
    """
    each = norms(gradients)
    total = float(np.hypot.reduce(list(each.values())))
    if not np.isfinite(total):
        listed = ", ".join(f"{name} {value:.3g}" for name, value in each.items())
        raise FloatingPointError(f"The gradient is not finite; its norms are: {listed}.")
    if total <= limit:
        return dict(gradients), total
    return {name: g * g.dtype.type(limit / total) for name, g in gradients.items()}, total
