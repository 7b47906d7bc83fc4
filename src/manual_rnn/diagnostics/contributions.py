r"""What the gradient of a parameter is made of: the part of each lag, and of each time step.

The gradient of a recurrent matrix is a double sum, over the step t at which the matrix is used and over the loss L_s
that is told of it. Ordered by the lag s − t it says how far back the learning signal reaches:

.. math::
    \nabla W = \sum_{k=0}^{T-1} C_k, \qquad
    C_k = \sum_t \frac{\partial L_{t+k}}{\partial a(t)}\, h(t-1)^\top

Truncated BPTT that goes back over K steps keeps C_0 … C_{K−1} of most losses, so ‖∇W − Σ_{k<K} C_k‖ is what such a
truncation would get wrong (Aicher, Foti, Fox 2019 bound the same relative bias).

What it does not see: parts may point against each other. ``share`` is signed and sums to one, ``log_norm`` is not and
does not; where they tell different stories, parts cancel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from manual_rnn import affine
from manual_rnn.cell import Affine, Array, Cell, Term
from manual_rnn.check import of_one_cell
from manual_rnn.clipping import norm
from manual_rnn.diagnostics.comparison import Oracle, checked, compare, sampled
from manual_rnn.diagnostics.cross_check import moved_gradients
from manual_rnn.diagnostics.labelled import xr
from manual_rnn.diagnostics.many_losses import MOST, back_from_losses, by_oracle, gradients_apart, unscaled
from manual_rnn.diagnostics.measurable import Unmeasurable, check_loss
from manual_rnn.diagnostics.rounding import MOVES
from manual_rnn.diagnostics.states import log_norm
from manual_rnn.diagnostics.trajectory import Trajectory
from manual_rnn.ways.given import Given

MOST_BYTES = 2.0**31
"""Bytes of the largest array that is made: gradients of every loss at every step."""


@of_one_cell
def contributions(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    y: Array,
    parameter: str | None = None,
    *,
    initial: Mapping[str, Array] | None = None,
    reduction: str = "sum",
    weights: Array | None = None,
    loss: str = "softmax",
    against: Oracle | None = None,
) -> xr.Dataset:
    r"""The parts of the gradient of a W, U or b of the cell, the first W by default, summed over the batch.

    The other arguments are those of :func:`manual_rnn.loss_and_gradients`. Costs one backward pass for all losses, T²/2
    rows, and keeps T² (B, n_hidden) numbers.

    ``against`` is the oracle of a cross-check (:mod:`.comparison`): the sum of all parts, ∇ of the parameter, where the
    oracle has that; and the parts of at most seven losses, evenly spread, at every step, as gradients of the map that
    the parameter is in. It does not see how the parts of one lag are added up: the tests hold that to truncated BPTT.

    Returns by ``lag`` (k = 0 … T − 1)

    - ``log_norm``: log ‖C_k‖, natural, -inf for zero; nothing underflows;
    - ``share``: ⟨C_k, ∇⟩ / ‖∇‖², signed; they sum to one;
    - ``left_out``: ‖∇ − Σ_{j<k} C_j‖ / ‖∇‖, the relative error of stopping before lag k;

    and by ``step`` (t = 1 … T) ``log_norm_of_step`` and ``share_of_step``, of the parts that come from step t.

    Raises ValueError as that function does, for a parameter that is none of a map's, and where T² numbers would be too
    many; Unmeasurable where a state is not finite or the gradient is zero; Disagreement.
    """
    given = Given.of(cell, params, x, y, loss=loss, initial=initial, reduction=reduction, weights=weights)
    check_loss(given.weights)
    run = Trajectory.of(cell, params, x, given.initial)
    name = parameter or _first(cell)
    where, rows = _used(run, name)
    apart = _Apart.of(run, run.from_losses(y, given.weights, loss), where)
    T = run.T
    by_lag = [apart.of_lag(k, rows) for k in range(T)]
    by_step = [apart.of_step(t, rows) for t in range(T)]
    top = max((power for part, power in by_lag if part.any()), default=0)
    parts = [unscaled(part.ravel(), np.asarray(power - top)) for part, power in by_lag]  # the largest is within reach
    total = sum(parts[1:], start=parts[0])
    size = norm(total)
    if not size:
        raise Unmeasurable(
            f"The gradient of {name} is zero: it has no parts. (That of a recurrent matrix is where the states that it "
            "meets are zeros, as over one step from h(0) = 0: take more steps, or hand in initial.)"
        )
    left, left_out = total.copy(), []
    for part in parts:
        left_out.append(norm(left) / size)
        left -= part

    def shares(of: list[tuple[Array, int]]) -> list[float]:
        return [float(np.vdot(unscaled(part.ravel(), np.asarray(power - top)) / size, total / size))
                for part, power in of]  # fmt: skip

    found = xr.Dataset(
        {
            "log_norm": ("lag", _logs(by_lag), {"units": "nats", "long_name": "log ‖C_k‖"}),
            "share": ("lag", shares(by_lag), {"long_name": "share of the gradient, signed"}),
            "left_out": ("lag", left_out, {"long_name": "relative error of stopping before this lag"}),
            "log_norm_of_step": ("step", _logs(by_step), {"units": "nats"}),
            "share_of_step": ("step", shares(by_step)),
        },
        coords={"lag": np.arange(T), "step": np.arange(1, T + 1)},
        attrs={"diagnostic": "contributions", "parameter": name},
    )
    if against is None:
        return found
    losses = sampled(T, MOST)[::-1]
    rest = {"y": y, "loss": loss}
    whole, *each = by_oracle(against, cell, params, x, given.initial, losses, given.weights, **rest)
    rng, moved, moved_totals = np.random.default_rng(0), [], []
    for _ in range(MOVES):
        other = Trajectory.moved(cell, params, x, given.initial, rng)
        moved.append(gradients_apart(other, other.from_losses(y, given.weights, loss), losses, where)[:, 1:])
        moved_totals.append(
            moved_gradients(cell, params, x, y, given.weights, loss, given.initial, rng)[name].ravel()[None]
        )
    places = {"loss": [s + 1 for s in losses], "step": range(1, T + 1), "sequence": range(run.B)}
    theirs = np.stack([grads[cell.full(where)] for grads in each])
    checks = {f"parts at {where}": compare(apart.rows_of(losses), theirs, moved, places)}
    if name in params and name in whole:
        ours = unscaled(total[None], np.array([top]))
        checks[f"∇{name}"] = compare(ours, whole[name].ravel()[None], moved_totals, {"parameter": [name]})
    return checked(found, checks)


def _first(cell: Cell) -> str:
    return next((m.W for m in cell.maps if m.W), next(m.U for m in cell.maps if m.U))


def _used(run: Trajectory, parameter: str) -> tuple[str, Array]:
    """The map that a parameter is in, and what it is multiplied with at each step, (T, B, n)."""
    for m in run.cell.maps:
        for term in m.terms:
            if term.weight == parameter and not term.diagonal:
                return m.node, _rows_of(run, term)
        if parameter == m.U:
            n_in = run.params[parameter].shape[1]
            return m.node, np.eye(n_in, dtype=run.params[parameter].dtype)[run.x] if affine.is_tokens(run.x) else run.x
        if parameter == m.b:
            return m.node, np.ones((run.T, run.B, 1), run.params[parameter].dtype)
    raise ValueError(
        f"The cell {run.cell.name!r} has no matrix or bias {parameter!r} in a map; it has "
        f"{', '.join(name for m in run.cell.maps for name in _names(m))}."
    )


def _rows_of(run: Trajectory, term: Term) -> Array:
    return run.tape[run.cell.full(term.of)] if term.now else run.tape.previous(run.cell.full(term.of))


def _names(m: Affine) -> list[str]:
    return [name for name in (*(term.weight for term in m.terms if not term.diagonal), m.U, m.b) if name]


@dataclass(frozen=True)
class _Apart:
    """∂L_s/∂(map at step t) for all s and t: ``rows`` (s, t, B, n) times two to the ``power`` (s, t, B)."""

    rows: Array
    power: Array

    @classmethod
    def of(cls, run: Trajectory, sent: Array, where: str) -> _Apart:
        T, B, n = sent.shape
        if T * T * B * n * sent.itemsize > MOST_BYTES:
            raise ValueError(
                f"{T} losses at {T} steps of {B} sequences of {n} units are more than {MOST_BYTES / 2**30:g} GiB; "
                "take fewer steps or sequences."
            )
        apart = cls(np.zeros((T, T, B, n), sent.dtype), np.zeros((T, T, B), int))
        for step, made, power, _ in back_from_losses(run, sent, range(T - 1, -1, -1), where):
            if step:
                apart.rows[step - 1 :, step - 1] = made[::-1]
                apart.power[step - 1 :, step - 1] = power[::-1]
        return apart

    def of_lag(self, k: int, used: Array) -> tuple[Array, int]:
        """C_k, less a power of two; ``used`` (T, B, n) is what the map is multiplied with at each step."""
        at = np.arange(len(used) - k)
        rows, power = self._within_reach(at + k, at)
        return affine.weight_gradient(rows, used[at], used.shape[-1]), power

    def of_step(self, t: int, used: Array) -> tuple[Array, int]:
        """The part of all losses that comes from row t, less a power of two."""
        rows, power = self._within_reach(np.arange(t, len(used)), t)
        return affine.weight_gradient(rows.sum(axis=0), used[t], used.shape[-1]), power

    def _within_reach(self, losses: Array, steps: Array | int) -> tuple[Array, int]:
        rows, power = self.rows[losses, steps], self.power[losses, steps]
        there = power[rows.any(axis=-1)]
        top = int(there.max()) if there.size else 0
        return unscaled(rows, power - top), top

    def rows_of(self, losses: list[int]) -> Array:
        """(S, T, B, n), as the format has them."""
        return unscaled(self.rows[losses], self.power[losses])


def _logs(parts: list[tuple[Array, int]]) -> Array:
    return np.array([log_norm(part.ravel()) + power * np.log(2) for part, power in parts])
