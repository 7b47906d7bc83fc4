r"""Can a gradient grow without end though nothing explodes? One linear unit, h(t) = λ h(t−1) + x(t), and its ∂h/∂λ.

The closer λ is to one, the longer the memory, and the more a small change of λ does to the state: E(∂h/∂λ)² goes as
the third power of the memory 1/(1 − λ²), the state itself only as the first. Exact for white input
(:mod:`manual_rnn.theory.curse_of_memory`; Zucchet, Orvieto 2024), and measured here with the library's linear cell,
whose ∇W for a loss that is h(T) itself is ∂h(T)/∂λ.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import cells, experiment, theory
from manual_rnn.bptt import go_back, unroll
from manual_rnn.experiment import Line
from manual_rnn.figures import headline
from manual_rnn.tape import Tape
from manual_rnn.theory.arguments import whole
from reference import autodiff

CELL = cells.get("rnn_identity")


def sensitivity(decay, x):
    """∂h(T)/∂λ of each of B runs with inputs x (T, B), and h(T)."""
    params = {"W": np.array([[decay]]), "U": np.eye(1), "b": np.zeros(1), "V": np.eye(1), "c": np.zeros(1)}
    T, B = x.shape
    tape, grads = Tape(T), Tape(T)
    unroll(CELL, params, x[..., None], {"h": np.zeros((B, 1))}, tape)
    above = np.zeros((T, B, 1))
    above[-1] = 1
    go_back(CELL, params, x[..., None], tape, above, grads, inputs=False)
    each = np.einsum("tbn,tbn->b", grads["a"], tape.previous("h"))  # (B7), of each run by itself
    return each, tape["h"][-1, :, 0], params, grads["W"]


def draw(theme, decays, found, T):
    figure = Figure(figsize=(5.6, 5.2), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="memory 1/(1 − λ²), in steps", ylabel="mean square")
    headline(axes, "A longer memory is ever harder to learn", "one linear unit: how far it and its gradient reach")
    memory = 1 / (1 - decays**2)
    for key, law, colour, name in (
        ("sensitivity", theory.sensitivity_squared, theme.colours[4], "(∂h/∂λ)²"),
        ("state", theory.state_squared, theme.colours[1], "h²"),
    ):
        axes.errorbar(memory, [f[key][0] for f in found], [2 * f[key][1] for f in found], fmt="o", ms=5, color=colour)
        curve = [law(float(decay), steps=T) for decay in decays]
        axes.plot(memory, curve, "--", color=colour, lw=1)
        axes.annotate(name, (memory[-1], curve[-1]), (8, 0), textcoords="offset points", va="center", color=colour)
    axes.set_xlim(right=memory[-1] * 3)
    axes.plot([], [], "o", ms=5, color=theme.ink, label="measured, two standard errors")
    axes.plot([], [], "--", color=theme.ink, lw=1, label=f"exact, after {T} steps of white input")
    figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
    return figure


def main(
    *, steps: int = 2000, runs: int = 2000, seed: int = 0, out: Path = Path("out/curse_of_memory")
) -> int:
    """Measures at seven memories, compares with the law, checks, draws.

    Args:
        steps: T, long beside the longest memory of 50 steps.
        runs: Independent inputs at each λ.
        seed: Decides every draw.
        out: The folder for the figure and the numbers.
    """
    whole("number of steps", steps, 2)  # after one there is no sensitivity to measure
    whole("number of runs", runs, 2)
    decays, found, lines = np.array([0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99]), [], []
    for k, decay in enumerate(decays):
        x = np.random.default_rng((seed, k)).standard_normal((steps, runs))
        each, h, params, total = sensitivity(decay, x)
        problem = {"params": params, "initial": {"h": np.zeros((runs, 1))}, "x": x[..., None]}
        above = np.zeros((steps, runs, 1))
        above[-1] = 1
        _, grads = autodiff(CELL.name)([problem | {"upstream": above}])[0]
        off = float(np.abs(total / grads["W"] - 1).max())
        means = {name: (float((v**2).mean()), float((v**2).std(ddof=1) / np.sqrt(runs)))
                 for name, v in (("sensitivity", each), ("state", h))}  # fmt: skip
        found.append(means)
        lines.append(Line(
            what=f"E(∂h/∂λ)² at λ = {decay}", measured=means["sensitivity"][0], standard_error=means["sensitivity"][1],
            theory=theory.sensitivity_squared(float(decay), steps=steps), check=f"off by {off:.0e}", agree=off < 1e-9,
        ))  # fmt: skip
    record = {"steps": steps, "runs": runs, "seed": seed, "decays": decays.tolist(), "found": found}
    return experiment.publish(
        "curse_of_memory", lines, lambda theme: draw(theme, decays, found, steps), out, record=record
    )


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__, quick={"runs": 200}))
