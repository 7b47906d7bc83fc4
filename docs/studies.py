"""Writes docs/studies.md of the saved figures and numbers in docs/figures: ``python docs/studies.py``.

To make those anew: ``python experiments/NAME.py``, and its SVG and JSON copied there. A test holds the page to them.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAMES = (
    "gradient_norms", "finite_width", "phase_diagram", "the_wall", "bounds", "isometry", "lyapunov_spectrum",
    "curse_of_memory", "truncation_bias", "chrono", "task_floors", "during_training", "flossing", "newton_cost",
)  # fmt: skip
ALT = {
    "gradient_norms": (
        "The norm of the gradient against the lag, on a logarithmic scale: straight lines that fall for gains of "
        "0.2, 0.8, 1 and 1.5 and rise for 2, on the dashed lines of theory."
    ),
    "finite_width": (
        "Deviations from theory over 1/n: four panels, one for each input noise, with four gains each, whose lines "
        "begin as much as 0.04 below theory with the narrowest networks and end within 0.01 of it at n = ∞; and a "
        "panel of the Lyapunov exponent at 400, 800 and 1,600 units, which comes up to theory likewise."
    ),
    "phase_diagram": (
        "A plane of gain and input noise, coloured by the measured slope; a line from gain 1.1 to 1.9 "
        "parts vanishing from exploding, with four circles on it. Below, the critical gain of finite widths, which "
        "comes down to the line as they grow."
    ),
    "the_wall": (
        "The error over weight and bias as a surface: a flat floor, a plateau, and a steep wall between "
        "them, at which one path of descent jumps away and the clipped one goes on."
    ),
    "bounds": (
        "Singular values against the lag at gain 1.2: Pascanu's bound rises by eleven decades in thirty "
        "steps, the linear network by three, the largest of the tanh network falls to a tenth, and their "
        "root mean square to a hundredth, on the dashed line of mean-field theory."
    ),
    "isometry": (
        "Singular values against the lag: for orthogonal weights one line at 1. For forty Gaussian ones the largest "
        "grows, by one decade to six in a hundred steps, and the median falls by fifteen, along a dashed line; a "
        "dotted one, of the powers multiplied out, stays above it from step 80 on."
    ),
    "lyapunov_spectrum": (
        "Lyapunov exponents of products of 2, 8 and 24 units: the points lie on the dashed lines of the "
        "law."
    ),
    "curse_of_memory": (
        "Two straight lines on logarithmic axes: the mean square of the state, and of its derivative, "
        "which rises three times as steeply with the memory."
    ),
    "truncation_bias": (
        "The relative bias against the steps that are gone back over: three straight lines for one linear "
        "unit, and a curve for a GRU between them."
    ),
    "during_training": (
        "Six panels. Before the first update the gradient of the vanilla networks falls by two decades in fifty steps, "
        "along a dashed line, that of the gated ones by seven; after the last all fall by five or more. The horizon of "
        "the vanilla networks shrinks from 30 lags to some 10; gated units saturate; clipping by element turns the "
        "gradient in the first ten updates only."
    ),
    "chrono": (
        "What a forget gate keeps against the steps: two curves of one bias fall off within some ten "
        "steps, that of chrono biases lasts for hundreds."
    ),
    "task_floors": (
        "Training losses against updates: those of six tanh networks come down to six dashed floors and "
        "stay there; that of a GRU on short sequences falls through its floor."
    ),
    "flossing": (
        "Two panels. Above, 75 Lyapunov exponents: of the Gaussian network from -0.4 down to -2.3, of the orthogonal "
        "one down to -1.2, of the flossed one all within a tenth of zero. Below, singular values against the lag: in "
        "forty steps the last flossed ones of the first two fall by 39 and 20 decades, the largest by five; those of "
        "the flossed network by two, and its largest does not fall."
    ),
    "newton_cost": (
        "Iterations against the recurrent gain for 75, 150 and 300 steps: one rising curve up to the "
        "critical gain, where it parts into three, each nearly twice the one below."
    ),
}


def page() -> str:
    """The page's text."""
    parts = [
        "# The studies",
        "Each is one file in [experiments](../experiments), over the library. Each measures, sets the closed-form\n"
        "theory beside it with nothing fitted, and has a cross-check; no figure is written that it disagrees with.\n"
        "This page is made of saved numbers by `python docs/studies.py`.",
    ]
    for name in NAMES:
        question, *rest = _doc(name)
        parts += [f"## {question}", _picture(name), *rest, _table(name), f"`python experiments/{name}.py`"]
    return "\n\n".join(parts) + "\n"


def _doc(name: str) -> list[str]:
    """The paragraphs of the experiment's own docstring, its roles turned into code."""
    text = ast.get_docstring(ast.parse((HERE.parent / "experiments" / f"{name}.py").read_text(encoding="utf-8")))
    return text.replace(":mod:`", "`").replace(":func:`", "`").replace("``", "`").split("\n\n")


def _picture(name: str) -> str:
    return (
        f'<picture>\n  <source media="(prefers-color-scheme: dark)" srcset="figures/{name}-dark.svg">\n'
        f'  <img src="figures/{name}-light.svg" alt="{ALT[name]}">\n</picture>'
    )


def _table(name: str) -> str:
    lines = json.loads((HERE / "figures" / f"{name}.json").read_text(encoding="utf-8"))["table"]
    rows = ["| | measured | theory | deviation | cross-check |", "|---|---|---|---|---|"]
    for line in lines:
        spread = f" ± {line['standard_error']:.2g}" if line["standard_error"] else ""
        theory = "" if line["theory"] is None else f"{line['theory']:.5g}"
        off = "" if line["deviation"] is None else f"{line['deviation']:+.2g}"
        off += "" if line["in_standard_errors"] is None else f", {line['in_standard_errors']:+.1f} s.e."
        what, check = (line[key].replace("|", r"\|") for key in ("what", "check"))
        rows.append(f"| {what} | {line['measured']:.5g}{spread} | {theory} | {off} | {check} |")
    return "\n".join(rows)


if __name__ == "__main__":
    (HERE / "studies.md").write_text(page(), encoding="utf-8")
