r"""Do gradients vanish or explode? ‖∂L/∂h(t)‖ against the lag T − t, for the loss of the last step.

Random tanh networks of n units, a(t) = W h(t−1) + σ ξ(t): W Gaussian of variance g²/n, or orthogonal g Q, or the
.01·randn of min-char-rnn, which is the Gaussian of gain .01 √n. Theory has one number for each gain: going back one
step multiplies the squared norm by χ (:mod:`manual_rnn.theory.mean_field`), if n is large: the slope is measured at
three widths, and a line in 1/n through them ends at n → ∞. ``experiments/finite_width.py`` does so over a grid.

The figure is written only if the gradients in it agree with those of ``jax.grad``, at the configuration plotted.
"""

from dataclasses import asdict
from itertools import chain
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import cells, diagnostics, experiment, theory
from manual_rnn.experiment import Line
from manual_rnn.figures import decades, headline, label_ends
from manual_rnn.over_widths import OverWidths
from reference import autodiff

GAINS = (0.8, 1.0, 1.5, 2.0)


def measure(recurrent, gain, *, n, networks, seed, **size):
    """Norms by lag at width n, slopes at n/4, n/2 and n beside the theory's, and the cross-check of one network."""
    norms = {
        width: diagnostics.norms_by_lag(width, networks=networks, gain=gain, recurrent=recurrent, seed=seed, **size)
        for width in (n // 4, n // 2, n)
    }
    by_width = {width: diagnostics.typical_slope(of_width) for width, of_width in norms.items()}
    net = diagnostics.driven_network(n, gain=gain, recurrent=recurrent, seed=(seed, n, 0), **size)  # the first at n
    problem, options = (cells.get("rnn"), net.params, net.x, net.y), {"initial": net.initial, "reduction": "last"}
    check = diagnostics.cross_check(*problem, **options, against=autodiff("rnn"))
    over_widths = OverWidths(by_width, theory.mean_field(gain, size["input_std"]).slope)
    what = f"{recurrent.__name__}, g = {gain:.4g}: slope of log ‖∇h‖² by lag"
    at_n = Line(what=f"{what}, n = {n}", measured=by_width[n].value, standard_error=by_width[n].standard_error,
                theory=over_widths.theory)  # fmt: skip
    return [at_n, over_widths.line(what, check=f"off by {check.worst:.0e}", agree=check.agree)], {
        "weights": recurrent.__name__,
        "gain": gain,
        **over_widths.record(),
        "slope_of_mean_square": asdict(diagnostics.mean_slope(norms[n])),
        "log10_norm_quantiles": np.round(np.quantile(norms[n], (0.1, 0.5, 0.9), axis=0) / np.log(10), 6).tolist(),
        "cross_check": {"agree": check.agree, "undecided": check.undecided, "worst_relative_error": check.worst},
    }


def draw(rows, theme, *, steps, networks):
    """Medians, bands and theory by lag; each curve's name stands at its end."""
    figure = Figure(figsize=(5.6, 6.2), layout="constrained")
    axes = figure.add_subplot(xlim=(0, steps), xlabel="lag T − t (steps back from the loss)")
    what = "‖∂L/∂h(t)‖ / ‖∂L/∂h(T)‖, where L is the loss of step T"
    headline(axes, "One step back multiplies the gradient by √χ", what)
    lag, colours = np.arange(steps + 1), dict(zip(sorted({r["gain"] for r in rows}), theme.colours, strict=True))
    for r in rows:
        colour, (low, median, high) = colours[r["gain"]], np.array(r["log10_norm_quantiles"])
        if r["weights"] == "orthogonal":
            axes.plot(lag[2::4], median[2::4], "o", ms=4, mfc=theme.paper, mec=colour, mew=1.1, zorder=4)
        else:
            axes.fill_between(lag, low, high, color=colour, alpha=0.25, lw=0)
            axes.plot(lag, median, color=colour, lw=2)
            axes.plot(lag, lag * r["theory"] / np.log(100), "--", color=theme.ink, lw=1, zorder=3)

    rates = {r["gain"]: r["theory"] / np.log(100) for r in rows}  # log10 √χ
    first, *others = colours
    ends = [rates[gain] * steps for gain in others]
    bottom = 1.15 * ends[0]  # the first falls so fast that its beginning is enough
    axes.set_ylim(bottom, 1.3 * ends[-1])
    names = [f"g = {gain:g}\n×{10 ** rates[gain]:.2f} a step" for gain in others]
    label_ends(axes, steps, ends, names, [colours[gain] for gain in others])
    name = f"W = 0.01·randn\n(min-char-rnn), g = {first:.2g}\n×{10 ** rates[first]:.2f} a step"
    axes.text((0.8 * bottom) / rates[first] + 0.035 * steps, 0.8 * bottom, name, va="center", color=colours[first])
    decades(axes)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.plot([], [], color=theme.ink, lw=2, label=f"W Gaussian: median and middle 80 % of {networks} networks")
    axes.plot([], [], "o", ms=4, mfc=theme.paper, mec=theme.ink, label="W orthogonal: their median")
    axes.plot([], [], "--", color=theme.ink, lw=1, label="mean-field theory: √χ a step, nothing fitted")
    figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
    return figure


def main(
    *, units: int = 400, steps: int = 60, networks: int = 48, input_std: float = 0.5, seed: int = 0,
    out: Path = Path("out/gradient_norms"),
) -> int:  # fmt: skip
    """Measures, compares, checks, draws.

    Args:
        units: n, the width that is plotted; half and a quarter are measured as well, to extrapolate to n → ∞.
        steps: T, the number of steps.
        networks: How many are drawn for each configuration.
        input_std: σ, the standard deviation of the noise at each unit.
        seed: Decides every draw.
        out: The folder for the figure (SVG light and dark, PNG) and the numbers (JSON); earlier ones are replaced.
    """
    for name, value, least in (("units", units, 8), ("steps", steps, 2), ("networks", networks, 2)):
        if value < least:
            raise ValueError(f"--{name} is {value}; it is at least {least}.")
    options = {"n": units, "steps": steps, "networks": networks, "input_std": input_std, "seed": seed}
    kinds = [(diagnostics.gaussian, 0.01 * units**0.5)]
    kinds += [(recurrent, gain) for gain in GAINS for recurrent in (diagnostics.gaussian, diagnostics.orthogonal)]
    measuring = experiment.progress(kinds, "networks", len(kinds))
    lines, rows = zip(*(measure(recurrent, gain, **options) for recurrent, gain in measuring), strict=True)
    return experiment.publish(
        "gradient_norms", list(chain(*lines)),
        lambda theme: draw(rows, theme, steps=steps, networks=networks), out, record={**options, "rows": rows},
    )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__, quick={"units": 60, "steps": 20, "networks": 6}))
