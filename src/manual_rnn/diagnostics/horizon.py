"""How far back a gradient reaches, and how far back one has to go: of what :mod:`.contributions` returns."""

from __future__ import annotations

from numbers import Real

import numpy as np

from manual_rnn.diagnostics.labelled import xr


def memory_horizon(parts: xr.Dataset, share: float = 0.95) -> int:
    """The least number of lags, from 0 on, whose norms ‖C_k‖ are together at least ``share`` of those of all.

    Raises ValueError where the share is not between 0 and 1, or the parts are not those of one seed.
    """
    if not isinstance(share, Real) or not 0 < share <= 1:
        raise ValueError(f"share is {share!r}; it is more than 0 and at most 1.")
    _check(parts, "log_norm")
    logs = parts["log_norm"].values
    cumulative = np.exp(logs - logs.max()).cumsum()
    return int(np.argmax(cumulative >= share * cumulative[-1] * (1 - 1e-12))) + 1


def suggested_truncation(parts: xr.Dataset, bias: float = 0.05) -> int:
    """The least number of lags from which on no more than ``bias`` of the gradient is left out.

    Raises ValueError where the bias is not above zero, or the parts are not those of one seed.
    """
    if not isinstance(bias, Real) or not bias > 0:
        raise ValueError(f"bias is {bias!r}; it is a relative error, more than 0.")
    _check(parts, "left_out")
    left_out = np.append(parts["left_out"].values, 0.0)
    return int(np.flatnonzero(left_out > bias).max(initial=-1)) + 1


def _check(parts: xr.Dataset, name: str) -> None:
    if not isinstance(parts, xr.Dataset) or name not in parts or "lag" not in parts[name].dims:
        raise ValueError("The parts are not what contributions returns; hand in that, of one seed.")
    if "seed" in parts.dims:
        raise ValueError("The parts are of several seeds, each with a number of its own: hand in parts.sel(seed=…).")
    if np.isnan(parts[name].values).any():
        raise ValueError("The parts are no numbers: this seed has failed, and attrs['failures'] says why.")
