r"""How long does a gate remember at the start? What is left of c(t) after k steps, by the forget gate's bias.

An LSTM that has not learnt keeps f = σ(b_f) of its memory at every step. With one bias for all units that is a
geometric curve, gone after some steps; chrono initialisation (Tallec, Ollivier 2018) draws log-uniform biases, so that
some units forget at once and some last for T_max steps: the mean of what they keep is E_u[(u/(1 + u))ᵏ],
u ~ U(1, T_max − 1), which falls by a power (:mod:`manual_rnn.theory.chrono`). Measured with the library's own
initialisation and :func:`manual_rnn.diagnostics.gate_memory`.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import cells, diagnostics, experiment, initialise, theory
from manual_rnn.experiment import Line
from manual_rnn.figures import decades, headline
from manual_rnn.theory.arguments import whole
from reference import autodiff

LSTM = cells.get("lstm")


def start(n, seed, **options):
    """An LSTM whose gates see nothing but their biases."""
    params = initialise(LSTM, n_in=2, n_hidden=n, n_out=3, seed=seed, **options)
    return {name: array * 0 if name[0] in "WU" else array for name, array in params.items()}


def draw(theme, curves, lags):
    figure = Figure(figsize=(5.6, 5.4), layout="constrained")
    axes = figure.add_subplot(xscale="log", xlabel="k, steps", xlim=(1, lags * 4), ylim=(-6, 0.3))
    headline(axes, "Drawn biases remember at every scale", "the mean of what the forget gate keeps of c after k steps")
    for (name, (measured, exact)), colour in zip(curves.items(), (theme.colours[k] for k in (4, 3, 1)), strict=True):
        k = np.unique(np.geomspace(1, lags, 24).astype(int))
        axes.plot(k, measured[k] / np.log(10), "o", ms=4, color=colour)
        axes.plot(np.arange(1, lags + 1), np.log10(np.maximum(exact[1:], 1e-30)), "--", color=colour, lw=1)
        last = np.flatnonzero(np.log10(np.maximum(exact, 1e-30)) > -5.5)[-1]
        at = (last, np.log10(exact[last]))
        axes.annotate(name, at, (8, 0), textcoords="offset points", va="center", color=colour)
    decades(axes)
    axes.plot([], [], "o", ms=4, color=theme.ink, label="measured, with the library's initialisation")
    axes.plot([], [], "--", color=theme.ink, lw=1, label="exact")
    figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
    return figure


def main(
    *, units: int = 4000, lags: int = 200, longest: int = 200, seed: int = 0,
    out: Path = Path("out/chrono"),
) -> int:  # fmt: skip
    """Measures three initialisations, compares with the exact curves, checks, draws.

    Args:
        units: n, how many biases are drawn.
        lags: How many steps.
        longest: T_max of chrono initialisation.
        seed: Decides every draw.
        out: The folder for the figure and the numbers.
    """
    whole("number of units", units, 2)
    whole("number of lags", lags, 1)
    starts = {
        "b = 0": ({"forget_bias": 0.0}, lambda k: theory.memory_of_one_bias(k, 0.0)),
        "b = 1": ({"forget_bias": 1.0}, lambda k: theory.memory_of_one_bias(k, 1.0)),
        f"chrono,\nT_max = {longest}": ({"chrono": longest}, lambda k: theory.memory_of_chrono(k, longest)),
    }
    curves, lines = {}, []
    for name, (options, exact) in starts.items():
        params = start(units, seed, **options)
        kept = diagnostics.gate_memory(LSTM, params, np.zeros((lags, 1, 2)))
        curves[name] = kept.log_of_mean_kept.values, np.array([exact(k) for k in range(lags + 1)])
        f = 1 / (1 + np.exp(-params["b_f"]))
        at = min(100, lags)
        error = (f**at).std(ddof=1) / np.sqrt(units)
        small = initialise(LSTM, n_in=2, n_hidden=8, n_out=3, seed=seed, **options)  # with all its weights
        rng = np.random.default_rng(seed)
        problem = (LSTM, small, rng.standard_normal((12, 2, 2)), rng.integers(0, 3, (12, 2)))
        checked = diagnostics.cross_check(*problem, reduction="last", state="c", against=autodiff("lstm"))
        lines.append(Line(
            what=f"{name.replace(chr(10), ' ')}: kept after {at} steps",
            measured=float(np.exp(kept.log_of_mean_kept[at])),
            standard_error=float(error) if error > 1e-300 and "chrono" in name else None, theory=float(exact(at)),
            check=f"∇c off by {checked.worst:.0e}", agree=checked.agree,
        ))  # fmt: skip
    record = {"units": units, "longest": longest, "seed": seed,
              "log_of_mean_kept": {name: measured.tolist() for name, (measured, _) in curves.items()}}  # fmt: skip
    return experiment.publish("chrono", lines, lambda theme: draw(theme, curves, lags), out, record=record)


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__, quick={"units": 400}))
