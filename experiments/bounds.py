r"""Can one tell from W alone whether gradients vanish? Pascanu's bound beside what it bounds.

In a simple recurrence no singular value of ∂h(T)/∂h(T−k) exceeds (γ‖W‖₂)ᵏ, γ = 1 for tanh: gradients vanish for
certain where that is below one, and may explode only above (:func:`manual_rnn.theory.log_jacobian_bound`; Pascanu,
Mikolov, Bengio 2013). A Gaussian W of gain g has ‖W‖₂ ≈ 2g, so from g = ½ on the bound promises nothing, while the
gradients of the driven tanh network vanish up to the critical gain of 1.55. The bound does not see that W stretches one
direction only, and turns it elsewhere (the linear network, whose Jacobian is Wᵏ exactly), nor that units saturate (the
tanh network). Mean-field theory does: the mean square of the singular values goes with χᵏ, n → ∞, nothing fitted.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import cells, diagnostics, experiment, theory
from manual_rnn.experiment import Line
from manual_rnn.figures import decades, headline, label_ends
from manual_rnn.theory.arguments import whole
from reference import autodiff

TANH, LINEAR = cells.get("rnn"), cells.get("rnn_identity")
STD = 0.5


def spectra(cell, net):
    """log10 of the largest singular value by lag, and of their root mean square."""
    found = diagnostics.jacobian_singular_values(cell, net.params, net.x, initial=net.initial).sel(sequence=0)
    logs = found.values / np.log(10)
    squares = np.nanmean(10 ** (2 * (logs - logs[:, :1])), axis=-1)  # those that the format has lost add nothing to it
    squares *= np.isfinite(logs).sum(axis=-1) / logs.shape[-1]
    return logs[:, 0], logs[:, 0] + np.log10(squares) / 2


def by_autodiff(cell, net):
    given = {"initial": net.initial, "every": len(net.x), "against": autodiff(cell.name)}
    return diagnostics.jacobian_singular_values(cell, net.params, net.x, **given).attrs["worst_relative_error"]


def measure(n, gain, lags, seeds, seed):
    """By name, log10 by (network, lag); the worst difference from autodiff and from the power of W."""
    found = {name: [] for name in ("bound", "linear", "tanh", "mean")}
    off, power = {}, 0.0
    for i in range(seeds):
        net = diagnostics.driven_network(n, gain=gain, input_std=STD, steps=lags, seed=(seed, n, i))
        W = net.params["W"]
        found["bound"].append([theory.log_jacobian_bound(W, k) / np.log(10) for k in range(lags + 1)])
        largest, mean = spectra(TANH, net)
        linear, _ = spectra(LINEAR, net)
        for name, row in (("tanh", largest), ("mean", mean), ("linear", linear)):
            found[name].append(row)
        exact = [np.linalg.norm(np.linalg.matrix_power(W, k), 2) for k in range(lags + 1)]
        power = max(power, float(np.abs(10**linear / exact - 1).max()))
        if i == 0:
            off = {cell.name: by_autodiff(cell, net) for cell in (TANH, LINEAR)}
    return {name: np.array(rows) for name, rows in found.items()}, off, power


def draw(theme, found, law, gain):
    lag = np.arange(len(law))
    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
    ends = {name: rows[:, -1].mean() for name, rows in found.items()}
    limits = (min(0.0, 1.6 * ends["mean"]), max(1.0, 1.06 * ends["bound"]))
    axes = figure.add_subplot(xlabel="lag k (steps back)", xlim=(0, lag[-1]), ylim=limits)
    seen = "The bound explodes, the gradients vanish" if ends["tanh"] < 0 < ends["bound"] else "How loose the bound is"
    headline(axes, seen, f"singular values of ∂h(T)/∂h(T − k), gain {gain:g}")
    for name, k in (("bound", 4), ("linear", 3), ("tanh", 1), ("mean", 2)):
        rows, colour = found[name], theme.colours[k]
        axes.fill_between(lag, rows.min(axis=0), rows.max(axis=0), color=colour, alpha=0.25, lw=0)
        axes.plot(lag, rows.mean(axis=0), color=colour, lw=2)
    axes.plot(lag, law, "--", color=theme.ink, lw=1)
    names = ("Pascanu's bound\n(γ‖W‖₂)$^k$", "linear: largest", "tanh: largest", "tanh: root\nmean square")
    label_ends(axes, lag[-1], [ends[name] for name in ("bound", "linear", "tanh", "mean")], names,
               [theme.colours[k] for k in (4, 3, 1, 2)])  # fmt: skip
    decades(axes)
    axes.plot([], [], color=theme.ink, lw=2, label=f"mean and range of {len(found['tanh'])} networks")
    axes.plot([], [], "--", color=theme.ink, lw=1, label="mean-field theory of the root mean square: √χ a step")
    figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
    return figure


def main(
    *, units: int = 200, gain: float = 1.2, lags: int = 30, networks: int = 12, seed: int = 0,
    out: Path = Path("out/bounds"),
) -> int:  # fmt: skip
    """Measures the linear and the tanh network of the same W, compares with bound and law, checks, draws.

    Args:
        units: n, the width.
        gain: g, of the Gaussian W.
        lags: How many steps back.
        networks: How many are drawn, two or more.
        seed: Decides every draw.
        out: The folder for the figure and the numbers.
    """
    whole("number of units", units, 2)
    whole("number of networks", networks, 2)
    whole("number of lags", lags, 1)
    found, off, power = measure(units, gain, lags, networks, seed)
    law = np.arange(lags + 1) * theory.mean_field(gain, STD).slope / np.log(100)  # log10 √χ
    root = np.sqrt(networks)
    squares = 100 ** found["mean"][:, -1]
    excess = max(float((found["tanh"] - found["bound"]).max()), 0.0)
    lines = [
        Line(what=f"bound: log10 at lag {lags}, theory n → ∞", measured=found["bound"][:, -1].mean(),
             standard_error=float(found["bound"][:, -1].std(ddof=1) / root), theory=float(lags * np.log10(2 * gain))),
        Line(what=f"linear: log10 of the largest, lag {lags}", measured=found["linear"][:, -1].mean(),
             standard_error=float(found["linear"][:, -1].std(ddof=1) / root),
             check=f"off by {power:.0e} of ‖Wᵏ‖₂, by {off[LINEAR.name]:.0e} of autodiff",
             agree=max(power, off[LINEAR.name]) < 1e-11),
        Line(what=f"tanh: log10 of the largest, lag {lags}", measured=found["tanh"][:, -1].mean(),
             standard_error=float(found["tanh"][:, -1].std(ddof=1) / root),
             check=f"off by {off[TANH.name]:.0e}", agree=off[TANH.name] < 1e-11),
        Line(what=f"tanh: log10 of the root mean square, lag {lags}", measured=float(np.log10(squares.mean()) / 2),
             standard_error=float(squares.std(ddof=1) / root / squares.mean() / np.log(100)), theory=float(law[-1])),
        Line(what="tanh: log10 by which a bound was exceeded", measured=excess, theory=0.0,
             check=f"{networks * (lags + 1)} Jacobians", agree=excess < 1e-12),
    ]  # fmt: skip
    record = {"units": units, "gain": gain, "lags": lags, "networks": networks, "input_std": STD, "seed": seed,
              "log10": {name: rows.mean(axis=0).tolist() for name, rows in found.items()}}  # fmt: skip
    return experiment.publish("bounds", lines, lambda theme: draw(theme, found, law, gain), out, record=record)


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__, quick={"units": 40, "lags": 15, "networks": 3}))
