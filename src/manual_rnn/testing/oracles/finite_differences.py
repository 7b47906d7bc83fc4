r"""Gradients from the forward pass alone, by central differences that know their own error.

.. math::
    D(h) = \frac{L(v+h) - L(v-h)}{2h} = L' + c_2 h^2 + c_4 h^4 + \dots \qquad
    J(h) = \frac{L(v+h) - 2L(v) + L(v-h)}{h} = j + c_1 h + c_3 h^3 + \dots

Every entry of every variable is moved up and down by a ladder of steps, and both series are extrapolated to
no step at all, one power of h after the other (Richardson 1911; Ridders 1982, *Advances in Engineering
Software* 4). The error of an entry is the sum of three:

* truncation: how far the last extrapolation moved D;
* a kink: j, the jump of the slope, zero where L is smooth. At a kink D gives the mean of both slopes, for
  every step alike, and nothing but J shows it;
* rounding: the noise of L over h, measured: see :func:`noise_of`.

For each array the rung of the ladder is taken where the norm of that error is least.

What it cannot see: a gradient smaller than the noise of the loss over the step, about 1e-17 for a loss of
one; it is reported as "cannot decide", as is an exact zero. It costs twelve forward passes a number.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.network import Network
from manual_rnn.testing.oracles.estimate import ENOUGH, Estimate, decided, norm, wanted_names, widest_dtype
from manual_rnn.testing.oracles.forward_pass import Losses, losses_at, variables
from manual_rnn.testing.problem import Case

Variables = dict[str, Array]

RATIO = 8.0
STEPS = tuple(0.125 / RATIO**k for k in range(6))
"""Relative to the largest entry of the array: from 2⁻³, for gradients that are small beside the loss's noise,
to 2⁻¹⁸, for functions of strong curvature."""
NOISE_POINTS = 16


def finite_differences(
    model: Cell | Network, case: Case, *, names: Iterable[str] | None = None, enough: float = ENOUGH
) -> dict[str, Estimate]:
    """The gradient of a case's loss for each variable, in 80-bit arithmetic where the platform has it.

    Args:
        model: only its forward steps are used.
        case: the problem; "x" is a variable only where it is dense.
        names: some of the parameters, "h0" and "x"; all by default.
        enough: the relative error, in norm, above which an array's estimate says that it cannot decide.

    Raises:
        ValueError: a name is not that of a variable of the case.
    """
    at = {name: array.astype(widest_dtype()) for name, array in variables(case).items()}
    wanted = wanted_names(names, at)
    losses = partial(losses_at, model, case)
    with np.errstate(all="ignore"):  # an overflow gives an infinite error, and that is the answer
        noise = noise_of(losses, at, case.weights)
        return {name: estimate_of(losses, at, name, noise, enough) for name in wanted}


def noise_of(losses: Losses, at: Variables, weights: Array) -> np.longdouble:
    r"""The rounding noise of the loss near a point.

    Along points a few units in the last place apart, the loss is a straight line but for its noise: second
    differences leave only that, with a deviation of √6 σ, and the largest is taken (Hamming 1971; Moré and
    Wild 2011, *Estimating computational noise*). Where all come out equal there still is the noise of
    log Σ exp(o − m), whose argument is one or more: half a unit of one, and of ℓ, in every step.
    """
    signs = {name: np.where(np.arange(a.size) % 3, 1, -1).reshape(a.shape) for name, a in at.items()}
    # Multiples of the unit are representable, so that the points do lie on a straight line.
    unit = {name: 8 * np.spacing(np.abs(a)) * signs[name] for name, a in at.items()}
    points = [losses({n: a + j * unit[n] for n, a in at.items()}).sum() for j in range(NOISE_POINTS)]
    measured = np.max(np.abs(np.diff(points, n=2))) / np.sqrt(6)
    least = np.finfo(next(iter(at.values())).dtype).eps / 2 * (np.abs(weights).sum() + np.abs(losses(at)).sum())
    return np.longdouble(max(measured, least) if np.isfinite(measured) else np.inf)


def estimate_of(losses: Losses, at: Variables, name: str, noise: np.longdouble, enough: float) -> Estimate:
    """The rung of the ladder with the least error, for one array of any function."""
    scale = float(np.max(np.abs(at[name]))) or 1.0  # a bias of zeros moves on the scale of a pre-activation
    D, J = _differences(losses, at, name, scale)
    slopes, jumps = extrapolate(D, first_power=2), extrapolate(J, first_power=1)
    best, why = Estimate(D[0], np.full_like(D[0], np.inf)), "the loss overflows"
    for k in range(1, len(STEPS)):
        for j in range(1, k + 1):
            value, parents = slopes[k][j], (slopes[k][j - 1], slopes[k - 1][j - 1])
            parts = {
                "the step sizes disagree": np.maximum(*(np.abs(value - parent) for parent in parents)),
                "the slopes on its two sides differ": np.abs(jumps[k][j]),
                "the loss's own rounding hides it": np.full_like(value, noise / (STEPS[k] * scale)),
            }
            error = sum(parts.values(), start=np.zeros_like(value))
            if norm(error) < norm(best.error):
                best, why = Estimate(value, error), max(parts, key=lambda part: norm(parts[part]))
    return decided(best.value, best.error, enough, why)


def _differences(losses: Losses, at: Variables, name: str, scale: float) -> tuple[Array, Array]:
    """D and J of each entry of one array, at each step of the ladder, largest first."""
    base = at[name]
    centre = losses(at)
    D = np.empty((len(STEPS), *base.shape), base.dtype)
    J = np.empty_like(D)
    for index in np.ndindex(base.shape):
        for k, step in enumerate(STEPS):
            up, down = base.copy(), base.copy()
            up[index] += step * scale
            down[index] -= step * scale
            width = up[index] - down[index]  # what the format made of 2h
            above = losses({**at, name: up}) - centre
            below = losses({**at, name: down}) - centre
            D[k][index] = (above - below).sum() / width
            J[k][index] = 2 * (above + below).sum() / width
    return D, J


def extrapolate(values: Array, *, first_power: int) -> list[list[Array]]:
    """Neville's table of a series in h^p, h^(p+2), …: row k, column j has j powers taken out, by steps k−j … k."""
    table: list[list[Array]] = []
    for k, value in enumerate(values):
        row = [value]
        for j in range(k):
            row.append(row[j] + (row[j] - table[k - 1][j]) / (RATIO ** (first_power + 2 * j) - 1))
        table.append(row)
    return table
