r"""What is the loss of a network that remembers nothing? The floors of the tasks of long memory, and who stays on them.

Copying, adding, temporal order, the latch, delayed XOR: whoever knows how the answers are distributed, and sees the
input of the last step only, cannot do better than their variance or their entropy, in closed form for each generator
(:mod:`manual_rnn.theory.floors`, :mod:`manual_rnn.tasks`). Measured on drawn sequences: the best predictor without a
memory, one for each step and kind of input, with the bias of fitting it taken off. Then vanilla networks are trained:
within some hundred updates they come down to the floor, and stay there. A GRU on short sequences falls through it.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import cells, diagnostics, experiment, initialise, loss_and_gradients, tasks
from manual_rnn.clipping import clip_by_norm
from manual_rnn.experiment import Line
from manual_rnn.figures import headline
from manual_rnn.optimisers import Adam
from manual_rnn.theory.arguments import whole
from reference import autodiff

TASKS = {
    "order of three": (tasks.temporal_order(100, relevant=3), "ln 8"),
    "order of two": (tasks.temporal_order(100), "ln 4"),
    "delayed XOR": (tasks.delayed_xor(60, delay=20), "ln 2"),
    "latch": (tasks.latch(100, informative=1), "ln 2"),
    "copying": (tasks.copying(60), "10 ln 8/80"),
    "adding, Arjovsky's": (tasks.adding_sum(100), "1/6"),
    "adding, Pascanu's": (tasks.adding_mean(100), "1/24"),
    "adding, Hochreiter's": (tasks.adding_scaled(100), "0.94/24"),
}
PLOTTED = ("order of three", "order of two", "delayed XOR", "copying", "adding, Arjovsky's", "adding, Pascanu's")
SHORT = tasks.adding_mean(20)
WIDTH = 20


def without_memory(task, sequences, seed):
    """The loss of the best predictor that sees a step's number and input only; and its standard error."""
    batch = task.draw(sequences, seed=seed)
    asked = batch.weights > 0
    if task.loss == "squared":
        x, y = batch.x[asked], batch.y[asked]
        known = np.column_stack([np.ones(len(x)), x[:, 0]])  # the mark of a last step is always the same
        squares = (y - known @ np.linalg.lstsq(known, y)[0]) ** 2 * len(x) / (len(x) - 2)
        return float(squares.mean()), float(squares.std(ddof=1) / np.sqrt(len(x)))
    x = batch.x if task.loss == "softmax" else batch.x[..., 0] > 0.5
    loss, variance = 0.0, 0.0
    for t in np.flatnonzero(asked.any(axis=1)):
        for kind in np.unique(x[t, asked[t]]):
            here = asked[t] & (x[t] == kind)
            counts = np.unique(batch.y[t, here], return_counts=True)[1]
            share, n = counts / counts.sum(), here.sum()
            # 2 n (H − Ĥ) is χ² with k − 1 degrees of freedom (Wilks; Miller 1955), where all k are as likely.
            weight, freedom = batch.weights[t, here].sum(), len(counts) - 1
            loss += weight * (-(share * np.log(share)).sum() + freedom / (2 * n))
            variance += (weight / n) ** 2 * freedom / 2
    return loss, float(np.sqrt(variance))


def train(name, task, *, updates, seed, units=32, batch=32):
    """The loss at each update, by Adam, clipped; and the cross-check of the gradients of the first."""
    cell, rng = cells.get(name), np.random.default_rng(seed)
    params = initialise(cell, n_in=task.n_in, n_hidden=units, n_out=task.n_out, seed=rng)
    optimiser, losses, result = Adam(), [], None
    for _ in range(updates):
        drawn = task.draw(batch, seed=rng)
        problem, options = (cell, params, drawn.x, drawn.y), {"weights": drawn.weights, "loss": task.loss}
        if not losses:
            check = diagnostics.cross_check(*problem, **options, against=autodiff(name))
        result = loss_and_gradients(*problem, **options, every_node=False, over=result)
        losses.append(result.loss)
        gradients, _ = clip_by_norm({p: result.gradients[p] for p in params}, 1.0)
        optimiser.update(params, gradients, 0.003)
    return np.array(losses), check


def means(losses):
    """The first loss, before any update, and the means of every WIDTH from there on."""
    return [losses[0], *losses[: len(losses) // WIDTH * WIDTH].reshape(-1, WIDTH).mean(axis=1)]


def draw(theme, curves, through):
    figure = Figure(figsize=(5.6, 6), layout="constrained")
    updates = len(through)
    axes = figure.add_subplot(yscale="log", xlabel="updates", xlim=(0, updates), ylim=(0.004, 3.5))
    headline(axes, "Training stops where memory would begin", "loss: nats, or squared error (adding)")

    middle = [0, *np.arange(WIDTH / 2, updates - WIDTH / 2 + 1, WIDTH)]
    for k, (name, losses) in enumerate(curves.items()):
        (task, floor), colour = TASKS[name], theme.colours[k % len(theme.colours)]
        axes.plot(middle, means(losses), color=colour, lw=1.8)
        axes.axhline(task.floor, ls="--", color=theme.ink, lw=1)
        axes.annotate(f"{name}: {floor}", (updates, task.floor), (7, 0), textcoords="offset points", va="center",
                      color=colour)  # fmt: skip
    axes.plot(middle, means(through), color=theme.grey, lw=1.8)
    told = "Pascanu's over\n20 steps, GRU:\nit remembers"
    axes.text(0.98 * updates, 0.012, told, ha="right", va="center", color=theme.grey)
    axes.set_yticks(ticks := [0.01, 0.1, 1], [str(tick) for tick in ticks])
    runs = f"tanh network, 60 to 110 steps, one run; means of {WIDTH} updates"
    axes.plot([], [], color=theme.ink, lw=1.8, label=runs)
    axes.plot([], [], "--", color=theme.ink, lw=1, label="floor: the best loss without a memory, exact")
    figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
    return figure


def main(
    *, sequences: int = 20_000, updates: int = 400, seed: int = 0,
    out: Path = Path("out/task_floors"),
) -> int:  # fmt: skip
    """Measures the floors, trains, checks, draws.

    Args:
        sequences: How many are drawn of each task to measure its floor.
        updates: How long each network is trained.
        seed: Decides every draw.
        out: The folder for the figure and the numbers.
    """
    whole("number of sequences", sequences, 100)
    whole("number of updates", updates, WIDTH)
    lines, curves = [], {}
    for name, (task, floor) in TASKS.items():
        loss, error = without_memory(task, sequences, seed)
        lines.append(Line(what=f"{name}, floor {floor}", measured=loss, standard_error=error, theory=task.floor))
    for name in PLOTTED:
        curves[name], check = train("rnn", TASKS[name][0], updates=updates, seed=seed)
        lines.append(trained(f"tanh network: {name}", curves[name], TASKS[name][0], check))
    through, check = train("gru", SHORT, updates=updates, seed=seed)
    lines.append(trained("GRU: adding, Pascanu's, 20 steps", through, SHORT, check))
    record = {"sequences": sequences, "updates": updates, "seed": seed, "mean_over": WIDTH, "gru": means(through),
              "losses": {name: means(losses) for name, losses in curves.items()}}  # fmt: skip
    return experiment.publish("task_floors", lines, lambda theme: draw(theme, curves, through), out, record=record)


def trained(what, losses, task, check):
    """The line of a run: its last loss as a multiple of the floor, and whether its first gradients were right."""
    last = losses[-len(losses) // 8 :].mean() / task.floor
    return Line(what=f"{what}, last loss / floor", measured=last, check=f"off by {check.worst:.0e}", agree=check.agree)


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__, quick={"sequences": 2000, "updates": 60}))
