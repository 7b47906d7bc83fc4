r"""Does a gradient keep its length in every direction? Singular values of ∂h(T)/∂h(T−k), orthogonal and Gaussian W.

At gain one the *mean* square of a gradient neither grows nor shrinks, with either kind of W. But a gradient goes one
way: with a Gaussian W the singular values of Wᵏ spread over ever more decades, and most directions are lost while a
few explode; with an orthogonal W all of them are one, in the linear network exactly and in a tanh network near h = 0
(dynamical isometry: Saxe, McClelland, Ganguli 2014; Chen, Pennington, Schoenholz 2018). One network a seed; the spread
between seeds is part of the matter.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import cells, diagnostics, experiment
from manual_rnn.experiment import Line
from manual_rnn.figures import decades, headline
from manual_rnn.theory.arguments import whole
from reference import autodiff

CELL = cells.get("rnn_identity")


def network(kind, n, seed):
    params = {"W": kind(n, 1.0, np.random.default_rng((seed, n))), "U": np.zeros((n, 1)), "b": np.zeros(n)}
    return params | {"V": np.zeros((1, n)), "c": np.zeros(1)}


def spectra(kind, *, n, lags, seeds):
    """log10 of the singular values by lag, seed and index, the largest first; -inf where the format has lost them."""
    found = [diagnostics.jacobian_singular_values(CELL, network(kind, n, seed), np.zeros((lags, 1, 1))).sel(sequence=0)
             for seed in range(seeds)]  # fmt: skip
    logs = np.stack([one.values for one in found], axis=1) / np.log(10)
    return np.where(np.isnan(logs), -np.inf, logs)


def by_autodiff(kind, n, lags):
    params, x = network(kind, n, 0), np.zeros((lags, 1, 1))
    checked = diagnostics.jacobian_singular_values(CELL, params, x, every=lags, against=autodiff(CELL.name))
    return checked.attrs["worst_relative_error"]


def draw(theme, gaussian, orthogonal):
    lags = np.arange(len(gaussian))
    figure = Figure(figsize=(5.6, 5.4), layout="constrained")
    axes = figure.add_subplot(xlabel="lag k (steps back)", xlim=(0, lags[-1] * 1.22), ylim=(-9, 4))
    headline(axes, "Gaussian weights keep few directions", "singular values of ∂h(T)/∂h(T − k), gain 1")
    for seed in range(gaussian.shape[1]):
        axes.plot(lags, gaussian[:, seed, 0], color=theme.colours[4], lw=1, alpha=0.8)
        axes.plot(lags, np.median(gaussian[:, seed], axis=-1), color=theme.colours[3], lw=1, alpha=0.8)
    axes.plot(lags, orthogonal[:, 0, 0], color=theme.colours[1], lw=2.5)
    for k, text, colour in (
        (np.median(gaussian[-1, :, 0]), "Gaussian,\nlargest", 4),
        (np.median(gaussian[-1]), "Gaussian,\nmedian", 3),
    ):
        axes.annotate(text, (lags[-1], k), (7, 0), textcoords="offset points", va="center", color=theme.colours[colour])
    axes.annotate("orthogonal, all", (lags[-1] / 2, 0), (0, -16), textcoords="offset points", color=theme.colours[1])
    decades(axes)
    return figure


def main(
    *, units: int = 100, lags: int = 40, seeds: int = 10, quick: bool = False, out: Path = Path("out/isometry")
) -> int:
    """Measures both kinds of W, checks against autodiff, draws.

    Args:
        units: n, the width.
        lags: How many steps back.
        seeds: How many networks of each kind.
        quick: 30 units, 20 lags, 3 networks.
        out: The folder for the figure and the numbers.
    """
    if quick:
        units, lags, seeds = 30, 20, 3
    whole("number of units", units, 2)
    whole("number of lags", lags, 1)
    whole("number of seeds", seeds, 2)
    size = {"n": units, "lags": lags, "seeds": seeds}
    gaussian, orthogonal = (spectra(kind, **size) for kind in (diagnostics.gaussian, diagnostics.orthogonal))
    lines = []
    for kind, found in ((diagnostics.gaussian, gaussian), (diagnostics.orthogonal, orthogonal)):
        off = by_autodiff(kind, units, lags)
        check = {"check": f"Jacobian off by {off:.0e}", "agree": off < 1e-11}  # nan, nothing decided, is no check
        exact = {"theory": 0.0} if kind is diagnostics.orthogonal else {}
        largest = found[-1, :, 0]
        lines += [
            Line(what=f"{kind.__name__}: log10 of the largest, lag {lags}", measured=float(largest.mean()),
                 standard_error=None if exact else float(largest.std(ddof=1) / np.sqrt(seeds)), **exact, **check),
            Line(what=f"{kind.__name__}: log10 of the median, lag {lags}", measured=float(np.median(found[-1])),
                 **exact),
        ]  # fmt: skip
    quantiles = {name: of(gaussian, axis=(1, 2)).tolist() for name, of in (("median", np.median), ("largest", np.max))}
    return experiment.publish(
        "isometry", lines, lambda theme: draw(theme, gaussian, orthogonal), out, record={**size, "gaussian": quantiles}
    )


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__))
