"""Whether the gradients behind a figure are right, at the configuration plotted: manual against an oracle.

The oracle is an argument, so that this package needs no JAX: ``against=autodiff("rnn")`` of ``reference``.

Each time step and sequence is judged by itself, relative to its own gradient, so that a norm of 1e-40 counts
as much as one of 1. The allowance is measured there, not chosen: every argument and every node of the pass is
moved by one unit in its last place, and what this does to the manual gradient is what rounding can do to a
correct one. Where that is too much (chaos, saturation), or the gradient has all but underflowed, the format
cannot decide; such places are counted, never passed.

What it does not see: which equation is wrong. That is the judge's task, in ``manual_rnn.testing``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from manual_rnn import affine
from manual_rnn.bptt import Parameters
from manual_rnn.cell import Array, Cell, of_input
from manual_rnn.check import of_one_cell
from manual_rnn.diagnostics.gradient_norms import log_norm, state_gradients, state_name
from manual_rnn.gradients import forward_and_backward, loss_and_gradients
from manual_rnn.loss import weights_of_steps
from manual_rnn.network import zero_state
from manual_rnn.tape import Tape

Oracle = Callable[[Sequence[Mapping[str, Any]]], Sequence[tuple[Mapping[str, Array], Mapping[str, Array]]]]
"""From problems (params, initial, x, y, weights, loss) to nodes and gradients of each: ``autodiff("rnn")`` is one."""

ROUNDINGS = 16.0
"""How many such moves a correct gradient may be off: a node of n terms rounds n times, not once, and JAX's
tanh is up to 6.5 ulp off. Measured on correct code (n = 4 to 300, gains .02 to 4, T to 60): up to 5.0."""
HOPELESS = 1e-3
"""An allowance above this decides nothing."""
MOVES = 3


@dataclass(frozen=True, kw_only=True)
class CrossCheck:
    """The comparison of ∂L/∂h(t) at t = 0 … T, for each sequence: all arrays are (T + 1, B), by step."""

    error: Array
    """‖manual − autodiff‖ / ‖autodiff‖; zero where both are zero."""
    allowance: Array
    """What rounding may do to it, measured there."""
    decided: npt.NDArray[np.bool_]
    """Where the format can tell."""

    @property
    def agree(self) -> bool:
        """Whether something was decided, and nothing decided is beyond its allowance."""
        within = self.error <= self.allowance  # False for nan
        return bool(self.decided.any() and np.all(within | ~self.decided))

    @property
    def worst(self) -> float:
        """The largest relative error of the decided; nan where nothing was."""
        return float(np.max(self.error[self.decided])) if self.decided.any() else float("nan")

    @property
    def undecided(self) -> int:
        """How many of the (T + 1) B places could not be decided."""
        return int((~self.decided).sum())

    def __str__(self) -> str:
        counts = f"{self.undecided} of {self.error.size} undecided"
        if not self.decided.any():
            return f"nothing to decide: the gradients are zero, have underflowed, or rounding may change them; {counts}"
        verdict = "manual and autodiff agree" if self.agree else "manual and autodiff DISAGREE"
        return f"{verdict}: worst relative error {self.worst:.1e}, {counts}"


@of_one_cell
def cross_check(
    cell: Cell,
    params: Parameters,
    x: Array,
    y: Array,
    *,
    against: Oracle,
    loss: str = "softmax",
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    state: str | None = None,
    seed: int = 0,
) -> CrossCheck:
    """Compares the gradient of a state at every step with the oracle's; the other arguments are those of
    gradient_norms.

    ``seed`` draws the directions in which the arguments are moved by an ulp. Raises ValueError as
    gradient_norms does.
    """
    name = state_name(cell, state)
    result = loss_and_gradients(
        cell, params, x, y, loss=loss, initial=initial, reduction=reduction, weights=weights
    )
    ours = state_gradients(cell, result, name)

    dtype = np.result_type(*params.values())
    T, B = x.shape[:2]
    initial = zero_state(cell, params, B) if initial is None else initial
    weights = weights_of_steps(weights, reduction, T, B, dtype)
    dense = np.eye(params[of_input(cell)].shape[1], dtype=dtype)[x] if affine.is_tokens(x) else x
    rest = {"x": dense, "y": y, "weights": weights, "loss": loss}
    _, grads = against([{"params": dict(params), "initial": dict(initial), **rest}])[0]
    theirs = np.concatenate([grads[f"{name}0"][None], grads[cell.full(name)]])

    rng = np.random.default_rng(seed)
    moved = [_moved_gradients(cell, params, x, y, weights, loss, initial, name, rng) for _ in range(MOVES)]
    eps = float(np.finfo(dtype).eps)
    sensitivity = np.max([_relative(m, ours) for m in moved], axis=0)
    allowance = ROUNDINGS * np.maximum(sensitivity, eps)

    # JAX flushes what is below the smallest normal number; from here up that is less than an ulp.
    floor = np.log(np.finfo(dtype).smallest_normal / eps) + np.log(ours.shape[-1]) / 2
    seen = np.fmax(log_norm(ours), log_norm(theirs)) >= floor
    lost = ~np.isfinite(ours).all(axis=-1) & ~np.isfinite(theirs).all(axis=-1)
    return CrossCheck(
        error=_relative(ours, theirs), allowance=allowance, decided=seen & ~lost & ~(allowance > HOPELESS)
    )


class _Moving(Tape):
    """A tape that moves every node by one unit in the last place, up or down at random, before it is used."""

    def __init__(self, T: int, rng: np.random.Generator) -> None:
        super().__init__(T)
        self._rng = rng

    def tap(self, name: str, value: Array) -> Array:
        return super().tap(name, _move(value, self._rng))

    def tap_all(self, name: str, values: Array) -> Array:
        return super().tap_all(name, _move(values, self._rng))


def _move(v: Array, rng: np.random.Generator) -> Array:
    if not np.issubdtype(v.dtype, np.inexact):
        return v
    moved: Array = v * (1 + rng.choice([-1, 1], v.shape) * np.finfo(v.dtype).eps).astype(v.dtype)
    return moved


def _moved_gradients(
    cell: Cell,
    params: Parameters,
    x: Array,
    y: Array,
    weights: Array,
    loss: str,
    initial: Mapping[str, Array],
    state: str,
    rng: np.random.Generator,
) -> Array:
    """The gradients of a state when every argument and every node has been moved."""
    params, initial = ({n: _move(v, rng) for n, v in arrays.items()} for arrays in (params, initial))
    tape, grads, x = _Moving(len(y), rng), _Moving(len(y), rng), _move(x, rng)
    forward_and_backward(cell, params, x, y, weights, initial, inputs=False, tape=tape, grads=grads, loss=loss)
    return np.concatenate([grads[f"{state}0"][None], grads[cell.full(state)]])


def _relative(ours: Array, theirs: Array) -> Array:
    """‖ours − theirs‖ / ‖theirs‖ of each vector, no square underflowing; zero where they are the same, zeros too;
    inf where only theirs is zero."""
    with np.errstate(invalid="ignore", over="ignore"):
        relative: Array = np.exp(log_norm(ours - theirs) - log_norm(theirs))
    return np.where((ours == theirs).all(axis=-1), 0.0, relative)
