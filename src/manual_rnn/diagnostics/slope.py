r"""The slope of log ‖∇h‖² per step of lag, measured over networks that were drawn independently.

Two slopes, which differ (the log of a mean is larger than the mean of a log): the *typical* one, of each
network's own logarithm, is what one meets; the *mean* one, of the logarithm of the mean square, is what
theory predicts.

The standard errors are over networks. The residuals of one line fit are no measure of its error: the norm at
one lag is made from the norm at the lag before. What they do not see: the bias of a finite width, which all
networks share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from manual_rnn.cell import Array


@dataclass(frozen=True, kw_only=True)
class Slope:
    """A slope of log ‖∇h‖² per step of lag, and its standard error over networks."""

    value: float
    standard_error: float


def typical_slope(log_norms: Array) -> Slope:
    """The mean over networks of the slope of 2 log ‖∇h‖, by least squares.

    ``log_norms`` is (networks, lags), the lags 0, 1, 2, … Raises ValueError for fewer than two of either, or
    a logarithm that is not finite (a gradient that has underflowed).
    """
    slopes = _slopes(2 * _checked(log_norms))
    return Slope(value=float(slopes.mean()), standard_error=float(slopes.std(ddof=1) / np.sqrt(len(slopes))))


def mean_slope(log_norms: Array) -> Slope:
    """The slope of log (mean over networks of ‖∇h‖²), by least squares; its standard error by the jackknife.

    ``log_norms`` is as for :func:`typical_slope`. Rests on few networks where their spread is large: compare
    both.
    """
    squares = 2 * _checked(log_norms)
    n = len(squares)
    value = _slopes(_log_mean(squares)[None])[0]
    left_out = _slopes(np.array([_log_mean(np.delete(squares, i, axis=0)) for i in range(n)]))
    spread = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    return Slope(value=float(value), standard_error=float(spread))


def extrapolated(at_half_width: Slope, at_width: Slope) -> Slope:
    """The slope at infinite width from those at n/2 and n, if the bias goes as 1/n."""
    error = np.hypot(2 * at_width.standard_error, at_half_width.standard_error)
    return Slope(value=2 * at_width.value - at_half_width.value, standard_error=float(error))


def _slopes(rows: Array) -> Array:
    """The slope of the least-squares line through each row."""
    lag = np.arange(rows.shape[1]) - (rows.shape[1] - 1) / 2
    slopes: Array = rows @ lag / (lag @ lag)
    return slopes


def _log_mean(logs: Array) -> Array:
    """log of the mean of exp(logs) over the rows, the largest taken out first."""
    largest = logs.max(axis=0)
    mean: Array = largest + np.log(np.exp(logs - largest).mean(axis=0))
    return mean


def _checked(log_norms: Array) -> Array:
    if log_norms.ndim != 2 or min(log_norms.shape) < 2:
        shape = log_norms.shape
        raise ValueError(f"The log norms have the shape {shape}; expected (networks, lags), at least (2, 2).")
    if not np.all(np.isfinite(log_norms)):
        network, lag = (int(i) for i in np.argwhere(~np.isfinite(log_norms))[0])
        raise ValueError(
            f"The log norm of network {network} at lag {lag} is {log_norms[network, lag]}: "
            "a line needs finite numbers, so take fewer lags, or a loss with larger weights."
        )
    return log_norms
