r"""Can a recurrent network be run on all its steps at once? What Newton's method costs, by recurrent gain.

The states of all steps are one root of h(t) = f(h(t−1), x(t)), and each iteration of Newton's method is a scan over
time, of log T depth on enough processors (:func:`manual_rnn.ways.newton_states`; Lim et al. 2024). T iterations are
always enough. As T grows, a network whose largest Lyapunov exponent λ₁ is below zero needs no more of them, and a
chaotic one needs a fixed share of T (Gonzalez et al. 2025): twice the steps cost once, or twice, the iterations. λ₁
changes its sign at the critical gain (:func:`manual_rnn.theory.critical_gain`, n → ∞, nothing fitted); near it, steps
of some hundred are too few to see the limit.

The cross-check takes one step from each state that was found, which must lead to the next, and where λ₁ < 0 walks the
whole way. The way back as a scan over blocks (:func:`manual_rnn.ways.parallel_bptt`) stands beside autodiff.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import cells, diagnostics, experiment, theory, ways
from manual_rnn.bptt import unroll
from manual_rnn.experiment import Line
from manual_rnn.figures import headline
from manual_rnn.tape import Tape
from manual_rnn.theory.arguments import whole
from reference import autodiff

CELL = cells.get("rnn")
GAINS = (0.5, 0.8, 1.0, 1.2, 1.4, 1.55, 1.7, 1.85)
STD = 0.5
TOLERANCE = 1e-10


def drawn(n, gain, steps, seed):
    return diagnostics.driven_network(n, gain=gain, input_std=STD, steps=steps, seed=(seed, n, steps))


def solve(net):
    """How many iterations; and how far one step from each state found is from the next, and the walk from all."""
    found, changes = ways.newton_states(CELL, net.params, net.x, initial=net.initial, iterations=len(net.x) + 1,
                                        tolerance=TOLERANCE)  # fmt: skip
    before = np.concatenate([net.initial["h"][None], found["h"][:-1]])
    one_step = unroll(CELL, net.params, net.x.swapaxes(0, 1), {"h": before[:, 0]}, Tape(1))["h"]
    walk = Tape(len(net.x))
    unroll(CELL, net.params, net.x, net.initial, walk)
    return len(changes), np.abs(one_step - found["h"][:, 0]).max(), np.abs(walk["h"] - found["h"]).max()


def scanned_back(net, blocks):
    """The relative error of the gradient by W, found by a scan over blocks, against autodiff."""
    ours = ways.parallel_bptt(CELL, net.params, net.x, net.y, blocks=blocks, initial=net.initial, reduction="last")
    weights = np.zeros(net.y.shape)
    weights[-1] = 1
    problem = {"params": net.params, "initial": net.initial, "x": net.x, "y": net.y, "weights": weights}
    theirs = autodiff(CELL.name)([problem])[0][1]["W"]
    return float(np.linalg.norm(ours.gradients["W"] - theirs) / np.linalg.norm(theirs))


def doubled(shorter, longer):
    """The mean iterations of the longer sequences over those of the shorter, and the standard error of that."""
    relative = [found.std(ddof=1) / np.sqrt(len(found)) / found.mean() for found in (shorter, longer)]
    ratio = longer.mean() / shorter.mean()
    return ratio, float(ratio * np.hypot(*relative))


def draw(theme, lengths, iterations, critical):
    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
    axes = figure.add_subplot(yscale="log", xlabel="recurrent gain g", ylim=(4, 2.4 * iterations.max()),
                              xlim=(GAINS[0] - 0.05, GAINS[-1] + 0.27))  # fmt: skip
    headline(axes, "Parallel in time pays until chaos sets in", "iterations of Newton's method on T steps at once")
    axes.axvline(critical, ls="--", color=theme.ink, lw=1)
    for T, found, k in zip(lengths, iterations, (2, 1, 4), strict=True):
        colour, mean = theme.colours[k], found.mean(axis=1)
        error = found.std(axis=1, ddof=1) / np.sqrt(found.shape[1])
        axes.errorbar(GAINS, mean, 2 * error, fmt="o-", ms=4, lw=1.8, color=colour)
        axes.annotate(f"T = {T}", (GAINS[-1], mean[-1]), (8, 0), textcoords="offset points", va="center", color=colour)
    for side, text, align in ((-0.03, "λ₁ < 0: it forgets", "right"), (0.03, "λ₁ > 0: chaos", "left")):
        axes.text(critical + side, axes.get_ylim()[1] * 0.95, text, ha=align, va="top", color=theme.ink)
    axes.set_yticks(ticks := [5, 10, 20, 50, 100, 200], [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y")
    axes.plot([], [], "o-", ms=4, color=theme.ink, label=f"mean of {found.shape[1]} networks, two standard errors")
    axes.plot([], [], "--", color=theme.ink, lw=1, label=f"mean-field theory: λ₁ = 0 at g = {critical:.2f}, n → ∞")
    figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
    return figure


def main(
    *, units: int = 64, steps: int = 300, networks: int = 4, seed: int = 0,
    out: Path = Path("out/newton_cost"),
) -> int:  # fmt: skip
    """Counts the iterations at eight gains and three lengths, checks, draws.

    Args:
        units: n, the width.
        steps: T, the greatest length, 20 or more; half and a quarter of it are measured as well.
        networks: How many are drawn for each point, two or more.
        seed: Decides every draw.
        out: The folder for the figure and the numbers.
    """
    whole("number of units", units, 2)
    whole("number of networks", networks, 2)
    whole("number of steps", steps, 20)
    critical, lengths = theory.critical_gain(STD), (steps // 4, steps // 2, steps)
    found = np.array([[[solve(drawn(units, gain, T, seed + i)) for i in range(networks)] for gain in GAINS]
                      for T in lengths])  # fmt: skip
    iterations, lines = found[..., 0], []
    for k, gain in enumerate(GAINS):
        at, off, walk = iterations[-1, k], found[:, k, :, 1].max(), found[:, k, :, 2].max()
        ordered = gain < critical - 0.1  # nearer to it, and beyond, a rounding may grow on the way
        lines.append(Line(
            what=f"iterations at g = {gain}, T = {steps}", measured=at.mean(),
            standard_error=float(at.std(ddof=1) / np.sqrt(networks)),
            check=f"one step off by {off:.0e}" + (f", the walk by {walk:.0e}" if ordered else ""),
            agree=bool(off < 1e-12 and (walk < 1e-10 or not ordered)),
        ))  # fmt: skip
    for k, gain in enumerate(GAINS):
        if gain >= 1 and abs(gain - critical) > 0.1:
            ratio, error = doubled(*iterations[1:, k])
            lines.append(Line(what=f"the same over those of T = {steps // 2}, g = {gain}", measured=ratio,
                              standard_error=error, theory=1.0 if gain < critical else 2.0))  # fmt: skip
    back = scanned_back(drawn(units, 1.2, steps, seed), steps // 10)
    lines.append(Line(what="way back as a scan, g = 1.2: error of ∇W", measured=back, theory=0.0,
                      check="against autodiff", agree=back < 1e-11))  # fmt: skip
    record = {"units": units, "lengths": lengths, "gains": GAINS, "networks": networks, "input_std": STD, "seed": seed,
              "tolerance": TOLERANCE, "iterations": iterations.tolist()}  # fmt: skip
    return experiment.publish(
        "newton_cost", lines, lambda theme: draw(theme, lengths, iterations, critical), out, record=record
    )


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__, quick={"units": 32, "steps": 120, "networks": 3}))
