"""A figure of a diagnostic's result: ``draw(result)``, or ``write_figure(partial(draw, result), path)`` in two themes.

Every sequence of the batch and every seed is a thin line, the median of them a thick one: a spread that is not shown is
taken for none. What is no number (the format has lost it, or a seed has failed) is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.diagnostics.horizon import memory_horizon
from manual_rnn.diagnostics.labelled import xr
from manual_rnn.figures import LIGHT, Theme, decades, headline, spread

TO_DECADES = 1 / np.log(10)


def draw(result: xr.Dataset | xr.DataArray, theme: Theme = LIGHT) -> Any:
    """A ``matplotlib.figure.Figure`` of what a diagnostic has returned, of one seed or of several.

    Matplotlib's own settings for a theme are :func:`manual_rnn.figures.write_figure`'s.

    Raises ValueError for what no diagnostic here has returned or has no figure, ModuleNotFoundError, with what to
    install, without matplotlib.
    """
    if not isinstance(result, (xr.Dataset, xr.DataArray)):
        raise ValueError(f"This is of the type {type(result).__name__}; expected what a diagnostic returns.")
    kind = result.attrs.get("diagnostic")
    if "level" in result.attrs:
        raise ValueError("This is a mean over seeds; there is a figure of the seeds themselves, of over_seeds.")
    if kind not in FIGURES:
        raise ValueError(f"There is a figure of what {', '.join(FIGURES)} return, and this is of {kind or 'none'}.")
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'A figure needs matplotlib, which is not installed; it comes with: pip install "manual-rnn[figures]".',
            name="matplotlib",
        ) from error
    figure = Figure(figsize=(5.6, 4.8), layout="constrained")
    FIGURES[kind](figure.add_subplot(), result, theme)
    return figure


def _gradient_norms(axes: Any, norms: Any, theme: Theme) -> None:
    state = norms.attrs["state"]
    headline(axes, "How the gradient fares on its way back", f"‖∂L/∂{state}(T − k)‖")
    _curve(axes, norms.by_lag * TO_DECADES, "lag", theme.colours[1])
    axes.set_xlabel("lag k (steps back from the last)")
    decades(axes)


def _loss_by_state(axes: Any, M: Any, theme: Theme) -> None:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.ticker import MaxNLocator

    shown = (M * TO_DECADES).where(np.isfinite(M)).median([d for d in M.dims if d not in ("loss", "step")])
    # From the paper to the ink: small fades into the surroundings in either theme.
    colours = LinearSegmentedColormap.from_list("norms", [theme.paper, theme.colours[1], theme.ink])
    headline(axes, "What each loss tells each state", f"‖∂L_s/∂{M.attrs['state']}(t)‖")
    image = axes.pcolormesh(M.step, M.loss, shown.transpose("loss", "step"), cmap=colours, rasterized=True)
    bar = axes.figure.colorbar(image, ax=axes, format=lambda power, _: f"$10^{{{power:g}}}$")
    bar.locator = MaxNLocator(6, integer=True)
    bar.outline.set_edgecolor(theme.faint)
    axes.set(xlabel="step t of the state", ylabel="step s of the loss")


def _contributions(axes: Any, parts: Any, theme: Theme) -> None:
    headline(axes, "How far back the gradient comes from", f"part of ∇{parts.attrs['parameter']} of lag k, ‖C_k‖")
    _curve(axes, parts.log_norm * TO_DECADES, "lag", theme.colours[1])
    if "seed" not in parts.dims:
        horizon = memory_horizon(parts)
        axes.axvline(horizon - 1, color=theme.colours[4], lw=1.5)
        left = horizon > 0.6 * parts.sizes["lag"]
        axes.annotate(
            f"95 % within\n{horizon} lags", (horizon - 1, 0.98), (-6 if left else 6, 0), textcoords="offset points",
            xycoords=("data", "axes fraction"), va="top", ha="right" if left else "left", color=theme.colours[4],
        )  # fmt: skip
    axes.set_xlabel("lag k (steps from where the parameter is used to the loss)")
    decades(axes)


def _singular_values(axes: Any, logs: Any, theme: Theme) -> None:
    headline(axes, "What a way of k steps does to a gradient", "singular values of ∂h(T)/∂h(T − k)")
    by_lag = (logs * TO_DECADES).swap_dims(step="lag").sortby("lag")
    n = logs.sizes["index"]
    names = {0: "largest", n // 2: "median", n - 1: "smallest"} if n > 2 else {0: "largest", n - 1: "smallest"}
    colours = dict(zip(names, (theme.colours[4], theme.colours[1], theme.colours[2]), strict=False))
    for index, name in names.items():
        _curve(axes, by_lag.isel(index=index), "lag", colours[index], name)
    axes.set_xlabel("lag k (steps)")
    _named(axes)
    decades(axes)


def _lyapunov(axes: Any, found: Any, theme: Theme) -> None:
    headline(axes, "Lyapunov exponents settle as the run goes on", "λ (nats a step): mean of the first so many steps")
    count = found.sizes["index"]
    for k, i in enumerate(sorted({0, count // 2, count - 1})):
        one = found.isel(index=i)
        colour = theme.colours[(4, 1, 2)[k]]
        _curve(axes, one.trace, "lag", colour, f"λ{int(one['index'])}")
        if "seed" not in found.dims and np.isfinite(one.standard_error):
            low, high = (float(one.exponent + side * one.standard_error) for side in (-1, 1))
            axes.axhspan(low, high, color=colour, alpha=0.25, lw=0)
    axes.axhline(0, color=theme.faint, lw=1, zorder=0)
    axes.set_xlabel("steps; band: the exponent ± a standard error")
    _named(axes)


def _saturation(axes: Any, found: Any, theme: Theme) -> None:
    headline(axes, "How much slope the squashing functions have left", "mean of φ′² over units and sequences")
    for k, node in enumerate(found.node.values):
        _curve(axes, found.mean_squared_slope.sel(node=node), "step", theme.colours[k % 5], str(node))
    axes.set(xlabel="step t", ylim=(0, None))
    _named(axes)


def _gate_memory(axes: Any, found: Any, theme: Theme) -> None:
    headline(axes, "What the gate keeps of a memory", f"product of the gate {found.attrs['gate']} over k steps")
    _curve(axes, found.log_kept * TO_DECADES, "lag", theme.colours[1], "a typical\nunit")
    _curve(axes, found.log_of_mean_kept * TO_DECADES, "lag", theme.colours[4], "mean over\nunits")
    axes.set_xlabel("steps k")
    _named(axes)
    decades(axes)


def _gradient_ways(axes: Any, found: Any, theme: Theme) -> None:
    state = found.attrs["state"]
    headline(axes, f"By which way the gradient reaches {state}(t)", f"norms of ∂L/∂{state}(t) and of its two parts")
    _curve(axes, found.log_total * TO_DECADES, "step", theme.ink, "total")
    _curve(axes, found.log_along * TO_DECADES, "step", theme.colours[1], "along\nthe state")
    _curve(axes, found.log_other * TO_DECADES, "step", theme.colours[4], "other")
    axes.set_xlabel("step t")
    _named(axes)
    decades(axes)


def _clipping(axes: Any, found: Any, theme: Theme) -> None:
    headline(axes, "How far clipping by element turns the gradient", "cosine to the unclipped gradient")
    for k, limit in enumerate(found.limit.values):
        _curve(axes, found.cosine.sel(kind="element", limit=limit), "update", theme.colours[k % 5], f"C = {limit:g}")
    axes.set_xlabel("update")
    _named(axes)


def _recurrent_matrices(axes: Any, found: Any, theme: Theme) -> None:
    if not found.data_vars:
        raise ValueError("The cell has no recurrent matrix (all its maps are diagonal), so there is nothing to draw.")
    what = "singular values, and the largest |eigenvalue|"
    headline(axes, "What a recurrent matrix does", what)
    names = found.matrix.values
    axes.set_xlim(-0.5, len(names) - 0.1)
    kinds = (("largest_singular_value", "largest singular", 4), ("spectral_radius", "spectral radius", 1),
             ("smallest_singular_value", "smallest singular", 2))  # fmt: skip
    by_matrix = {key: found[key].transpose("matrix", ...).values.reshape(len(names), -1) for key, *_ in kinds}
    gap = 0.06 * max(map(np.nanmax, by_matrix.values()))
    ends = spread([float(np.nanmedian(rows[-1])) for rows in by_matrix.values()], gap)
    for (key, name, k), end in zip(kinds, ends, strict=True):
        for i, row in enumerate(by_matrix[key]):
            axes.plot(np.full(len(row), i), row, "o", ms=3, alpha=0.4, color=theme.colours[k])
            axes.plot(i, np.nanmedian(row), "o", ms=7, color=theme.colours[k])
        at = (len(names) - 1, end)
        axes.annotate(name, at, (9, 0), textcoords="offset points", va="center", color=theme.colours[k])
    departures = found.non_normality.transpose("matrix", ...).values.reshape(len(names), -1)
    ticks = [f"{name}\n{np.nanmedian(row):.2f}" for name, row in zip(names, departures, strict=True)]
    axes.set_xticks(range(len(names)), ticks)
    axes.set(xlabel="matrix, its departure from\nnormality below (0 to 1)", ylim=(0, None))


def _during_training(axes: Any, found: Any, theme: Theme) -> None:
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    shade = LinearSegmentedColormap.from_list("updates", [theme.colours[1], theme.colours[4]])
    subtitle = f"‖∂L/∂{found.attrs['state']}(T − k)‖ over that of lag 0, after so many updates"
    headline(axes, "How far the gradient reaches", subtitle)
    updates = found["update"].values
    for i, update in enumerate(updates):
        one = found.sel(update=update)
        ends = i in (0, len(updates) - 1)
        name = f"{update} updates,\nhorizon {float(one.horizon.median()):g}" if ends else ""
        _curve(axes, one.log_norm * TO_DECADES, "lag", to_hex(shade(i / max(len(updates) - 1, 1))), name)
    axes.set_xlabel("lag k (steps back from the last)")
    decades(axes)
    _named(axes)


FIGURES: dict[str, Callable[[Any, Any, Theme], None]] = {
    "gradient_norms": _gradient_norms,
    "loss_by_state": _loss_by_state,
    "contributions": _contributions,
    "jacobian_singular_values": _singular_values,
    "lyapunov_exponents": _lyapunov,
    "saturation": _saturation,
    "gate_memory": _gate_memory,
    "gradient_ways": _gradient_ways,
    "clipping_statistics": _clipping,
    "recurrent_matrices": _recurrent_matrices,
    "during_training": _during_training,
}


def _curve(axes: Any, array: Any, along: str, colour: str, name: str = "") -> None:
    """Every line thin, their median thick; a name for :func:`_named`."""
    array = array.where(np.isfinite(array))
    x = array[along].values
    rows: Array = array.transpose(along, ...).values.reshape(len(x), -1)
    rows = rows[:, ~np.isnan(rows).all(axis=0)]
    if not rows.size:
        return
    if rows.shape[1] > 1:
        axes.plot(x, rows, color=colour, lw=0.6, alpha=0.4)
    seen = ~np.isnan(rows).all(axis=1)
    marker = "o" if seen.sum() == 1 else ""
    axes.plot(x[seen], np.nanmedian(rows[seen], axis=1), color=colour, lw=2, label=name or "_", marker=marker)


def _named(axes: Any) -> None:
    """Writes each named curve's name at its end, in its colour."""
    lines = [line for line in axes.get_lines() if not line.get_label().startswith("_")]
    if not lines:
        return
    (low, high), (left, right) = axes.get_ylim(), axes.get_xlim()
    axes.set_ylim(low, high)
    axes.set_xticks([x for x in axes.get_xticks() if left <= x <= right])
    axes.set_xlim(left, right + 0.18 * (right - left))
    gap = 0.085 * (high - low)
    heights = np.array(spread([float(line.get_ydata()[-1]) for line in lines], gap))
    for place, i in enumerate(np.argsort(heights)):  # none below the axis
        heights[i] = max(heights[i], low + (place + 0.5) * gap)
    for y, line in zip(heights, lines, strict=True):
        axes.annotate(line.get_label(), (line.get_xdata()[-1], y), (6, 0), textcoords="offset points", va="center",
                      color=line.get_color())  # fmt: skip
