r"""How the Lyapunov exponents of a run change with the parameters: the QR iteration, and the way back through it.

k orthonormal directions, the columns of Q(t), go with the state; s is all states of the cell end to end, h or [h, c]:

.. math::
    s(t)      &= f(s(t-1), x(t); \theta)                                                  && \text{L1, by F1, F2} \\
    Z(t)      &= J(t)\, Q(t-1), \qquad J(t) = \frac{\partial s(t)}{\partial s(t-1)}       && \text{L2} \\
    Q(t) R(t) &= Z(t)                                                                     && \text{L3, Q1 of qr.py} \\
    \lambda_i &= \frac1{\tau - w} \sum_{t=w+1}^{\tau} \log |R_{ii}(t)|                    && \text{L4}

with w steps of warm-up that do not count. L2 is R{s(t)} along the columns of Q(t−1): RF1 and RF2 of
:mod:`manual_rnn.ways.hessian`, where the state moves, and neither parameter nor input does.

Back, from the last step to the first, with ∇Q(τ) = 0 and ∇s(τ) = 0, for any loss of the exponents:

.. math::
    \nabla R_{ii}(t)      &= \frac{\nabla \lambda_i}{(\tau - w)\, R_{ii}(t)}
                             \text{ where } t > w, \text{ else } 0                                && \text{G1} \\
    \nabla Z(t)           &= \text{what } \nabla Q(t) \text{ and } \nabla R(t) \text{ send back} && \text{G2, by Q5} \\
    \nabla Q(t-1)         &= J(t)^\top \nabla Z(t)                                                && \text{G3} \\
    \nabla s(t-1)         &= J(t)^\top \nabla s(t)
                             + \sum_j \frac{\partial}{\partial s(t-1)}\, z_j^\top J(t)\, q_j      && \text{G4} \\
    \nabla \theta         &= \sum_t \Bigl(\frac{\partial f}{\partial \theta}\Bigr)^{\!\top} \nabla s(t)
                             + \sum_j \frac{\partial}{\partial \theta}\, z_j^\top J(t)\, q_j      && \text{G5}

where z_j and q_j are the columns of ∇Z(t) and Q(t−1). G4 and G5 ask for second derivatives of the step, as J depends on
the state and on θ. But zᵀ J q is R{zᵀ f} along q, and derivatives may be taken in either order: what it sends to s and
to θ is R of what zᵀ f sends there, and that is the cell's way back. So for each column j there is one step back with
the pair

.. math:: \nabla s_j(t) = z_j, \qquad R\{\nabla s_j(t)\} = \text{column } j\text{'s share of } \nabla s(t)

by RB4 to RB8, R being along q_j. What it carries back are the column of ∇Q (G3) and, as R of it, the column's share of
∇s(t−1) (G4); R of the gradients of the parameters is G5. All is linear in the shares: they are summed where it is
cheap, at the end.

Of Q5's sym M little is left here. For an upper triangular N the first i columns of Q + ε Q N span what those of Q span,
so in the next step Q stays what it is, and R is multiplied with 1 + ε N from the right: log ``|R_ii|`` grows by ε N_ii,
and nothing later changes. So ⟨∇Q, Q N⟩ = Σ_i N_ii (∇R_ii R_ii)(t+1), and M is diagonal as far as sym looks at it: the
difference of the ∇R_ii R_ii of two steps, zero but at both ends of the window.

What it does not see: exponents of a finite run whose directions began at random are not yet those of the limit
(:mod:`manual_rnn.diagnostics.lyapunov`). And this is a gradient through time like any other, which explodes where the
run is chaotic and τ is long; where a step leaves little of a direction its own, as many digits are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from manual_rnn import qr
from manual_rnn.cell import Array, Cell, Nodes
from manual_rnn.check import check_run, of_one_cell
from manual_rnn.network import zero_state
from manual_rnn.ways.pairs import Pairs, step_back, step_forward, weight_gradients
from manual_rnn.ways.tangent import Dual

Pullback = Callable[[Array], dict[str, Array]]


@of_one_cell
def lyapunov_gradient(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    *,
    count: int | None = None,
    initial: Mapping[str, Array] | None = None,
    warm_up: int = 0,
    seed: int = 0,
) -> tuple[Array, Pullback]:
    """The exponents λ (B, count) of a run, nats per step, and the function from ∂L/∂λ (B, count) to the gradient of L.

    Args:
        x: inputs (T, B, n_in), or token ids (T, B).
        count: k, the exponents that belong to the directions that grow most; all by default, of two states 2 n_hidden.
        initial: the states to start from, zeros by default.
        warm_up: w, how many of the first steps do not count; gradients go through them all the same.
        seed: of the directions to begin with, Q(0) drawn uniformly for each sequence.

    The gradient has the names that ``loss_and_gradients`` gives, of parameters (zeros for V and c) and initial states.
    It costs as much as ``count`` Hessian–vector products with B sequences, and T QR decompositions; all nodes of all
    of these are kept.

    Raises ValueError where an argument does not fit, and where an exponent is −∞ within rounding: the Jacobian of a
    step has not so many directions, as with ReLUs that are off.
    """
    check_run(cell, params, x, initial)
    (T, B), dtype = x.shape[:2], np.result_type(*params.values())
    initial = zero_state(cell, params, B) if initial is None else initial
    width = sum(initial[name].shape[1] for name in cell.states)
    k = width if count is None else count
    _check(dtype, T, width, k, warm_up)
    run = _Run(cell, params, k, B)
    begin = first_directions(B, width, k, seed=seed).astype(dtype)
    return run.forward(x, initial, begin, warm_up), run.back


def first_directions(B: int, width: int, count: int, *, seed: int) -> Array:
    """Q(0), (B, width, count): orthonormal columns, drawn uniformly for each sequence."""
    Q, _ = qr.forward(np.random.default_rng(seed).standard_normal((B, width, count)))
    return Q


@dataclass(frozen=True)
class _Step:
    """What the way back needs of a step; ``prev`` has Q(t−1) for tangents."""

    x: Array
    prev: Pairs
    node: Pairs
    Q: Array
    R: Array


class _Run:
    """A run with k directions. Rows are (k B, n): direction j of sequence b is a sequence of its own."""

    def __init__(self, cell: Cell, params: Mapping[str, Array], k: int, B: int) -> None:
        self.P = {**params, **{w.name: w.forward(params[w.of]) for w in cell.weights}}  # (F0)
        self.cell, self.names, self.k, self.B = cell, tuple(params), k, B
        self.steps: list[_Step] = []
        self.warm_up = 0

    def forward(self, x: Array, initial: Mapping[str, Array], Q: Array, warm_up: int) -> Array:
        """λ, from Q(0) (B, D, k)."""
        self.warm_up = warm_up
        states, growth = {name: self._for_each(initial[name]) for name in self.cell.states}, []
        for t, rows in enumerate(x):
            x_t, tangents = self._for_each(rows), self._rows(Q)
            prev = {name: Dual(states[name], tangents[name]) for name in self.cell.states}
            node: dict[str, Any] = {}
            with np.errstate(over="ignore", invalid="ignore"):
                after = step_forward(self.cell, self.P, x_t, prev, node)  # (L1) and, as its R, (L2)
            states = {name: after[name].value for name in self.cell.states}
            _check_finite(after, t + 1, B=self.B)
            Q, R = qr.forward(self._columns({name: after[name].tangent for name in self.cell.states}))  # (L3)
            _check_lengths(R, t + 1, width=Q.shape[1])
            self.steps.append(_Step(x_t, prev, node, Q, R))
            growth.append(np.log(np.abs(_diagonal(R))))
        exponents: Array = np.mean(growth[warm_up:], axis=0)  # (L4)
        return exponents

    def back(self, grad_exponents: Array) -> dict[str, Array]:
        """The gradient by name, from ∂L/∂λ (B, k)."""
        if np.shape(grad_exponents) != (self.B, self.k):
            raise ValueError(
                f"∂L/∂λ has the shape {np.shape(grad_exponents)}; expected that of the exponents, {(self.B, self.k)}."
            )
        sums = {name: np.zeros_like(array) for name, array in self.P.items()}
        last, counted = self.steps[-1], len(self.steps) - self.warm_up
        grad_Q, share = np.zeros_like(last.Q), {name: 0 * last.prev[name].value for name in self.cell.states}
        for t, step in reversed(list(enumerate(self.steps))):
            counts = t >= self.warm_up
            grad_R = _diagonal_matrix(counts * grad_exponents / (counted * _diagonal(step.R)))  # (G1)
            grad_Z = self._rows(qr.backward(step.Q, step.R, grad_Q, grad_R.astype(grad_Q.dtype)))  # (G2)
            grad = Nodes(**{name: Dual(grad_Z[name], share[name]) for name in self.cell.states})
            carried, of_maps = step_back(self.cell, self.P, Nodes(**step.node), Nodes(**step.prev), grad)
            grad_Q = self._columns({name: carried[name].value for name in self.cell.states})  # (G3)
            share = {name: carried[name].tangent for name in self.cell.states}  # (G4)
            for name, found in weight_gradients(self.cell, self.P, step.x, step.node, step.prev, of_maps).items():
                sums[name] += found.tangent  # (G5)
        for w in self.cell.weights:
            sums[w.of] = w.backward(self.P[w.of], self.P[w.name], sums[w.name])  # (G5), through the function
        of_states = {f"{name}0": share[name].reshape(self.k, self.B, -1).sum(axis=0) for name in self.cell.states}
        return {name: sums[name] for name in self.names} | of_states

    def _for_each(self, rows: Array) -> Array:
        """Rows (B, …) for each of the k directions, (k B, …)."""
        return np.tile(rows, (self.k, *[1] * (rows.ndim - 1)))

    def _rows(self, columns: Array) -> dict[str, Array]:
        """Columns (B, D, k), the states end to end, as rows (k B, n) of each state."""
        parts = np.split(np.moveaxis(columns, -1, 0), len(self.cell.states), axis=-1)
        return {name: part.reshape(self.k * self.B, -1) for name, part in zip(self.cell.states, parts, strict=True)}

    def _columns(self, rows: Mapping[str, Array]) -> Array:
        """The same the other way round."""
        parts = [rows[name].reshape(self.k, self.B, -1) for name in self.cell.states]
        return np.moveaxis(np.concatenate(parts, axis=-1), 0, -1)


def _diagonal(R: Array) -> Array:
    return np.diagonal(R, axis1=-2, axis2=-1)


def _diagonal_matrix(entries: Array) -> Array:
    """(…, k) as diagonals of (…, k, k)."""
    of_each: Array = entries[..., None] * np.eye(entries.shape[-1])
    return of_each


def _check(dtype: np.dtype[Any], T: int, width: int, count: int, warm_up: int) -> None:
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"The parameters are {dtype}, and NumPy decomposes float32 and float64 only; hand in float64.")
    for name, value, least, most in (("count", count, 1, width), ("warm_up", warm_up, 0, T - 1)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
            raise ValueError(
                f"{name} is {value!r}; with {width} exponents and {T} steps it is a whole number from {least} to "
                f"{most}."
            )


def _check_lengths(R: Array, t: int, *, width: int) -> None:
    """Raises ValueError where of a direction nothing is left but the rounding of those that were taken off it."""
    lengths, whole = np.abs(_diagonal(R)), np.linalg.norm(R, axis=-2)
    left = lengths > width * np.finfo(R.dtype).eps * whole
    if not left.all():
        b, i = (int(j) for j in np.argwhere(~left)[0])
        raise ValueError(
            f"Direction {i + 1} is lost at step {t}, in sequence {b}: of a length of {whole[b, i]:.1e}, "
            f"{lengths[b, i]:.1e} is its own, which is rounding. Its exponent is −∞, or out of the format's reach; "
            "take a smaller count."
        )


def _check_finite(states: Pairs, t: int, *, B: int) -> None:
    """Raises ValueError where a state or a direction is not finite."""
    for name, rows in states.items():
        finite = (np.isfinite(rows.value) & np.isfinite(rows.tangent)).all(axis=-1)
        if not finite.all():
            raise ValueError(
                f"The state {name}, or a direction of it, is not finite after step {t}, in sequence "
                f"{int(np.argmin(finite)) % B}: the run grows beyond the format. Take a smaller gain or fewer steps."
            )
