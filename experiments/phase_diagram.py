r"""Where do gradients turn from vanishing to exploding? The plane of recurrent gain and input noise, and its one line.

A wide tanh network a(t) = W h(t−1) + σ ξ(t), W Gaussian of variance g²/n. Measured at each point of a grid: the slope
of log ‖∂L/∂h(t)‖² per step of lag. Theory: log χ, with χ = 1 on the critical line (:mod:`manual_rnn.theory`). On four
rows the gain at which the measured slope is zero is found at widths n/2 and n, and extrapolated to n → ∞.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import cells, diagnostics, experiment, theory
from manual_rnn.experiment import Line
from manual_rnn.figures import headline
from reference import autodiff

ROWS = (0.1, 0.3, 0.5, 1.0)
NEAR = (0.9, 1.0, 1.1)


def slope(n, gain, std, *, networks, steps, seed):
    norms = diagnostics.norms_by_lag(n, networks=networks, gain=gain, input_std=std, steps=steps, seed=seed)
    return diagnostics.typical_slope(norms[:, steps // 6 :])


def critical(n, std, near, **options):
    """The gain at which the slope, a line through those at gains near it, is zero; and its standard error."""
    slopes = [slope(n, gain, std, **options) for gain in near]
    rise, at_zero = np.polyfit(near, [s.value for s in slopes], 1)
    error = np.mean([s.standard_error for s in slopes]) / np.sqrt(len(slopes)) / rise
    return diagnostics.Slope(value=-at_zero / rise, standard_error=error)


def check(n, gain, std, *, steps, seed, **_):
    """The gradients of one network of the grid against autodiff."""
    net = diagnostics.driven_network(n, gain=gain, input_std=std, steps=steps, seed=(seed, n, 0))
    problem = (cells.get("rnn"), net.params, net.x, net.y)
    return diagnostics.cross_check(*problem, initial=net.initial, reduction="last", against=autodiff("rnn"))


def draw(theme, gains, stds, measured, line, found):
    figure = Figure(figsize=(5.6, 6), layout="constrained")
    axes = figure.add_subplot(xlabel="recurrent gain g", ylabel="input noise σ (standard deviation)")
    headline(axes, "Noise in the input delays the explosion", "slope of log ‖∂L/∂h(t)‖² per step of lag")
    mesh = axes.pcolormesh(gains, stds, measured, cmap="PuOr_r", vmin=-0.8, vmax=0.8, rasterized=True)
    axes.plot(*line, color="#1f2328", lw=2)
    axes.plot([f.value for f in found], ROWS, "o", ms=7, mfc="white", mec="#1f2328", mew=1.5)
    axes.text(gains[0] + 0.05, 0.9, "vanish", color="white", weight="bold", size=13)
    axes.text(gains[-1] - 0.05, 0.12, "explode", color="#1f2328", weight="bold", ha="right", size=13)
    figure.colorbar(mesh, label="measured slope (nats per step)", orientation="horizontal", shrink=0.7,
                    aspect=30, extend="both")  # fmt: skip
    axes.plot([], [], "o", ms=7, mfc="white", mec=theme.ink, label="measured: slope zero, extrapolated to n → ∞")
    axes.plot([], [], color=theme.ink, lw=2, label="mean-field theory: χ = 1, nothing fitted")
    figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
    return figure


def main(
    *, units: int = 200, steps: int = 120, networks: int = 72, grid: int = 14, seed: int = 0, quick: bool = False,
    out: Path = Path("out/phase_diagram"),
) -> int:  # fmt: skip
    """Measures the plane, finds the line, checks, draws.

    Args:
        units: n, the width on the grid; the line is measured at half of it too.
        steps: T, the number of steps.
        networks: How many are drawn for a point of the line; a twelfth of them for a point of the grid.
        grid: Points along each axis.
        seed: Decides every draw.
        quick: A run of seconds.
        out: The folder for the figure and the numbers.
    """
    if quick:
        units, steps, networks, grid = 60, 24, 8, 5
    options = {"networks": networks, "steps": steps, "seed": seed}
    gains, stds = np.linspace(0.8, 2.3, grid), np.linspace(0.05, 1.05, grid)
    on_grid = options | {"networks": max(2, networks // 12)}
    measured = np.array([[slope(units, gain, std, **on_grid).value for gain in gains] for std in stds])
    lines, found = [], []
    for std in ROWS:
        predicted = theory.critical_gain(std)
        near = [predicted * factor for factor in NEAR]
        half, full = (critical(n, std, near, **options) for n in (units // 2, units))
        found.append(diagnostics.extrapolated(half, full))
        checked = check(units, predicted, std, **options)
        what = f"critical gain at σ = {std}"
        lines.append(Line(
            what=what, measured=found[-1].value, standard_error=found[-1].standard_error, theory=predicted,
            check=f"off by {checked.worst:.0e}", agree=checked.agree,
        ))  # fmt: skip
    curve = np.linspace(0.05, 1.05, 21)
    line = [[theory.critical_gain(std) for std in curve], list(curve)]
    record = {**options, "units": units, "gains": gains.tolist(), "stds": stds.tolist(), "slopes": measured.tolist()}
    return experiment.publish(
        "phase_diagram", lines, lambda theme: draw(theme, gains, stds, measured, line, found), out, record=record
    )


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__))
