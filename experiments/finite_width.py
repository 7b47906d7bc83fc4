r"""How wide must a network be for mean-field theory? Its slope and λ₁ over a grid of gain and noise, at three widths.

A tanh network a(t) = W h(t−1) + σ ξ(t) of n units, W Gaussian of variance g²/n. Theory, the slope log χ of log ‖∂L/∂h‖²
per step of lag and the largest Lyapunov exponent λ₁ = ½ log χ (:mod:`manual_rnn.theory.mean_field`), is of n → ∞. What
a finite n takes off does not shrink with more networks: it goes as 1/n, by some −3/n at gain 2, whatever the noise. So
each point is measured at three widths, a line in 1/n goes through them, and where it ends, at n → ∞, stands beside
theory, with nothing fitted to that. χ² says whether three widths lie on a line at all; it should be about one.

The slope is of lags 2 to T/4: before that the gradient still turns, and once the square of the lag is no longer small
against n, the largest eigenvalue of W decides instead of its mean square, first at weak noise and small gain. The bias
at weak noise is slow to become a line; there the networks are twice as wide.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import cells, diagnostics, experiment, theory
from manual_rnn.experiment import Line
from manual_rnn.figures import spread
from manual_rnn.over_widths import OverWidths, axis_of_widths
from manual_rnn.theory.arguments import whole
from reference import autodiff

GAINS = (0.8, 1.0, 1.5, 2.0)
ROWS = {0.1: 2, 0.3: 1, 0.5: 1, 1.0: 1}
"""σ, and how many times as wide as elsewhere the networks are."""
TANH, CHAOTIC = cells.get("rnn"), {"gain": 2.0, "input_std": 0.5}
"""Where λ₁ is measured."""


def slope(n, *, networks, **options):
    norms = diagnostics.norms_by_lag(n, networks=networks, batch=4, **options)
    return diagnostics.typical_slope(norms[:, 2 : options["steps"] // 4 + 1])


def exponent(n, *, networks, seed, steps, against=None):
    """λ₁ over networks; with an oracle, how far the first one's steps are from it."""
    def of(i):
        net = diagnostics.driven_network(n, **CHAOTIC, steps=steps, seed=(seed, n, i))
        return diagnostics.lyapunov_exponents(TANH, net.params, net.x, initial=net.initial, count=1, against=against)

    if against:
        return of(0).attrs["worst_relative_error"]
    found = np.array([of(i).exponent.item() for i in range(networks)])
    return diagnostics.Slope(value=float(found.mean()), standard_error=float(found.std(ddof=1) / networks**0.5))


def check(n, *, seed, **where):
    """The gradients of one network of the grid against autodiff."""
    net = diagnostics.driven_network(n, seed=(seed, n, 0), **where)
    problem = (TANH, net.params, net.x, net.y)
    return diagnostics.cross_check(*problem, initial=net.initial, reduction="last", against=autodiff("rnn"))


def draw(theme, grid, exponents):
    figure = Figure(figsize=(5.6, 8.2), layout="constrained")
    figure.suptitle("What a finite width costs goes as 1/n", x=0.02, ha="left", weight="bold", size=13)
    panels = figure.subplot_mosaic([list(ROWS)[:2], list(ROWS)[2:], ["λ", "λ"]])
    names = {gain: (f"g = {gain:g}", theme.colours[k]) for gain, k in zip(GAINS, (1, 2, 3, 4), strict=True)}
    widths = {n for found in grid.values() for n in found.by_width}
    for std in ROWS:
        axes = panels[std]
        axes.set_title(f"slope less theory's, σ = {std:g}", loc="left", size=11)
        ends = [grid[std, gain].draw(axes, theme, colour) for gain, (_, colour) in names.items()]
        apart = spread((y for _, y in ends), 0.008)
        for (x, _), y, (name, colour) in zip(ends, apart, names.values(), strict=True):
            axes.annotate(name, (x, y), (6, 0), textcoords="offset points", va="center", color=colour)
        axis_of_widths(axes, theme, [n for n in widths if n < 5 * min(widths)])
        axes.set(xlim=(0, 1.4 / min(widths)))
    limits = np.array([panels[std].get_ylim() for std in ROWS])
    for i, std in enumerate(ROWS):
        panels[std].set_ylim(limits.min(), limits.max())
        panels[std].tick_params(labelleft=i % 2 == 0)
    axes = panels["λ"]
    axes.set_title(f"λ₁ less theory's {exponents.theory:.4f}, σ = 0.5, g = 2", loc="left", size=11)
    exponents.draw(axes, theme, names[2.0][1])
    axis_of_widths(axes, theme, exponents.by_width)
    axes.set(xlim=(0, 1.05 / min(exponents.by_width)), xlabel="width n, on a scale of 1/n")
    axes.plot([], [], "o", ms=4, color=theme.ink, label="measured, with its standard error")
    axes.plot([], [], "o-", ms=6, lw=1, mfc=theme.paper, color=theme.ink, label="a line in 1/n, and its end at n → ∞")
    axes.plot([], [], "--", color=theme.ink, lw=1, label="mean-field theory, nothing fitted")
    figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
    return figure


def main(
    *, units: int = 400, steps: int = 80, networks: int = 40, seed: int = 0,
    out: Path = Path("out/finite_width"),
) -> int:  # fmt: skip
    """Measures the grid and λ₁ at three widths each, extrapolates, checks, draws.

    Args:
        units: n, the widest networks of the grid; half and a quarter of it are measured as well, twice as wide at the
            weakest noise. λ₁ is measured at once, twice and four times that width.
        steps: T, the number of steps; of λ₁ six times as many.
        networks: How many are drawn for a point and a width, each with four sequences; for λ₁ a quarter, with one.
        seed: Decides every draw.
        out: The folder for the figure and the numbers.
    """
    whole("number of units", units, 8)
    whole("number of steps", steps, 16)
    whole("number of networks", networks, 8)
    points = [(std, gain) for std in ROWS for gain in GAINS]

    def of_point(point):
        std, gain = point
        at = {"gain": gain, "input_std": std, "steps": steps, "seed": 100 * seed + points.index(point)}
        widths = [ROWS[std] * units // k for k in (4, 2, 1)]
        by_width = {n: slope(n, networks=networks, **at) for n in widths}
        return OverWidths(by_width, theory.mean_field(gain, std).slope), check(widths[-1], **at)

    def of_width(n):
        return exponent(n, networks=networks // 4, seed=seed, steps=6 * steps)

    widths = [4 * units, 2 * units, units]
    with ThreadPoolExecutor(2) as pool:  # NumPy's products run side by side
        of_widths = pool.map(of_width, widths)
        found = list(experiment.progress(pool.map(of_point, points), "points", len(points)))
    grid = {point: one for point, (one, _) in zip(points, found, strict=True)}
    lines = [one.line(f"σ = {std:g}, g = {gain:g}: slope", check=f"off by {checked.worst:.0e}", agree=checked.agree)
             for (std, gain), (one, checked) in zip(points, found, strict=True)]  # fmt: skip
    squares = {"mean square of these 16 deviations, in s.e.": [each.in_standard_errors**2 for each in lines],
               "mean χ² of the 16 lines in 1/n": [one.limit.chi_squared for one in grid.values()]}  # fmt: skip
    lines += [Line(what=what, measured=float(np.mean(each)), standard_error=(2 / len(each)) ** 0.5, theory=1.0)
              for what, each in squares.items()]  # fmt: skip
    exponents = OverWidths(dict(zip(widths, of_widths, strict=True)), theory.mean_field(**CHAOTIC).lyapunov_exponent)
    off = exponent(units, networks=1, seed=seed, steps=6 * steps, against=autodiff("rnn"))
    lines.append(exponents.line("σ = 0.5, g = 2: λ₁", check=f"a step off by {off:.0e}", agree=off < 1e-11))
    table = [{"input_std": std, "gain": gain, **one.record()} for (std, gain), one in grid.items()]
    record = {"units": units, "steps": steps, "networks": networks, "seed": seed, "grid": table,
              "exponent": exponents.record()}  # fmt: skip
    return experiment.publish("finite_width", lines, lambda theme: draw(theme, grid, exponents), out, record=record)


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__, quick={"units": 40, "steps": 40, "networks": 8}))
