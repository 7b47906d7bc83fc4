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
        self,
        arrays: Mapping[str, np.ndarray],
        upstream: np.ndarray | Sequence[np.ndarray] | None,
        names: Sequence[str],
    ) -> dict[str, np.ndarray]:
        """The gradient of ⟨upstream, forward(**arrays)⟩ for each name; of what forward returns where there is none.

        Several upstream gradients belong to the first arrays that forward returns: ⟨grad_h, h⟩ + ⟨grad_c, c⟩.

        Raises:
            ValueError: forward returns an array of another shape than ``upstream``, or no scalar where there is none.
        """
        above = upstream if upstream is None or isinstance(upstream, np.ndarray) else tuple(upstream)
        moved = {name: arrays[name] for name in names}
        fixed = {name: array for name, array in arrays.items() if name not in moved}
        with jax.enable_x64(True):
            found = jax.device_get(_compiled(self.forward)(moved, fixed, above))
        return {name: np.asarray(found[name]) for name in names}

    def values(self, arrays: Mapping[str, np.ndarray], count: int) -> list[np.ndarray]:
        """The first arrays that forward returns, in float64. Raises ValueError where it returns fewer."""
        with jax.enable_x64(True):
            found = jax.device_get(_compiled_values(self.forward, count)(dict(arrays)))
        return [np.asarray(array) for array in found]


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
        if upstream is None:
            (value,) = _first(returned, 1)
            _expect(value, (), "the loss, a scalar")
            return value
        above = upstream if isinstance(upstream, tuple) else (upstream,)
        total = jnp.zeros(())
        for grad, h in zip(above, _first(returned, len(above)), strict=True):
            _expect(h, grad.shape, f"h at every step, {grad.shape}")
            total = total + jnp.sum(grad * h)
        return total

    return jax.jit(jax.grad(loss))


@cache
def _compiled_values(forward: Callable[..., Any], count: int) -> Callable[..., Any]:
    return jax.jit(lambda arrays: _first(forward(**arrays), count))


def _first(returned: Any, count: int) -> list[Any]:
    """The first arrays of what a forward returned: (h, cache) begins with one, (h, c, cache) with two."""
    parts = returned if isinstance(returned, tuple) else (returned,)
    if len(parts) < count:
        raise ValueError(f"forward returned {len(parts)} of the {count} arrays that have an upstream gradient.")
    return [jnp.asarray(part) for part in parts[:count]]


def _expect(array: Any, shape: tuple[int, ...], what: str) -> None:
    if array.shape != shape:
        raise ValueError(f"forward returned an array of the shape {array.shape}; expected {what}.")
