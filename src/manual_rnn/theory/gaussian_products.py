r"""The Lyapunov spectrum of products of Gaussian matrices, exact at every size.

For A_k … A_2 A_1 with A of n × n independent entries of N(0, σ²), the exponents per factor, largest first, are

.. math::
    \lambda_i &= \tfrac12 \left[ \ln 2\sigma^2 + \psi\!\left( \tfrac{n - i + 1}{2} \right) \right], \qquad i = 1 … n
                                                                                            && \text{(N1)} \\
    \operatorname{Var} &= \tfrac14\, \psi'\!\left( \tfrac{n - i + 1}{2} \right) \quad \text{per factor}   && \text{(N2)}

ψ is the digamma function. By QR: a Gaussian matrix does not know the directions that it meets, so r_ii of every factor
is an independent σ χ with n − i + 1 degrees of freedom, and λ_i = E ln r_ii. (N2) is the variance of ln r_ii; the mean
over k factors has the standard error √(Var/k), and differs from λ_i by nothing else if Q starts anywhere.

Source: C. M. Newman, "The distribution of Lyapunov exponents: exact results for random matrices", Commun. Math. Phys.
103 (1986) 121–126. Domain: a fresh matrix at every step, so no recurrent network, which has one; then the exponents
are the logs of the moduli of W's eigenvalues. What it does not see: anything but Gaussian entries.
"""

from __future__ import annotations

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.theory.arguments import above_zero, whole


def lyapunov_spectrum(n: int, std: float) -> Array:
    """λ_1 ≥ … ≥ λ_n of (N1), (n,), natural, per factor. Raises ValueError for n below 1 or a std not above zero."""
    whole("size of the matrices", n, 1)
    above_zero("standard deviation of the entries", std)
    steps = 2 / np.arange(1, n + 1)  # ψ(x + 1) = ψ(x) + 1/x, from x = 1/2, 1, 3/2, …
    psi = _by_halves(-np.euler_gamma - 2 * np.log(2), -np.euler_gamma, steps)
    spectrum: Array = (np.log(2) + 2 * np.log(std) + psi[::-1]) / 2
    return spectrum


def variance_per_factor(n: int) -> Array:
    """(N2) of each exponent, (n,), the largest exponent's first. Raises ValueError for n below 1."""
    whole("size of the matrices", n, 1)
    steps = -((2 / np.arange(1, n + 1)) ** 2)  # ψ'(x + 1) = ψ'(x) − 1/x²
    variances: Array = _by_halves(np.pi**2 / 2, np.pi**2 / 6, steps)[::-1] / 4
    return variances


def _by_halves(at_half: float, at_one: float, steps: Array) -> Array:
    """f(1/2), f(1), f(3/2), … f(n/2) from the first two, where f(x + 1) = f(x) + step at x."""
    f = np.empty(len(steps))
    for first, value in ((0, at_half), (1, at_one)):
        f[first::2] = value + np.concatenate([[0.0], np.cumsum(steps[first::2])])[: len(f[first::2])]
    return f
