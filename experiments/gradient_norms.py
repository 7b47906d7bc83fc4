r"""Do gradients vanish or explode? ‖∂L/∂h(t)‖ against the lag T − t, for the loss of the last step.

Random tanh networks of n units, a(t) = W h(t−1) + σ ξ(t): W Gaussian of variance g²/n, or orthogonal g Q, or the
.01·randn of min-char-rnn, which is the Gaussian of gain .01 √n. Theory has one number for each gain: going back one
step multiplies the squared norm by χ (:mod:`manual_rnn.theory.mean_field`).

The figure is written only if the gradients in it agree with those of ``jax.grad``, at the configuration plotted.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import cyclopts
import jax
import matplotlib
import numpy as np
import scipy
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from manual_rnn import cells, diagnostics, theory
from manual_rnn.figures import decades, headline, label_ends, write_figure
from manual_rnn.provenance import provenance
from reference import autodiff

GAINS = (0.8, 1.0, 1.5, 2.0)
TwoOrMore = Annotated[int, cyclopts.Parameter(validator=cyclopts.validators.Number(gte=2))]
app = cyclopts.App(help=__doc__.splitlines()[0], result_action="return_value")


def measure(recurrent, gain, *, n, networks, seed, **size):
    """Norms by lag at width n, slopes at n/2 and n beside the theory's, and the cross-check of one network."""
    at_half, at_n = (
        diagnostics.norms_by_lag(width, networks=networks, gain=gain, recurrent=recurrent, seed=seed, **size)
        for width in (n // 2, n)
    )
    half, full = diagnostics.typical_slope(at_half), diagnostics.typical_slope(at_n)
    net = diagnostics.driven_network(n, gain=gain, recurrent=recurrent, seed=(seed, n, 0), **size)  # the first of at_n
    problem, options = (cells.get("rnn"), net.params, net.x, net.y), {"initial": net.initial, "reduction": "last"}
    check = diagnostics.cross_check(*problem, **options, against=autodiff("rnn"))
    return {
        "weights": recurrent.__name__,
        "gain": gain,
        "theory": theory.mean_field(gain, size["input_std"]).slope,
        "slope": asdict(full),
        "slope_of_mean_square": asdict(diagnostics.mean_slope(at_n)),
        "slope_extrapolated": asdict(diagnostics.extrapolated(half, full)),
        "log10_norm_quantiles": np.round(np.quantile(at_n, (0.1, 0.5, 0.9), axis=0) / np.log(10), 6).tolist(),
        "cross_check": {"agree": check.agree, "undecided": check.undecided, "worst_relative_error": check.worst},
    }


def table(rows):
    """The slopes of log ‖∇h‖² per step: measured, extrapolated to n → ∞, predicted; and how far these two part."""
    lines = ["weights     gain  slope ± s.e.      of mean²  n → ∞ ± s.e.      theory   deviation          cross-check"]
    for r in rows:
        limit, check = r["slope_extrapolated"], r["cross_check"]
        off = limit["value"] - r["theory"]
        lines.append(
            f"{r['weights']:10}  {r['gain']:4.2f}  {r['slope']['value']:+.4f} ± {r['slope']['standard_error']:.4f}  "
            f"{r['slope_of_mean_square']['value']:+.4f}   {limit['value']:+.4f} ± {limit['standard_error']:.4f}  "
            f"{r['theory']:+.4f}  {off:+.4f} {off / limit['standard_error']:+.1f} s.e.  "
            f"{'agree' if check['agree'] else 'DISAGREE'}, off by {check['worst_relative_error']:.0e}"
        )
    return "\n".join(lines)


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


@app.default
def main(
    *,
    units: TwoOrMore = 400,
    steps: TwoOrMore = 60,
    networks: TwoOrMore = 48,
    input_std: float = 0.5,
    seed: int = 0,
    quick: bool = False,
    out: Path = Path("out/gradient_norms"),
) -> int:
    """Measures, compares, checks, draws.

    Args:
        units: n, the width that is plotted; half of it is measured as well, to extrapolate to n → ∞.
        steps: T, the number of steps.
        networks: How many are drawn for each configuration.
        input_std: σ, the standard deviation of the noise at each unit.
        seed: Decides every draw.
        quick: A small run of seconds: 60 units, 20 steps, 6 networks.
        out: The folder for the figure (SVG light and dark, PNG) and the numbers (JSON); earlier ones are replaced.
    """
    if quick:
        units, steps, networks = 60, 20, 6
    options = {"n": units, "steps": steps, "networks": networks, "input_std": input_std, "seed": seed}
    kinds = [(diagnostics.gaussian, 0.01 * units**0.5)]
    kinds += [(recurrent, gain) for gain in GAINS for recurrent in (diagnostics.gaussian, diagnostics.orthogonal)]
    try:
        with threadpool_limits(1):  # products this small only wait for further threads
            rows = [measure(recurrent, gain, **options) for recurrent, gain in kinds]
    except ValueError as error:
        print(f"This cannot be measured. {error}", file=sys.stderr)
        return 3
    print(table(rows))
    if not all(r["cross_check"]["agree"] for r in rows):
        print("Manual and autodiff disagree where the table says so; no figure is written.", file=sys.stderr)
        return 1
    write_figure(lambda theme: draw(rows, theme, steps=steps, networks=networks), out / "gradient_norms")
    libraries = {module.__name__: module.__version__ for module in (jax, matplotlib, scipy)}
    record = {**options, **provenance(), "libraries": libraries, "rows": rows}
    (out / "gradient_norms.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"The figure (gradient_norms-light.svg, -dark.svg, .png) and its numbers (.json) are in {out}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(app())
