r"""Lyapunov exponents: how fast small changes grow or die along a run, each direction by itself.

.. math::
    J(t)^\top Q_k = Q_{k+1} R_{k+1}, \qquad
    \lambda_i = \lim_{K \to \infty} \frac1K \sum_{k=1}^{K} \log |R_k|_{ii}

with Q orthonormal: after each step back the directions are made orthogonal again by a QR decomposition, and what that
takes off them is counted (Benettin et al. 1980; Shimada, Nagashima 1979; for networks Engelken, Wolf, Abbott 2023).
Gradients go through the transposed Jacobians in the other order, and the exponents of both are the same (Oseledets
1968), so what BPTT sends back is all that is needed, for any cell.

λ₁ > 0: chaos, exploding gradients; λ₁ < 0: what happened is forgotten, gradients vanish by e^{λ₁} a step.

What it does not see: a finite run has fluctuations that die as 1/√K; the standard errors are of batch means, which
are too small where the run is shorter than some hundred correlation times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from manual_rnn.bptt import unroll
from manual_rnn.cell import Array, Cell
from manual_rnn.check import of_one_cell
from manual_rnn.diagnostics.comparison import Oracle, checked
from manual_rnn.diagnostics.labelled import xr
from manual_rnn.diagnostics.measurable import Unmeasurable, check_count, check_decomposed
from manual_rnn.diagnostics.one_step import DIRECTIONS, Steps
from manual_rnn.diagnostics.trajectory import Trajectory
from manual_rnn.tape import Tape

BATCHES = 20
"""Parts of the run whose means the standard error is of."""


@of_one_cell
def lyapunov_exponents(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    *,
    count: int | None = None,
    initial: Mapping[str, Array] | None = None,
    settle: int | None = None,
    warm_up: int | None = None,
    seed: int = 0,
    against: Oracle | None = None,
) -> xr.Dataset:
    """The ``count`` largest exponents (all by default), per step, natural logarithm.

    Args:
        x: inputs (T, B, n_in), or token ids (T, B).
        settle: how many of the first steps are left out, until the state has forgotten where it began; T/10 by
            default.
        warm_up: how many of the last steps are gone back through before anything is counted, until the directions
            have found themselves; T/10 by default.
        seed: of the directions to begin with.
        against: the oracle of a cross-check (:mod:`.comparison`): at up to 64 steps, from the run's own states, what
            the step makes of the states, and what comes back of eight random gradients. It does not see the QR
            decompositions, which :func:`perturbation_exponent` knows nothing of, nor other steps.

    Returns ``exponent`` (index) and ``standard_error`` (index), over batch means and sequences, and ``trace`` (lag,
    index), the mean of the first so many counted steps: whether it has converged.

    Raises ValueError where an argument does not fit, Unmeasurable where a state is not finite, Disagreement.
    """
    run = Trajectory.of(cell, params, x, initial)
    settle, warm_up = (run.T // 10 if n is None else n for n in (settle, warm_up))
    check_decomposed(run.params["V"].dtype)
    count = run.width if count is None else count
    check_count("settle", settle, 0, "number of steps")
    check_count("warm_up", warm_up, 0, "number of steps")
    check_count("count", count, 1)
    if count > run.width:
        raise ValueError(f"count is {count}; the cell has {run.width} exponents, so it is between 1 and that.")
    steps = run.T - settle - warm_up
    if steps < BATCHES:
        raise ValueError(
            f"Of {run.T} steps, settle = {settle} and warm_up = {warm_up} leave {steps}; at least {BATCHES} are needed."
        )

    def back(k: int, directions: Array) -> Array:
        return run.columns(run.back(run.T - 1 - k, run.bundle(directions))[0])

    growth = _growth(back, run.T - settle, (run.B, run.width, count), seed)[warm_up:]
    found = _exponents(growth)
    if against is None:
        return found
    steps_apart = Steps(run, params, against, each=DIRECTIONS)
    nodes, _ = steps_apart.of_oracle()
    checks = {"states": steps_apart.nodes(cell.states, nodes), "Jacobians of a step": steps_apart.jacobians()}
    return checked(found, checks)


def exponents_of_product(matrices: Array, *, count: int | None = None, warm_up: int = 0, seed: int = 0) -> xr.Dataset:
    """The same of a product of matrices (K, n, n) that are given, the first applied first.

    Raises ValueError where these are no square matrices, fewer than 20 are left after the warm-up, or ``count`` is not
    between 1 and n; Unmeasurable for a matrix that is not finite.
    """
    if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2]:
        raise ValueError(f"The matrices have the shape {matrices.shape}; expected (K, n, n).")
    check_decomposed(matrices.dtype)
    K, n = len(matrices), matrices.shape[-1]
    count = n if count is None else count
    check_count("warm_up", warm_up, 0)
    check_count("count", count, 1)
    if count > n:
        raise ValueError(f"count is {count}; matrices of {n} rows have {n} exponents, so it is between 1 and that.")
    finite = np.isfinite(matrices).all(axis=(1, 2))
    if not finite.all():
        raise Unmeasurable(f"Matrix {int(np.argmin(finite))} of the product is not finite.")
    if K - warm_up < BATCHES:
        raise ValueError(f"Of {K} matrices, warm_up = {warm_up} leaves {K - warm_up}; at least {BATCHES} are needed.")
    growth = _growth(lambda k, directions: matrices[k] @ directions, K, (1, n, count), seed)
    return _exponents(growth[warm_up:])


def _growth(step: Callable[[int, Array], Array], steps: int, shape: tuple[int, int, int], seed: int) -> Array:
    """log |R_k|_ii, (steps, B, count), of directions (B, D, count) that ``step(k, ·)`` takes on."""
    directions, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal(shape))
    growth = np.empty((steps, shape[0], shape[2]))
    for k in range(steps):
        directions, R = np.linalg.qr(step(k, directions))
        with np.errstate(divide="ignore"):
            growth[k] = np.log(np.abs(np.diagonal(R, axis1=1, axis2=2)))
    return growth


def _exponents(growth: Array) -> xr.Dataset:
    steps, _, count = growth.shape
    units = {"units": "nats per step"}
    means = np.concatenate([part.mean(axis=0) for part in np.array_split(growth, BATCHES)])
    with np.errstate(invalid="ignore"):  # a direction that is lost for good has −∞, and no spread
        spread = means.std(axis=0, ddof=1) / np.sqrt(len(means))
    trace = growth.mean(axis=1).cumsum(axis=0) / np.arange(1, steps + 1)[:, None]
    return xr.Dataset(
        {
            "exponent": ("index", growth.mean(axis=(0, 1)), units),
            "standard_error": ("index", spread, units),
            "trace": (("lag", "index"), trace, {**units, "long_name": "mean of the first so many steps"}),
        },
        coords={"index": np.arange(1, count + 1), "lag": np.arange(1, steps + 1)},
        attrs={"diagnostic": "lyapunov_exponents"},
    )


@of_one_cell
def perturbation_exponent(
    cell: Cell,
    params: Mapping[str, Array],
    x: Array,
    *,
    initial: Mapping[str, Array] | None = None,
    settle: int | None = None,
    size: float | None = None,
    every: int = 5,
    seed: int = 0,
) -> float:
    """λ₁ without any derivative: two runs that differ by ``size``, set back to that every ``every`` steps.

    The check of :func:`lyapunov_exponents`: it knows nothing but the forward pass. Wrong by about ``size`` times the
    curvature, and by rounding over ``size``, so that is 1e-7 by default, and 3e-4 in float32, whose digits end at 1e-7.
    Raises as that function does; here ``every`` steps after ``settle`` are enough.
    """
    run = Trajectory.of(cell, params, x, initial)
    settle = run.T // 10 if settle is None else settle
    size = max(1e-7, float(np.sqrt(np.finfo(run.params["V"].dtype).eps))) if size is None else size
    check_count("every", every, 1, "number of steps")
    check_count("settle", settle, 0, "number of steps")
    if not (np.isfinite(size) and size > 0):
        raise ValueError(f"size is {size}; it is how far the two runs are apart, a finite number above zero.")
    if run.T - settle < every:
        raise ValueError(
            f"Of {run.T} steps, settle = {settle} leaves {run.T - settle}; at least every = {every} are needed, or one."
        )
    rng = np.random.default_rng(seed)
    states = {name: run.states(name) for name in cell.states}
    away = run.bundle(np.linalg.qr(rng.standard_normal((run.B, run.width, 1)))[0])
    logs = []
    for t in range(0, run.T - every + 1, every):
        moved = {name: states[name][t] + size * away[name][0] for name in cell.states}
        ended = unroll(cell, params, x[t : t + every], moved, Tape(every))
        apart = {name: (ended[name] - states[name][t + every])[None] / size for name in cell.states}
        length = np.linalg.norm(run.columns(apart), axis=1)[:, 0]
        if not length.all():
            raise Unmeasurable(
                f"After step {t + every} the two runs are the same: what tells them apart has gone below the format's "
                f"digits within {every} steps. Take a smaller every, or lyapunov_exponents."
            )
        away = {name: array / length[None, :, None] for name, array in apart.items()}
        logs.append(np.log(length))
    return float(np.mean(logs[min(settle // every, len(logs) - 1) :]) / every)
