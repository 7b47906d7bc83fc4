r"""Gradients from the forward pass alone, by an imaginary step: exact even where they have vanished.

.. math::
    L(v + i\eta) = L(v) + i\eta L'(v) - \tfrac{\eta^2}{2} L''(v) - \dots \qquad
    L'(v) = \frac{\operatorname{Im} L(v + i\eta)}{\eta} + O(\eta^2)

Nothing is subtracted, so no digit cancels, and η can be so small that η² is nothing (Squire and Trapp 1998,
*SIAM Review* 40). The function must be analytic. The softmax is, as it is coded: it shifts by one of the
logits, imaginary part and all, and a shift by any number leaves it as it is.

The error of an entry is measured: everything is computed again with another η and with every variable off by
a unit in the last place. What that changes is what rounding can change; in a chaotic network, all.

What it cannot see: an error in the forward pass, whose derivative this is. A cell that is not analytic is
declined: one that declares ``kinks``, or that is seen to call a function such as ``maximum`` or ``>``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.network import Network
from manual_rnn.testing.oracles.analytic import not_analytic
from manual_rnn.testing.oracles.estimate import ENOUGH, Estimate, decided, norm, wanted_names, widest_dtype
from manual_rnn.testing.oracles.forward_pass import Losses, losses_at, variables
from manual_rnn.testing.problem import Case

SAFETY = 8
"""One change of the last places moves a sample of what the rounding of T steps can move: a few times that."""


def complex_step(
    model: Cell | Network, case: Case, *, names: Iterable[str] | None = None, enough: float = ENOUGH
) -> dict[str, Estimate]:
    """The gradient of a case's loss for each variable, in 80-bit arithmetic where the platform has it.

    Args:
        model: only its forward steps are used; they must be analytic.
        case: the problem; "x" is a variable only where it is dense.
        names: some of the parameters, "h0" and "x"; all by default.
        enough: the relative error, in norm, above which an array's estimate says that it cannot decide.

    Raises:
        ValueError: a name is not that of a variable of the case.
    """
    at = {name: array.astype(widest_dtype()) for name, array in variables(case).items()}
    wanted = wanted_names(names, at)
    if reason := next(filter(None, map(_declined, Network.of(model).cells)), ""):
        return {n: Estimate(np.full_like(at[n], np.nan), np.full_like(at[n], np.inf), reason) for n in wanted}
    losses = partial(losses_at, model, case)
    signs = {name: np.where(np.arange(a.size) % 3, 1, -1).reshape(a.shape) for name, a in at.items()}
    nudged = {name: a + np.spacing(np.abs(a)) * signs[name] for name, a in at.items()}
    eta = step_for(at["V"].dtype)
    with np.errstate(all="ignore"):  # an overflow gives an infinite error, and that is the answer
        return {n: estimate_of(n, losses, at, nudged, eta, enough) for n in wanted}


def step_for(dtype: np.dtype[np.floating]) -> np.floating:
    """η for a real dtype: 1e-2000 in a format that has it, or 1e-20, whose square is nothing beside one.

    η times a gradient must stay above the format's smallest number and far below one, so the longer exponent
    of the 80-bit format holds gradients from 1e-2900 to 1e+1900, float64 those from 1e-287 to 1e+12.
    """
    return dtype.type(10) ** (-2000 if np.finfo(dtype).maxexp > 10000 else -20)


def _declined(cell: Cell) -> str:
    if cell.kinks:
        return f"the cell is not analytic: it has kinks where {', '.join(cell.kinks)} is zero"
    if found := not_analytic(cell):
        return f"the cell is not analytic: its step calls {', '.join(found)}"
    return ""


def estimate_of(
    name: str, losses: Losses, at: dict[str, Array], nudged: dict[str, Array], eta: np.floating, enough: float
) -> Estimate:
    """The estimate for one array of any function; ``nudged`` are its variables a unit in the last place off."""
    value = _imaginary(name, losses, at, eta)
    again = _imaginary(name, losses, nudged, eta / 1024)
    least = np.finfo(value.dtype).tiny / eta * 1024  # below it, η times the gradient loses digits or is zero
    error = SAFETY * (np.abs(value - again) + np.finfo(value.dtype).eps * np.abs(value)) + least
    error = np.where(np.isfinite(error), error, np.inf)
    invisible = norm(value) <= norm(np.full_like(value, least))
    why = "it is zero, or too small for the format" if invisible else "rounding can change it by as much"
    return decided(value, error, enough, why)


def _imaginary(name: str, losses: Losses, at: dict[str, Array], eta: np.floating) -> Array:
    """Im L(v + iη) / η for each entry v of one array."""
    base = at[name]
    points = {n: a.astype(np.result_type(a, 1j)) for n, a in at.items()}
    gradient = np.empty_like(base)
    for index in np.ndindex(base.shape):
        moved = points[name].copy()
        moved[index] += 1j * eta
        gradient[index] = losses({**points, name: moved}).imag.sum() / eta
    return gradient
