r"""Does a gradient keep its length in every direction? Singular values of ∂h(T)/∂h(T−k), orthogonal and Gaussian W.

At gain one the *mean* square of a gradient neither grows nor shrinks, with either kind of W. But a gradient goes one
way: with a Gaussian W the singular values of Wᵏ spread over ever more decades, and most directions are lost while a
few explode; with an orthogonal W all of them are one, in the linear network exactly and in a tanh network near h = 0
(dynamical isometry: Saxe, McClelland, Ganguli 2014; Chen, Pennington, Schoenholz 2018).

For n → ∞ the median falls as 2^(−k/2) (:func:`manual_rnn.theory.log_quantile_of_power`). The largest of a finite
network hangs on its largest eigenvalue and differs from one W to the next, so each network has its own line. The
numbers of W¹⁰⁰ know nothing of its median: a float64 ends sixteen decades below the largest, and their decomposition
finds rounding there (dotted). Taken apart after every step (:func:`manual_rnn.diagnostics.jacobian_singular_values`)
the product keeps all of them; that their logarithms add up to k log |det W| says so without any decomposition.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import cells, diagnostics, experiment, theory
from manual_rnn.experiment import Line
from manual_rnn.figures import decades, headline, label_ends
from manual_rnn.over_widths import OverWidths
from manual_rnn.theory.arguments import whole
from reference import autodiff

CELL = cells.get("rnn_identity")


def network(kind, n, seed):
    params = {"W": kind(n, 1.0, np.random.default_rng((seed, n))), "U": np.zeros((n, 1)), "b": np.zeros(n)}
    return params | {"V": np.zeros((1, n)), "c": np.zeros(1)}


def spectra(kind, *, n, lags, seeds, every):
    """The lags; log10 of the singular values by lag, seed and index, the largest first; how far their sum is off."""
    def of(seed):
        params = network(kind, n, seed)
        found = diagnostics.jacobian_singular_values(CELL, params, np.zeros((lags, 1, 1)), every=every)
        volume = found.lag[-1].item() * np.linalg.slogdet(params["W"])[1]
        off = abs(found.values[-1].sum() - volume) / max(abs(volume), 1.0)
        return found.lag.values, found.sel(sequence=0).values / np.log(10), off

    with ThreadPoolExecutor(2) as pool:  # NumPy's products run side by side
        found = experiment.progress(pool.map(of, range(seeds)), f"{kind.__name__} networks", seeds)
        at, logs, off = zip(*found, strict=True)
    return at[0], np.stack(logs, axis=1), max(off)


def multiplied_out(kind, n, lags, seeds):
    """log10 of the median singular value of each Wᵏ, as float64 has it; the typical seed's."""
    W = np.stack([network(kind, n, seed)["W"] for seed in range(seeds)])
    values = [np.linalg.svd(np.linalg.matrix_power(W, int(k)), compute_uv=False) for k in lags]
    return np.median(np.log10(np.median(values, axis=-1)), axis=-1)


def by_autodiff(kind, n, lags):
    params, x = network(kind, n, 0), np.zeros((lags, 1, 1))
    checked = diagnostics.jacobian_singular_values(CELL, params, x, every=lags, against=autodiff(CELL.name))
    return checked.attrs["worst_relative_error"]


def draw(theme, lags, gaussian, orthogonal, law, lost):
    figure = Figure(figsize=(5.6, 5.8), layout="constrained")
    last, largest, median = lags[-1], gaussian[:, :, 0], np.median(gaussian, axis=-1)
    limits = (1.08 * median.min(), largest.max() + 1)
    axes = figure.add_subplot(xlabel="lag k (steps back)", xlim=(0, last), ylim=limits)
    headline(axes, "Gaussian weights keep few directions", "singular values of ∂h(T)/∂h(T − k), gain 1")
    axes.plot(lags, largest, color=theme.colours[4], lw=0.8, alpha=0.6)
    axes.plot(lags, median, color=theme.colours[3], lw=0.8, alpha=0.6)
    axes.plot(lags, orthogonal[:, 0, 0], color=theme.colours[1], lw=2.5)
    axes.plot(lags, law, "--", color=theme.ink, lw=1, zorder=3)
    axes.plot(lags, lost, ":", color=theme.grey, lw=2.5, zorder=4)
    ends = [np.median(largest[-1]), 0.0, lost[-1], law[-1]]
    names = ("Gaussian,\nlargest", "orthogonal,\nall", "their median,\nmultiplied out", "Gaussian,\nmedian")
    colours = [theme.colours[4], theme.colours[1], theme.grey, theme.colours[3]]
    label_ends(axes, last, ends, names, colours)
    decades(axes)
    axes.plot([], [], color=theme.ink, lw=1, label=f"each of {gaussian.shape[1]} networks")
    axes.plot([], [], "--", color=theme.ink, lw=1, label="Fuss–Catalan law of the median, n → ∞, nothing fitted")
    axes.plot([], [], ":", color=theme.grey, lw=2.5, label="a decomposition of Wᵏ in float64: rounding")
    figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
    return figure


def over_seeds(values):
    error = values.std(ddof=1) / np.sqrt(len(values))
    return diagnostics.Slope(value=float(values.mean()), standard_error=float(error))


def main(
    *, units: int = 200, lags: int = 100, seeds: int = 40, out: Path = Path("out/isometry")
) -> int:
    """Measures both kinds of W, checks against autodiff, draws.

    Args:
        units: n, the width; half and a quarter are measured as well, for the median at n → ∞.
        lags: How many steps back.
        seeds: How many networks of each kind.
        out: The folder for the figure and the numbers.
    """
    whole("number of units", units, 8)
    whole("number of lags", lags, 1)
    whole("number of seeds", seeds, 2)
    size = {"n": units, "lags": lags, "seeds": seeds}
    every = max(k for k in range(1, 1 + max(lags // 20, 1)) if lags % k == 0)
    at, gaussian, volume = spectra(diagnostics.gaussian, **size, every=every)
    _, orthogonal, kept = spectra(diagnostics.orthogonal, **size, every=every)
    law = np.array([0.0] + [theory.log_quantile_of_power(0.5, int(k), 1.0) for k in at[1:]]) / np.log(10)
    lost = multiplied_out(diagnostics.gaussian, units, at, seeds)
    largest, medians = gaussian[-1, :, 0], {units: over_seeds(np.median(gaussian[-1], axis=-1))}
    for n in (units // 2, units // 4):  # the law is of n → ∞
        _, narrower, _ = spectra(diagnostics.gaussian, **size | {"n": n}, every=lags)
        medians[n] = over_seeds(np.median(narrower[-1], axis=-1))
    over_widths, spread = OverWidths(medians, float(law[-1])), over_seeds(largest)
    told = {}
    for kind, sum_off in ((diagnostics.gaussian, volume), (diagnostics.orthogonal, kept)):
        off = by_autodiff(kind, units, lags)  # nan, nothing decided, is no check
        told[kind] = {"check": f"Jacobian off by {off:.0e}, Σ log by {sum_off:.0e}",
                      "agree": off < 1e-11 and sum_off < 1e-11}  # fmt: skip
    lines = [
        Line(what=f"gaussian: log10 of the median, lag {lags}, n = {units}", measured=medians[units].value,
             standard_error=medians[units].standard_error, theory=over_widths.theory, **told[diagnostics.gaussian]),
        over_widths.line(f"gaussian: log10 of the median, lag {lags}"),
        Line(what=f"gaussian: the same of Wᵏ multiplied out, n = {units}: rounding", measured=lost[-1]),
        Line(what=f"gaussian: log10 of the largest, lag {lags}, {largest.min():.1f} to {largest.max():.1f}",
             measured=spread.value, standard_error=spread.standard_error),
        Line(what=f"orthogonal: log10 of the largest, lag {lags}", measured=float(orthogonal[-1, :, 0].mean()),
             theory=0.0, **told[diagnostics.orthogonal]),
        Line(what=f"orthogonal: log10 of the smallest, lag {lags}", measured=float(orthogonal[-1, :, -1].mean()),
             theory=0.0),
    ]  # fmt: skip
    record = {**size, "at": at.tolist(), "log10_of_largest": gaussian[:, :, 0].tolist(),
              "log10_of_median": np.median(gaussian, axis=-1).tolist(), "median_multiplied_out": lost.tolist(),
              "law_of_median": law.tolist(), "median": over_widths.record()}  # fmt: skip
    return experiment.publish(
        "isometry", lines, lambda theme: draw(theme, at, gaussian, orthogonal, law, lost), out, record=record
    )


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__, quick={"units": 30, "lags": 20, "seeds": 3}))
