r"""What does gradient flossing do to a network? Lyapunov exponents and long-range Jacobians, before and after.

A tanh network that reads fair bits, W Gaussian of gain 1, is flossed (:mod:`manual_rnn.flossing`; Engelken 2023): Adam
moves W, U and b so that all but a few of its Lyapunov exponents come to zero, each update over one sequence of 55 steps
of which 16 do not count. Before, and after it, over a sequence that it has not seen: the exponents, and the largest
and the last flossed singular value of ∂h(T)/∂h(T − k). The first over the second is the condition number in the flossed
directions. Theory, in the table, is what the exponents say of it,
e^{k (λ₁ − λ₇₅)}: the rate alone, which at ten steps is one or two decades short. A W that begins orthogonal stands
beside it.

The gradient of flossing is derived by hand through the QR iteration (:mod:`manual_rnn.lyapunov_gradient`), and the
figure is written only if it agrees with `jax.grad` through JAX's own QR, at the first and the last parameters plotted.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import cells, diagnostics, experiment, initialise
from manual_rnn.experiment import Line
from manual_rnn.figures import decades, headline
from manual_rnn.flossing import flossing
from manual_rnn.lyapunov_gradient import first_directions, lyapunov_gradient
from manual_rnn.optimisers import Adam
from manual_rnn.theory.arguments import whole
from reference import autodiff, lyapunov_exponents

CELL = cells.get("rnn")
STEPS, WARM_UP, LR = 55, 16, 1e-3


def bits(rng, T):
    return rng.integers(0, 2, (T, 1, 1)).astype(float)


WITHIN = 1e-9
"""Of the largest number of a gradient: what is left of a direction in a step, some 1e-3 of it, costs as many digits."""


def off(params, x, count):
    """How far the gradient of the loss is from autodiff's, relative to the largest number in it."""
    ours = flossing(CELL, params, x, count=count, warm_up=WARM_UP)
    n, oracle = len(params["W"]), lyapunov_exponents(autodiff(CELL.name))
    begin = first_directions(1, n, count, seed=0)
    _, theirs = oracle(params, {"h": np.zeros((1, n))}, x, begin, WARM_UP, 2 * ours.exponents)
    largest = max(np.abs(array).max() for array in theirs.values())
    return max(float(np.abs(ours.gradients[name] - array).max() / largest) for name, array in theirs.items())


def measured(params, x, count, lags):
    """The exponents, and log10 of the largest and the count-th singular value by lag."""
    exponents, _ = lyapunov_gradient(CELL, params, x, count=count, warm_up=WARM_UP)
    logs = diagnostics.jacobian_singular_values(CELL, params, x).isel(sequence=0).sel(lag=slice(None, lags))
    return {"exponents": exponents[0], "largest": logs.values[:, 0] / np.log(10),
            "last": logs.values[:, count - 1] / np.log(10)}  # fmt: skip


def draw(theme, found, updates):
    figure = Figure(figsize=(5.6, 7.6), layout="constrained")
    upper, lower = figure.subplots(2, 1)
    upper.set(xlabel="index i of the exponent", ylabel="λᵢ (nats per step)")
    headline(upper, "Flossed exponents come to zero", f"before flossing, and after {updates} updates")
    lower.set(xlabel="lag k (steps back)", xlim=(0, len(found["gaussian"]["last"]) - 1))
    headline(lower, "So gradients last, in nearly all directions",
             "largest and last flossed singular value of ∂h(T)/∂h(T − k)")  # fmt: skip
    colours = dict(zip(found, (theme.colours[4], theme.colours[1], theme.colours[2]), strict=True))
    for (name, one), colour in zip(found.items(), colours.values(), strict=True):
        index, lags = np.arange(1, len(one["exponents"]) + 1), np.arange(len(one["largest"]))
        upper.plot(index, one["exponents"], "o", ms=3, color=colour, label=name)
        lower.plot(lags, one["largest"], color=colour, lw=2)
        lower.plot(lags, one["last"], color=colour, lw=2, ls="--")
    upper.axhline(0, color=theme.ink, lw=1)
    upper.legend(frameon=False, loc="lower left")
    lower.plot([], [], color=theme.ink, lw=2, label="largest")
    lower.plot([], [], color=theme.ink, lw=2, ls="--", label="last flossed")
    lower.legend(frameon=False, loc="lower left")
    decades(lower)
    return figure


def main(
    *, units: int = 80, count: int = 75, updates: int = 500, lags: int = 40, seed: int = 0, quick: bool = False,
    out: Path = Path("out/flossing"),
) -> int:  # fmt: skip
    """Flosses a network, measures it before and after, checks the gradient against autodiff, draws.

    Args:
        units: n, the width.
        count: How many exponents are flossed, the largest.
        updates: Of flossing.
        lags: How many steps back.
        seed: Decides every draw.
        quick: 12 units, 10 exponents, 40 updates.
        out: The folder for the figure and the numbers.
    """
    if quick:
        units, count, updates = 12, 10, 40
    whole("number of units", units, 2)
    whole("number of exponents", count, 2)
    whole("number of updates", updates, 1)
    whole("number of lags", lags, 1)
    rng = np.random.default_rng(seed)
    params = {start: initialise(CELL, n_in=1, n_hidden=units, n_out=1, seed=seed, recurrent=start)
              for start in ("gaussian", "orthogonal")}  # fmt: skip
    unseen = bits(rng, WARM_UP + max(STEPS, lags))
    found = {start: measured(params[start], unseen, count, lags) for start in params}
    flossed, optimiser, checks = params["gaussian"], Adam(beta_2=0.999), [off(params["gaussian"], unseen, count)]
    moved = {name: flossed[name] for name in ("W", "U", "b")}
    for _ in experiment.progress(range(updates), "flossing", updates):
        optimiser.update(moved, flossing(CELL, flossed, bits(rng, STEPS), count=count, warm_up=WARM_UP).gradients, LR)
    found["gaussian, flossed"] = measured(flossed, unseen, count, lags)
    checks.append(off(flossed, unseen, count))

    told, lines, lag = {"gaussian": checks[0], "gaussian, flossed": checks[1]}, [], min(10, lags)
    for name, one in found.items():
        check = f"gradient off by {told[name]:.0e}" if name in told else ""
        lines += [
            Line(what=f"{name}: λ_1", measured=one["exponents"][0], check=check, agree=told.get(name, 0) < WITHIN),
            Line(what=f"{name}: λ_{count}", measured=one["exponents"][-1]),
            Line(what=f"{name}: log10 of the condition number over {lag} steps, {count} directions",
                 measured=one["largest"][lag] - one["last"][lag],
                 theory=lag * float(np.ptp(one["exponents"])) / np.log(10)),
        ]  # fmt: skip
    curves = {name: {key: array.tolist() for key, array in one.items()} for name, one in found.items()}
    record = {"units": units, "count": count, "updates": updates, "seed": seed, "found": curves}
    return experiment.publish("flossing", lines, lambda theme: draw(theme, found, updates), out, record=record)


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__))
