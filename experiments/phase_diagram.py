r"""Where do gradients turn from vanishing to exploding? The plane of recurrent gain and input noise, and its one line.

A wide tanh network a(t) = W h(t−1) + σ ξ(t), W Gaussian of variance g²/n. Measured at each point of a grid: the slope
of log ‖∂L/∂h(t)‖² per step of lag. Theory: log χ, with χ = 1 on the critical line (:mod:`manual_rnn.theory`). On four
rows the gain at which the measured slope is zero is found at three widths, and extrapolated to n → ∞: a narrow network
explodes later, by some 3/n of the gain, and by more at weak noise, which therefore is measured in wider ones. The
figure is of ``--networks 64``, some minutes; the default finds the line to about 1 %.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import cells, diagnostics, experiment, theory
from manual_rnn.experiment import Line
from manual_rnn.figures import headline, spread
from manual_rnn.theory.arguments import whole
from reference import autodiff

ROWS = {0.1: 4, 0.3: 2, 0.5: 1, 1.0: 1}
"""σ, and how many times as wide as on the grid the networks are."""
NEAR = (1.0, 1.04)
"""Gains, of the predicted one, between which the slope of a finite network crosses zero; a line between them is off by
less than 0.05 %."""


def slope(n, gain, std, *, networks, steps, seed, batch=1):
    """Without the latest steps, where the gradient still turns, and the first, which have not forgotten h(0)."""
    norms = diagnostics.norms_by_lag(
        n, networks=networks, gain=gain, input_std=std, steps=steps, seed=seed, batch=batch
    )
    return diagnostics.typical_slope(norms[:, steps // 10 : steps - steps // 2 + 1])


def critical(n, std, **options):
    """The gain at which the slope, a line between those at two gains, is zero; and its standard error."""
    predicted = theory.critical_gain(std)
    below, above = (slope(n, predicted * factor, std, batch=4, **options) for factor in NEAR)
    rise = (above.value - below.value) / (NEAR[1] - NEAR[0]) / predicted
    # Both gains have the same networks, W but for its scale: their errors are one and do not average out.
    error = (above.standard_error + below.standard_error) / 2 / rise
    return diagnostics.Slope(value=NEAR[0] * predicted - below.value / rise, standard_error=error)


def check(n, gain, std, *, steps, seed, **_):
    """The gradients of one network of the grid against autodiff."""
    net = diagnostics.driven_network(n, gain=gain, input_std=std, steps=steps, seed=(seed, n, 0))
    problem = (cells.get("rnn"), net.params, net.x, net.y)
    return diagnostics.cross_check(*problem, initial=net.initial, reduction="last", against=autodiff("rnn"))


def draw(theme, gains, stds, measured, line, found, at):
    figure = Figure(figsize=(5.6, 8.6), layout="constrained")
    axes, below = figure.subplots(2, height_ratios=(5, 2))
    axes.set(xlabel="recurrent gain g", ylabel="input noise σ (standard deviation)")
    headline(axes, "Noise in the input delays the explosion", "slope of log ‖∂L/∂h(t)‖² per step of lag")
    mesh = axes.pcolormesh(gains, stds, measured, cmap="PuOr_r", vmin=-0.8, vmax=0.8, rasterized=True)
    axes.plot(*line, color="#1f2328", lw=2)
    axes.plot([f.value for f in found], list(ROWS), "o", ms=7, mfc="white", mec="#1f2328", mew=1.5)
    axes.text(gains[0] + 0.05, 0.9, "vanish", color="white", weight="bold", size=13)
    axes.text(gains[-1] - 0.05, 0.12, "explode", color="#1f2328", weight="bold", ha="right", size=13)
    figure.colorbar(mesh, ax=axes, label="measured slope (nats per step)", orientation="horizontal", shrink=0.7,
                    aspect=30, extend="both")  # fmt: skip
    below.set_title("critical gain of n units, above theory's (%)", loc="left", size=11)
    below.axhline(0, color=theme.ink, lw=2)
    ends = []
    for std, limit, colour in zip(ROWS, found, (theme.colours[k] for k in (4, 3, 2, 1)), strict=True):
        scale, measured_at = 100 / theory.critical_gain(std), [(n, g) for (row, n), g in at.items() if row == std]
        x = np.array([0] + [1 / n for n, _ in measured_at])
        gain = np.array([limit.value] + [g.value for _, g in measured_at]) * scale - 100
        error = np.array([limit.standard_error] + [g.standard_error for _, g in measured_at]) * scale
        below.errorbar(x, gain, error, fmt="o-", ms=4, lw=1, color=colour)
        ends.append((x.max(), gain[x.argmax()], f"σ = {std}", colour))
    widths = sorted({n for _, n in at}, reverse=True)
    for (x, _, name, colour), y in zip(ends, spread((y for _, y, *_ in ends), 0.5), strict=True):
        place = {"xytext": (6, 0)} if x * widths[-1] == 1 else {"xytext": (-6, 8), "ha": "right"}  # where no line is
        below.annotate(name, (x, y), textcoords="offset points", color=colour, va="center", **place)
    below.set(xlabel="width n, on a scale of 1/n", xlim=(-0.03 / widths[-1], 1.2 / widths[-1]))
    below.set_xticks([0, *(1 / n for n in widths[1:])], ["∞", *widths[1:]])
    axes.plot([], [], "o", ms=7, mfc="white", mec=theme.ink, label="measured: slope zero, extrapolated to n → ∞")
    axes.plot([], [], color=theme.ink, lw=2, label="mean-field theory: χ = 1, nothing fitted")
    figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
    return figure


def main(
    *, units: int = 200, steps: int = 240, networks: int = 16, grid: int = 14, seed: int = 0,
    out: Path = Path("out/phase_diagram"),
) -> int:  # fmt: skip
    """Measures the plane, finds the line, checks, draws.

    Args:
        units: n, the width on the grid; the line is measured at half, once and twice of it, or a multiple.
        steps: T, the number of steps; half as many on the grid. The first half is left for the state to settle.
        networks: How many are drawn for a point of the line, each with four sequences; four for a point of the grid.
        grid: Points along each axis.
        seed: Decides every draw.
        out: The folder for the figure and the numbers.
    """
    whole("number of units", units, 4)
    whole("number of steps", steps, 12)
    whole("number of networks", networks, 2)
    whole("number of points along an axis", grid, 2)
    gains, stds = np.linspace(0.8, 2.3, grid), np.linspace(0.05, 1.05, grid)
    points = [(std, gain) for std in stds for gain in gains]
    widths = [(std, n) for std, wider in ROWS.items() for n in (2 * wider * units, wider * units, wider * units // 2)]

    def of_point(point):
        std, gain = point
        return slope(units, gain, std, networks=4, steps=steps // 2, seed=seed).value

    def of_width(width):
        std, n = width
        return critical(n, std, networks=networks, steps=steps, seed=10 * seed + list(ROWS).index(std) + 1)  # its own

    with ThreadPoolExecutor(2) as pool:  # NumPy's products run side by side
        at = dict(zip(widths, experiment.progress(pool.map(of_width, widths), "the line", len(widths)), strict=True))
        plane = list(experiment.progress(pool.map(of_point, points), "the plane", len(points)))
    measured, lines, found, trends = np.reshape(plane, (grid, grid)), [], [], {}
    for std in ROWS:
        predicted = theory.critical_gain(std)
        by_width = {n: gain for (row, n), gain in at.items() if row == std}
        found.append(diagnostics.extrapolated(by_width))
        trends[std] = {n: [gain.value, gain.standard_error] for n, gain in by_width.items()}
        checked = check(units, predicted, std, steps=steps // 2, seed=seed)
        lines.append(Line(
            what=f"critical gain at σ = {std}", measured=found[-1].value, standard_error=found[-1].standard_error,
            theory=predicted, check=f"off by {checked.worst:.0e}", agree=checked.agree,
        ))  # fmt: skip
    curve = np.linspace(0.05, 1.05, 21)
    line = [[theory.critical_gain(std) for std in curve], list(curve)]
    record = {"units": units, "steps": steps, "networks": networks, "seed": seed, "gains": gains.tolist(),
              "stds": stds.tolist(), "slopes": measured.tolist(), "critical_by_width": trends}  # fmt: skip
    return experiment.publish(
        "phase_diagram", lines, lambda theme: draw(theme, gains, stds, measured, line, found, at), out, record=record
    )


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__, quick={"units": 40, "steps": 60, "networks": 8, "grid": 5}))
