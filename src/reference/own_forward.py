"""The gradients of a forward pass of your own that is written in JAX, by ``jax.grad``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class OwnForward:
    """The oracle: what :func:`autodiff_of` returns."""

    forward: Callable[..., Any]
    source = "autodiff of your own forward pass"

    def gradients(
        self, arrays: Mapping[str, np.ndarray], upstream: np.ndarray | None, names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """The gradient of ⟨upstream, forward(**arrays)⟩ for each name; of what forward returns where there is none.

        Raises:
            ValueError: forward returns an array of another shape than ``upstream``, or no scalar where there is none.
        """
        moved = {name: arrays[name] for name in names}
        fixed = {name: array for name, array in arrays.items() if name not in moved}
        with jax.enable_x64(True):
            found = jax.device_get(_compiled(self.forward)(moved, fixed, upstream))
        return {name: np.asarray(found[name]) for name in names}


def autodiff_of(forward: Callable[..., Any]) -> OwnForward:
    """The oracle of your own forward pass in JAX.

    ``forward`` takes the arrays by keyword under your names and returns h at every step, in your layout (or a tuple
    that begins with it); with a loss that has a readout, the loss. Everything is computed in float64.

    What it cannot see: a mistake in the forward itself, whose derivative this is.

    Raises:
        ValueError: forward is no function.
    """
    if not callable(forward):
        raise ValueError(f"forward is of the type {type(forward).__name__}; expected a function.")
    return OwnForward(forward)


@cache
def _compiled(forward: Callable[..., Any]) -> Callable[..., Any]:
    def loss(moved: Any, fixed: Any, upstream: Any) -> Any:
        returned = forward(**moved, **fixed)
        h = jnp.asarray(returned[0] if isinstance(returned, tuple) else returned)
        wanted = () if upstream is None else upstream.shape
        if h.shape != wanted:
            what = "the loss, a scalar" if upstream is None else f"h at every step, {wanted}"
            raise ValueError(f"forward returned an array of the shape {h.shape}; expected {what}.")
        return h if upstream is None else jnp.sum(upstream * h)

    return jax.jit(jax.grad(loss))
