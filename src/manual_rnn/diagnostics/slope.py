r"""The slope of log ‖∇h‖² per step of lag, measured over networks that were drawn independently.

Two slopes, which differ (the log of a mean is larger than the mean of a log): the *typical* one, of each
network's own logarithm, is what one meets; the *mean* one, of the logarithm of the mean square, is what
theory predicts.

The standard errors are over networks. The residuals of one line fit are no measure of its error: the norm at
one lag is made from the norm at the lag before. What they do not see: the bias of a finite width, which all
networks share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from manual_rnn.cell import Array


@dataclass(frozen=True, kw_only=True)
class Slope:
    """A slope of log ‖∇h‖² per step of lag, and its standard error over networks."""

    value: float
    standard_error: float


@dataclass(frozen=True, kw_only=True)
class Limit(Slope):
    """What the slopes of several widths n come to at n → ∞, if the bias goes as 1/n: value + trend/n at the width n."""

    trend: Slope
    """The bias times n. Its error and that of the value are not independent: both are of one line."""
    chi_squared: float
    """Σ ((measured − line) / standard error)² over the widths. About ``freedom`` where a line fits; far above that the
    bias goes otherwise, and the value is none to trust: take wider networks."""
    freedom: int
    """The number of widths less two. With two a line fits always, and 0 says nothing."""


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


def extrapolated(by_width: Mapping[int, Slope]) -> Limit:
    """The value at infinite width from those at two widths n or more, if the bias goes as 1/n.

    The line through them over 1/n, by least squares, each weighted by its standard error, where it meets 1/n = 0; with
    n/2 and n that is twice the second less the first. From three widths on, ``chi_squared`` says whether they lie on a
    line. What it does not see: a bias that goes otherwise and is smaller than the errors.

    Raises ValueError for fewer than two widths, or a standard error that is not finite and above zero.
    """
    if len(by_width) < 2:
        raise ValueError(f"The widths are {sorted(by_width)}; a line in 1/n needs at least two.")
    errors = np.array([slope.standard_error for slope in by_width.values()])
    if not (np.isfinite(errors) & (errors > 0)).all():
        raise ValueError(f"The standard errors are {errors.tolist()}; each is a finite number above zero.")
    values = np.array([slope.value for slope in by_width.values()])
    line = np.stack([np.ones(len(errors)), 1 / np.array(list(by_width))], axis=1) / errors[:, None]
    spread = np.linalg.inv(line.T @ line)
    fitted = spread @ line.T @ (values / errors)
    (at_infinity, trend), (error, error_of_trend) = fitted, np.sqrt(np.diagonal(spread))
    return Limit(
        value=float(at_infinity), standard_error=float(error),
        trend=Slope(value=float(trend), standard_error=float(error_of_trend)),
        chi_squared=float(((values / errors - line @ fitted) ** 2).sum()), freedom=len(errors) - 2,
    )  # fmt: skip


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
    try:
        log_norms = np.asarray(log_norms, np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"The log norms are {type(log_norms).__name__}, and no array of numbers: {error} Expected (networks, lags)."
        ) from error
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
