"""Where the textbook forms lose accuracy, and what the accurate ones cost: ``python benchmarks/numerics.py``.

Every form of tanh′, σ, σ′, softmax and the loss (benchmarks/numeric_forms.py), in float32 and float64, against the same
in 80 bits, in units in the last place of the true value, by range; and the time of each beside that of tanh on as many
elements. Then what the slope's error makes of a whole gradient, in networks that are saturated ever more. Writes
benchmarks/results/numerics.json and the tables of docs/numerics.md. Takes a quarter of a minute.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import jax
import numpy as np
from threadpoolctl import threadpool_limits

from manual_rnn import cells, initialise, loss_and_gradients
from manual_rnn.cell import Nodes, Tap
from manual_rnn.provenance import provenance
from numeric_forms import CLASSES, QUANTITIES, Array, Form, Quantity

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "numerics.json"
PAGE = HERE.parent / "docs" / "numerics.md"
BEGIN, END = "<!-- tables: benchmarks/numerics.py -->\n", "<!-- end of tables -->\n"
DTYPES = {"float32": np.float32, "float64": np.float64}
TIMED = 64 * CLASSES * 4
"""Elements of a timing, which stay in the L2 cache with their temporaries."""


def errors(quantity: Quantity, limits: tuple[float, float], dtype: type) -> dict[str, dict[str, Any]] | None:
    """Median and largest error of each form in units in the last place; None where the format has no number there.

    Only where the true value is a normal number: below it, what a form gives is a matter of flushing, not of digits.
    """
    given = quantity.draw(np.random.default_rng(0), limits, dtype)
    truth = quantity.truth(given.astype(np.longdouble))
    counted = np.abs(truth) >= np.finfo(dtype).tiny
    if quantity.entries:
        counted &= quantity.entries(given, limits)
    if not counted.any():
        return None
    unit = np.spacing(np.abs(truth[counted]).astype(dtype)).astype(np.longdouble)
    made = {}
    with jax.enable_x64(True), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for form in quantity.forms:
            value = np.asarray(form.f(_input(quantity, form, given)))
            assert value.dtype == dtype, form.name
            ulp = np.abs(value[counted] - truth[counted]) / unit
            finite = bool(np.isfinite(ulp).all())
            made[form.name] = {
                "median": float(np.median(ulp)) if finite else None,
                "max": float(ulp.max()) if finite else None,
            }
    return made


def _input(quantity: Quantity, form: Form, given: Array) -> Array:
    return given if form.of == "a" else quantity.kept[form.of](given)


def costs(quantity: Quantity, dtype: type, rounds: int) -> dict[str, float | None]:
    """The time of each NumPy form over that of tanh on as many elements: the median over rounds, taken in turn.

    What the forward pass has kept is there already, and costs nothing.
    """
    a = np.random.default_rng(0).uniform(-5, 5, TIMED).astype(dtype)
    given = a.reshape(-1, CLASSES) if quantity.draw(np.random.default_rng(0), (0, 1), dtype).ndim == 2 else a
    forms = {form.name: (form.f, _input(quantity, form, given)) for form in quantity.forms if not form.jax}
    ratios: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        unit = _seconds(np.tanh, a)
        for name, (f, value) in forms.items():
            ratios[name].append(_seconds(f, value) / unit)
    return {form.name: median(ratios[form.name]) if form.name in ratios else None for form in quantity.forms}


def _seconds(f: Any, value: Array, times: int = 20) -> float:
    took = []
    for _ in range(times):
        began = perf_counter()
        f(value)
        took.append(perf_counter() - began)
    return min(took)


def measure(rounds: int = 41) -> list[dict[str, Any]]:
    """All quantities in both formats."""
    made = []
    for quantity in QUANTITIES:
        for name, dtype in DTYPES.items():
            ulp = {label: errors(quantity, limits, dtype) for label, limits in quantity.ranges.items()}
            made.append(
                {
                    "quantity": quantity.name,
                    "dtype": name,
                    "library": [form.name for form in quantity.forms if form.library],
                    "ulp": ulp,
                    "cost_in_tanh": costs(quantity, dtype, rounds),
                }
            )
    return made


def _slope_from_a(node: Nodes, prev: Nodes, grad: Nodes, tap: Tap) -> dict[str, Array]:
    e = np.exp(-2 * np.abs(node.a))
    return {"a": tap("a", 4 * e / ((1 + e) * (1 + e)) * grad.h)}


LIBRARY = cells.get("rnn")
FROM_A = replace(LIBRARY, name="rnn_slope_from_a", backward=_slope_from_a)


def whole_gradients() -> list[dict[str, Any]]:
    """‖∇W − true ∇W‖ / ‖true ∇W‖ of a network whose biases are ±level, or the level for one unit in two only."""
    made = []
    for name, dtype in DTYPES.items():
        for saturated, part in (("every unit", 1), ("every second unit", 2)):
            row: dict[str, Any] = {"dtype": name, "saturated": saturated, "relative_error": {}}
            for level in (1, 5, 8, 12, 17, 25):
                rng = np.random.default_rng(level)
                params = initialise(LIBRARY, n_in=8, n_hidden=32, n_out=8, seed=rng, gain=0.3, dtype=dtype)
                params["b"][::part] = level * rng.choice([-1, 1], 32 // part)
                ids = rng.integers(0, 8, (21, 4))
                exact = {key: value.astype(np.longdouble) for key, value in params.items()}
                truth = loss_and_gradients(FROM_A, exact, ids[:-1], ids[1:]).gradients["W"]
                off = {}
                for cell in (LIBRARY, FROM_A):
                    W = loss_and_gradients(cell, params, ids[:-1], ids[1:]).gradients["W"]
                    off[cell.name] = float(np.sqrt(np.sum((W - truth) ** 2) / np.sum(truth**2)))
                row["relative_error"][str(level)] = off
            made.append(row)
    return made


def tables(rows: list[dict[str, Any]], whole: list[dict[str, Any]]) -> str:
    """The tables in Markdown: median and largest error by range, and the cost; then the whole gradients."""
    lines = ["## Each form", ""]
    for row in rows:
        labels = [label for label, ulp in row["ulp"].items() if ulp]
        lines += [f"**{row['quantity']}, {row['dtype']}**", "", f"| form | {' | '.join(labels)} | cost |"]
        lines += ["| --- |" + " ---: |" * (len(labels) + 1)]
        for form, cost in row["cost_in_tanh"].items():
            cells = [_cell(row["ulp"][label][form]) for label in labels]
            name = form.replace("|", r"\|")
            name = f"**{name}**" if form in row["library"] else name
            lines += [f"| {name} | {' | '.join(cells)} | {'' if cost is None else f'{cost:.1f}'} |"]
        lines += [""]
    levels = list(whole[0]["relative_error"])
    lines += ["## A whole gradient", "", f"| saturated units, format | slope of tanh | {' | '.join(levels)} |"]
    lines += ["| --- | --- |" + " ---: |" * len(levels)]
    for row in whole:
        for cell, form in (("rnn", "**(1 − h)(1 + h)**"), ("rnn_slope_from_a", "4e/(1 + e)²")):
            cells_of_row = [f"{row['relative_error'][level][cell]:.0e}" for level in levels]
            lines += [f"| {row['saturated']}, {row['dtype']} | {form} | {' | '.join(cells_of_row)} |"]
    lines += [""]
    return "\n".join(lines)


def _cell(ulp: dict[str, float | None]) -> str:
    if ulp["max"] is None:
        return "not finite"
    short = (f"{ulp[k]:.1f}" if ulp[k] < 100 else f"{ulp[k]:.0e}" for k in ("median", "max"))
    return " / ".join(text.replace("e+0", "e").replace("e+", "e") for text in short)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    told = parser.parse_args()
    if np.finfo(np.longdouble).nmant < 63:
        parser.error("np.longdouble has no 80 bits on this machine, and nothing less can tell what is right.")
    with threadpool_limits(1):
        result = {"rows": measure(), "whole_gradients": whole_gradients(), **provenance()}
    result["versions"]["jax"] = jax.__version__
    told.results.write_text(json.dumps(result, indent=1) + "\n")
    made = tables(result["rows"], result["whole_gradients"])
    print(made)
    page = told.page.read_text()
    before, rest = page.split(BEGIN)
    told.page.write_text(before + BEGIN + made + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
