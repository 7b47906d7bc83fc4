"""The example of the book: a network of two units reads "aba", in numbers that can be followed by hand.

tanh(½ log((1 + h)/(1 − h))) is h: so U is made such that h(1) and h(2) are round, and c such that ŷ(1) and ŷ(2)
are. U and c are the only numbers that look odd; all gradients but ∇x come out round.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # for one_page, whose functions the chapters run

ids = [0, 1, 0]
"""The word: a is 0 and b is 1. The network reads a, to predict b; then it reads b, to predict a."""

W = np.array([[1.0, -0.5], [0.5, 1.0]])
V = np.array([[2.0, 1.0], [0.0, 2.0]])
b = np.array([0.5, 0.5])
c = np.array([np.log(3) - 1, 0.0])
h0 = np.array([0.5, -0.5])
U = np.array([[np.log(2) - 1.25, np.log(3) - 1], [np.log(1.5) / 2 - 0.25, np.log(2) - 1]])
theta = (U, W, V, b, c)


def beside(name, by_hand, by_code, by_autodiff=None):
    """Prints what was worked out by hand, by the code and by jax.grad; an error where they are not the same."""
    print(name)
    print("  by hand  ", _row(by_hand))
    print("  by code  ", _row(by_code))
    np.testing.assert_allclose(by_code, by_hand, rtol=0, atol=5e-5, err_msg=name)  # by hand: four decimals
    if by_autodiff is not None:
        apart = np.abs(np.asarray(by_code) - np.asarray(by_autodiff)).max()
        print("  jax.grad ", _row(by_autodiff), f"  (differs by {apart:.0e})" if apart else "  (the same bits)")
        np.testing.assert_allclose(by_code, by_autodiff, rtol=0, atol=1e-15, err_msg=name)  # all are of size one


def _row(values):
    """A vector as "1.4, -0.5"; of a matrix, the rows one after the other, parted by a semicolon."""
    rows = np.atleast_2d(np.asarray(values, float))
    return "; ".join(", ".join(f"{value + 0.0:.4g}" for value in row.round(4)) for row in rows)
