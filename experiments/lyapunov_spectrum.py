r"""Is the QR routine right? The Lyapunov spectrum of products of Gaussian matrices, known exactly at every size.

:func:`manual_rnn.diagnostics.exponents_of_product` beside Newman's law (:mod:`manual_rnn.theory.gaussian_products`):
nothing is fitted, and nothing is left to a limit but the length of the product.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_rnn import diagnostics, experiment, theory
from manual_rnn.experiment import Line
from manual_rnn.figures import headline
from manual_rnn.theory.arguments import whole


def draw(theme, sizes):
    figure = Figure(figsize=(5.6, 5.2), layout="constrained")
    axes = figure.add_subplot(xlabel="index i of the exponent, divided by n", ylabel="λᵢ (nats per matrix)")
    headline(axes, "The routine meets the exact law at every size",
             "Lyapunov exponents of products of Gaussian matrices")  # fmt: skip
    for (n, found), colour in zip(sizes.items(), theme.colours[1:], strict=False):
        index = np.arange(1, n + 1) / n
        axes.plot(index, theory.lyapunov_spectrum(n, 1 / np.sqrt(n)), "--", color=colour, lw=1)
        axes.errorbar(index, found.exponent, 2 * found.standard_error, fmt="o", ms=4, color=colour)
        axes.annotate(f"n = {n}", (1, float(found.exponent[-1])), (6, 0), textcoords="offset points", va="center",
                      color=colour)  # fmt: skip
    axes.set_xlim(0, 1.14)
    axes.plot([], [], "o", ms=4, color=theme.ink, label="measured, with two standard errors")
    axes.plot([], [], "--", color=theme.ink, lw=1, label="Newman 1986, exact at finite n")
    figure.legend(loc="outside lower left", frameon=False, fontsize=10.5)
    return figure


def volume_agrees(factors, found):
    """How far the sum of all exponents is from the mean of log |det|, which needs no QR; relative."""
    volume = np.linalg.slogdet(factors)[1].mean()
    return float(abs(found.exponent.sum() / volume - 1))


def main(
    *, matrices: int = 4000, seed: int = 0, out: Path = Path("out/lyapunov_spectrum")
) -> int:
    """Measures three sizes, compares with the law, draws.

    Args:
        matrices: The length of each product.
        seed: Decides every draw.
        out: The folder for the figure and the numbers.
    """
    whole("number of matrices", matrices, 20)
    rng = np.random.default_rng(seed)
    sizes, lines = {}, []
    for n in (2, 8, 24):
        factors = rng.standard_normal((matrices, n, n)) / np.sqrt(n)
        sizes[n] = found = diagnostics.exponents_of_product(factors, seed=seed)
        exact = theory.lyapunov_spectrum(n, 1 / np.sqrt(n))
        errors = np.sqrt(theory.variance_per_factor(n) / matrices)
        off = volume_agrees(factors, found)
        lines += [
            Line(what=f"n = {n}: λ_1", measured=float(found.exponent[0]), standard_error=float(errors[0]),
                 theory=float(exact[0]), check=f"Σ λ is log |det| to {off:.0e}", agree=off < 1e-11),
            Line(what=f"n = {n}: mean square of all {n} deviations, in s.e.", standard_error=float(np.sqrt(2 / n)),
                 measured=float((((found.exponent - exact) / errors) ** 2).mean()), theory=1.0),
        ]  # fmt: skip
    exponents = {n: found.exponent.values.tolist() for n, found in sizes.items()}
    record = {"matrices": matrices, "seed": seed, "exponents": exponents}
    return experiment.publish("lyapunov_spectrum", lines, lambda theme: draw(theme, sizes), out, record=record)


if __name__ == "__main__":
    raise SystemExit(experiment.run(main, __doc__, quick={"matrices": 400}))
