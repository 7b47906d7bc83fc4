r"""How wrong is a truncated gradient? The bias of truncated BPTT against how far it goes back.

For one linear unit with the loss ½ h(T)² the share of the expected gradient that truncation to K steps leaves out is
exact, λ^2K for long sequences (:mod:`manual_rnn.theory.truncation_bias`; Tallec, Ollivier 2017). Beside it a GRU, for
which no closed form exists: what is left out of its own gradient, ‖∇ − Σ_{k<K} C_k‖ / ‖∇‖, from one backward pass
(:func:`manual_rnn.diagnostics.contributions`), with the truncation that a bias of 5 % needs.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import cells, diagnostics, experiment, initialise, theory, ways
from manual_rnn.experiment import Line
from manual_rnn.figures import headline
from manual_rnn.theory.arguments import whole

DECAYS = (0.8, 0.9, 0.95)
LINEAR = cells.get("rnn_identity")


def of_one_unit(decay, kept, *, steps, runs, seed):
    """The relative bias with each K, over runs; and its standard error, by the ratio of sums."""
    rng = np.random.default_rng((seed, int(1000 * decay)))
    x = rng.standard_normal((steps, runs))
    h = np.zeros((steps + 1, runs))
    for t in range(steps):
        h[t + 1] = decay * h[t] + x[t]
    terms = h[-1] * decay ** np.arange(steps)[:, None] * h[-2::-1]  # (T1): the part of each lag, nearest first
    total = terms.sum(axis=0)
    bias, error = [], []
    for k in kept:
        missing = terms[k:].sum(axis=0)
        ratio = missing.mean() / total.mean()
        bias.append(ratio)
        error.append(np.std(missing - ratio * total, ddof=1) / np.sqrt(runs) / abs(total.mean()))
    return np.array(bias), np.array(error)


def one_run_agrees(decay, kept, steps=24):
    """The same sums beside ``ways.truncated_bptt`` of the linear cell, for one run: the largest relative difference."""
    x = np.random.default_rng(1).standard_normal((steps, 1))
    params = {"W": np.array([[decay]]), "U": np.eye(1), "b": np.zeros(1), "V": np.eye(1), "c": np.zeros(1)}
    weights = np.zeros((steps, 1))
    weights[-1] = 1
    h = np.zeros((steps + 1, 1))
    for t in range(steps):
        h[t + 1] = decay * h[t] + x[t]
    off = []
    for k in kept:
        mine = (h[-1] * decay ** np.arange(k)[:, None] * h[-2::-1][:k]).sum()
        theirs = ways.truncated_bptt(LINEAR, params, x[..., None], np.zeros((steps, 1, 1)), k1=k, k2=k, loss="squared",
                                     weights=weights).gradients["W"].item()  # fmt: skip
        off.append(abs(theirs / mine - 1))
    return max(off)


def draw(theme, kept, found, gru, steps):
    figure = Figure(figsize=(5.6, 5.4), layout="constrained")
    axes = figure.add_subplot(yscale="log", xlabel="steps that are gone back over, K", ylabel="relative bias",
                              xlim=(0, kept[-1]), ylim=(1e-4, 1.2))  # fmt: skip
    headline(axes, "What truncation leaves out falls by λ² a step", "one linear unit, and a GRU as it is initialised")
    for (decay, (bias, error)), colour in zip(found.items(), (theme.colours[k] for k in (1, 2, 4)), strict=True):
        axes.errorbar(kept, bias, 2 * error, fmt="o", ms=4, color=colour)
        axes.plot(kept, [theory.truncation_bias(decay, int(k), steps=steps) for k in kept], "--", color=colour, lw=1)
    axes.plot(gru.lag, gru.left_out, color=theme.grey, lw=2)
    for decay, colour, k in zip(found, (theme.colours[k] for k in (1, 2, 4)), (14, 20, 24), strict=True):
        at = theory.truncation_bias(decay, k, steps=steps)
        axes.annotate(f"λ = {decay}", (k, at), (6, 8), textcoords="offset points", color=colour)
    axes.plot([], [], "o", ms=4, color=theme.ink, label="measured, two standard errors")
    axes.plot([], [], "--", color=theme.ink, lw=1, label=f"exact, T = {steps}")
    axes.plot([], [], color=theme.grey, lw=2, label="GRU, 32 units: what is left out of its gradient of W")
    figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
    return figure


def main(
    *, steps: int = 60, runs: int = 200_000, seed: int = 0, out: Path = Path("out/truncation_bias")
) -> int:
    """Measures, compares with the law, checks, draws.

    Args:
        steps: T, the length of the sequences.
        runs: Independent inputs at each λ.
        seed: Decides every draw.
        out: The folder for the figure and the numbers.
    """
    whole("number of steps", steps, 30)
    whole("number of runs", runs, 2)
    kept, found, lines = np.arange(1, 31), {}, []
    for decay in DECAYS:
        found[decay] = bias, error = of_one_unit(decay, kept, steps=steps, runs=runs, seed=seed)
        off = one_run_agrees(decay, [2, 4, 8])
        lines += [
            Line(what=f"bias at λ = {decay}, K = {k}", measured=float(bias[k - 1]), standard_error=float(error[k - 1]),
                 theory=theory.truncation_bias(decay, k, steps=steps), check=f"off by {off:.0e}", agree=off < 1e-12)
            for k in (5, 10)
        ]  # fmt: skip
    cell, rng = cells.get("gru"), np.random.default_rng(seed)
    params = initialise(cell, n_in=16, n_hidden=32, n_out=16, seed=seed)
    x, y = rng.integers(0, 16, (steps, 4)), rng.integers(0, 16, (steps, 4))
    gru = diagnostics.contributions(cell, params, x, y, "W_n")
    needed = diagnostics.suggested_truncation(gru, 0.05)
    lines.append(Line(what="GRU: steps for a bias of 5 %", measured=needed))
    record = {"steps": steps, "runs": runs, "seed": seed, "left_out_gru": gru.left_out.values.tolist(),
              "bias": {decay: bias.tolist() for decay, (bias, _) in found.items()}}  # fmt: skip
    return experiment.publish(
        "truncation_bias", lines, lambda theme: draw(theme, kept, found, gru, steps), out, record=record
    )


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__, quick={"runs": 5000}))
