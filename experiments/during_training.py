r"""What becomes of the gradient while a network learns to read? Its reach, clipping and saturation, update by update.

Four cells learn a text, character by character, with Adam and the gradient clipped by its norm. Before the first
update, after 1, 3, 10, … and after the last, the network as it is then reads a held-out batch. Measured there:
‖∂L/∂h(T − k)‖ for the loss of the last step (of the LSTM ∂L/∂c, the state that lasts); the memory horizon, which is how
many lags 95 % of the parts of ∇W come from (of ∇W_g in the LSTM, ∇W_n in the GRU); how many units are saturated, over
all squashing functions. Of the updates themselves: how many were clipped; and the cosine between the gradient and what
clipping by element, which was not used, would have made of it. Clipping by the norm leaves 1.

On tinyshakespeare, the text of the figure (means and two standard errors of three seeds), the vanilla networks start
with a horizon of 30 lags and end with 9 and 13: what is learnt first is near. The gated ones have 8 or 9 from the
start; they end with a fifth of their units saturated, the vanilla ones with hardly any. The orthogonal one is clipped
to the end; by element, gradients would have been turned in the first ten updates and hardly after.

Theory exists for the start, and for the two vanilla networks: mean field, with the gain of the drawn W and the input
variance of the drawn U. It takes the input for white noise and n for large; a text repeats itself, and n is 64. For a
GRU it holds with fresh weights at every step and is far from the cell (:mod:`manual_rnn.theory.gated`); an LSTM has
none, nor have trained weights.
"""

from itertools import cycle
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from manual_rnn import cells, diagnostics, experiment, theory, training
from manual_rnn.corpus import read_corpus
from manual_rnn.errors import RunError
from manual_rnn.evaluation import last_ids
from manual_rnn.experiment import Line
from manual_rnn.figures import decades
from manual_rnn.options import TrainingOptions
from manual_rnn.text import DEFAULT_SOURCE, split
from manual_rnn.windows import Windows
from reference import autodiff

CELLS = ("rnn", "rnn_orthogonal", "lstm", "gru")
CANDIDATE = {"lstm": "W_g", "gru": "W_n"}
"""Whose gradient is taken apart; elsewhere there is one W."""


def follow(options, n, windows, validation, held, **looks):
    """One training, looked at, seed 0 with a cross-check; and theory's slope of log ‖∇h‖² before it, or nan."""
    model = training.start(options, n)
    predicted = np.nan
    if options.cell in ("rnn", "rnn_orthogonal"):
        gain = np.linalg.norm(model.params["W"]) / options.hidden**0.5 if options.cell == "rnn" else 1.0
        predicted = theory.mean_field(gain, np.sqrt((model.params["U"][:, held.x] ** 2).mean())).slope
    found = diagnostics.during_training(
        model, windows, validation, options, held_out=(held.x, held.y), parameter=CANDIDATE.get(options.cell),
        state=cells.get(options.cell).states[-1], against=None if options.seed else autodiff(options.cell), **looks,
    )  # fmt: skip
    return found.assign(theory=predicted)


def table(name, found):
    """The lines of one cell, of its trainings by ``seed``. Raises ValueError where a cross-check decides nothing."""
    undecided = found["update"].values[np.isnan(found.worst.isel(seed=0).values)]
    if undecided.size:
        told = "the cross-check decides nothing, as rounding may change the gradient"
        raise ValueError(f"After update {undecided[0]} {told}.")

    def over_seeds(values):
        return {"measured": float(values.mean()), "standard_error": float(values.std(ddof=1) / len(values) ** 0.5)}

    lines = []
    for at, when in ((0, "at the start"), (-1, "at the end")):
        then = found.isel(update=at)
        slope = diagnostics.typical_slope(then.log_norm.values)
        lines += [
            Line(what=f"{name} {when}: slope of log ‖∇‖² by lag", measured=slope.value,
                 standard_error=slope.standard_error,
                 theory=None if at or np.isnan(found.theory).any() else float(found.theory.mean()),
                 check=f"off by {float(then.worst.max()):.0e}"),
            Line(what=f"{name} {when}: memory horizon (lags)", **over_seeds(then.horizon)),
        ]  # fmt: skip
    return [*lines, Line(what=f"{name} at the end: nats per character, held out", **over_seeds(found.val_nats))]


def draw(theme, found, clip, element):
    figure = Figure(figsize=(5.6, 8.4), layout="constrained")
    figure.suptitle("Learning shortens the reach of the vanilla cells", x=0.02, ha="left", weight="bold", size=13)
    colours = dict(zip(found, cycle(theme.colours[k] for k in (4, 3, 1, 0, 2)), strict=False))
    updates = next(iter(found.values()))["update"].values
    panels = {
        "before the first update": lambda one: one.log_norm.isel(update=0) / np.log(10),
        f"after update {updates[-1]}": lambda one: one.log_norm.isel(update=-1) / np.log(10),
        "memory horizon (lags)": lambda one: one.horizon,
        "saturated units (%)": lambda one: 100 * one.saturated.mean("node"),
        f"updates clipped (%),\nnorm above {clip:g}": lambda one: 100 * one.fired,
        f"cosine, if clipped by\nelement at {element:g}": lambda one: one.cosine,
    }
    for i, (axes, (title, of)) in enumerate(zip(figure.subplots(3, 2).ravel(), panels.items(), strict=True)):
        axes.set_title(title, loc="left", size=11)
        for name, one in found.items():
            values = of(one)
            mean = values.mean("seed", skipna=False).values  # before the first update there is nothing to clip
            error = values.std("seed", ddof=1, skipna=False).values / one.sizes["seed"] ** 0.5
            x = np.arange(len(mean))
            axes.fill_between(x, mean - 2 * error, mean + 2 * error, color=colours[name], alpha=0.2, lw=0)
            axes.plot(x, mean, color=colours[name], lw=2, marker="o" if i >= 2 else None, ms=3)
            if i == 0:
                axes.plot(x, x * float(one.theory.mean()) / np.log(100), "--", color=theme.ink, lw=1, zorder=3)
        if i < 2:
            axes.set(xlabel="lag k (steps back)", ylabel="‖∇h(T − k)‖ / ‖∇h(T)‖" if i == 0 else "", ylim=(-9, 0.5))
            decades(axes)
        else:
            axes.set_xticks(range(len(updates)), updates, rotation=60)
            axes.set(xlabel="updates", ylim=(None if i == 5 else 0, None))
        if i == 0:
            for k, (name, colour) in enumerate([*colours.items(), ("- - theory", theme.ink)][::-1]):
                axes.text(0.04, 0.03 + 0.1 * k, name, color=colour, transform=axes.transAxes)
    return figure


def main(
    *, text: Path | None = None, updates: int = 300, hidden: int = 64, seq_len: int = 50, batch: int = 16,
    clip: float = 0.5, element: float = 0.03, lr: float | None = None, seeds: int = 3, cell: tuple[str, ...] = CELLS,
    out: Path = Path("out/during_training"),
) -> int:  # fmt: skip
    """Trains, looks, checks, draws.

    Args:
        text: A text file in UTF-8; without it prose of Python's standard library, which differs by version: a demo.
        updates: How many.
        hidden: n, the width of the state.
        seq_len: T, the steps of a window, and how far back is looked.
        batch: Streams side by side.
        clip: The largest norm of a gradient that is not clipped.
        element: The largest number that clipping by element would leave.
        lr: The learning rate; Adam's own if not given.
        seeds: Trainings of each cell, two or more.
        cell: A cell; again for each further one.
        out: The folder for the figure and the numbers.
    """
    if seeds < 2:
        raise ValueError(f"--seeds is {seeds}; a standard error needs two or more.")
    corpus = read_corpus([text] if text else [], place=Path(), advice="Name a text file in UTF-8.")
    ids = corpus.ids
    learnt, kept = split(ids)
    windows, held = Windows.of(learnt, T=seq_len, B=batch), Windows.of(kept, T=2 * seq_len, B=4)[0]
    text_of = (len(corpus.vocabulary), windows, last_ids(ids, min(len(kept), 20_000)), held)
    at = [k for k in (1, 3, 10, 30, 100, 300, 1000, 3000) if k < updates] + [updates]
    looks = {"updates": at, "element": element}
    size = {"hidden": hidden, "seq_len": seq_len, "batch": batch, "steps": updates, "clip": clip, "lr": lr}
    found, failed, lines = {}, {}, []
    for name in experiment.progress(cell, "training", len(cell)):
        options = [TrainingOptions(cell=name, layers=1, seed=k, dtype="float64", eval_every=updates, **size)
                   for k in range(seeds)]  # fmt: skip
        try:
            one = xr.concat([follow(each, *text_of, **looks) for each in options], "seed")
            lines += table(name, one)
            found[name] = one
        except (RunError, ValueError, FloatingPointError) as error:
            failed[name] = str(error)
            lines.append(Line(what=f"{name}: failed. {error}", measured=np.nan))
    record = {
        **size, "element": element, "seeds": list(range(seeds)), "failed": failed,
        "text": {"source": text.name if text else DEFAULT_SOURCE, "characters": len(ids)},
        "cells": {name: one.to_dict()["data_vars"] for name, one in found.items()},
    }  # fmt: skip
    return experiment.publish(
        "during_training", lines, lambda theme: draw(theme, found, clip, element), out, record=record
    )


if __name__ == "__main__":
    small = {"updates": 10, "hidden": 16, "seq_len": 20, "seeds": 2, "cell": ("rnn", "gru")}
    raise SystemExit(experiment.run(main, __doc__, quick=small))
