"""Networks that solve the tasks exactly, with weights that were thought out: no training, ReLU throughout.

Each is the parameters of ``rnn_relu``; a unit that keeps a sum has itself as its input. After N. Henaff, A. Szlam,
Y. LeCun, *Recurrent orthogonal networks and long-memory tasks* (2016), who construct them for copying and adding.
"""

import numpy as np

SURE = 40.0
"""A logit that leaves the other classes e^-40."""


def empty(n, n_in, n_out):
    shapes = {"W": (n, n), "U": (n, n_in), "b": (n,), "V": (n_out, n), "c": (n_out,)}
    return {name: np.zeros(shape) for name, shape in shapes.items()}


def adding(variant):
    """Unit 0 lets a marked number through, 1 sums those up; 2 sees a mark, 3 counts them. All lag one step behind."""
    p = empty(4, 2, 1)
    scaled = variant == "adding_scaled"
    p["U"][0], p["b"][0] = (1, 2 if scaled else 1), -1  # relu(v − 1 + m), or relu(v − 1 + 2m) = v + 1 if m = 1
    p["U"][2] = 0, 1
    p["W"][1, [0, 1]] = p["W"][3, [2, 3]] = 1
    share = {"adding_sum": 1, "adding_mean": 1 / 2, "adding_scaled": 1 / 4}[variant]
    p["V"][0] = share, share, *((-share, -share) if scaled else (0, 0))
    p["c"][:] = 0.5 if scaled else 0
    return p


def copying(task, delay, length):
    """A line of delay + length places for the symbols; blanks leave it empty, and the last place is read."""
    symbols, places = task.n_out - 1, delay + length + 1
    p = empty(places * symbols, task.n_in, task.n_out)
    p["U"][:symbols, :symbols] = np.eye(symbols)
    for k in range(1, places):
        p["W"][k * symbols : (k + 1) * symbols, (k - 1) * symbols : k * symbols] = np.eye(symbols)
    p["V"][:symbols, -symbols:] = 2 * SURE * np.eye(symbols)
    p["c"][-1] = SURE
    return p


def temporal_order(task, relevant):
    """Unit 0 counts what mattered before; 1 sees a 0 at the first place, 2 keeps it; 3 and 4 weigh one by 2 − its
    place, for three symbols; 5 counts zeros."""
    p = empty(6, task.n_in, task.n_out)
    p["U"][0, [0, 1]] = p["U"][5, 0] = p["U"][1, 0] = 1
    p["U"][3, 0] = 2
    p["W"][[0, 2, 4, 5], [0, 2, 4, 5]] = p["W"][2, 1] = p["W"][4, 3] = 1
    p["W"][[1, 3], 0] = -1  # relu(x − seen), relu(2x − seen)
    first = np.array([0, 1, 1, 0, 0, 0.0])
    weighed = np.array([0, 0, 0, 1, 1, 0.0])
    zeros = np.array([0, 0, 0, 0, 0, 1.0])
    second = weighed - 2 * first  # of three: 2 v₁ + v₂ less 2 v₁
    bits = [first, zeros - first] if relevant == 2 else [first, second, zeros - first - second]  # one for a zero
    for k in range(task.n_out):
        for place, bit in enumerate(bits):
            sign = -1 if k >> place & 1 else 1
            p["V"][k] += SURE * sign * bit
            p["c"][k] -= SURE * sign / 2
    return p


def latch(noise):
    """Unit 0 sees a positive first input, 1 keeps that; 2 says that it is not the first step any more."""
    p = empty(3, 1, 1)
    p["U"][0] = 1
    p["b"][2] = 1
    p["W"][0, 2] = -noise  # relu(x − noise) is zero wherever x is below it
    p["W"][1, [0, 1]] = 1
    p["V"][0, [0, 1]], p["c"][0] = 2 * SURE, -SURE
    return p


def delayed_xor(delay):
    """A line of ``delay`` bits, and the two halves of |a − b|, relu(a − b) and relu(b − a)."""
    p = empty(delay + 2, 1, 1)
    p["U"][0] = 1
    p["W"][np.arange(1, delay), np.arange(delay - 1)] = 1
    half = delay // 2 - 1
    p["W"][delay, [half, delay - 1]] = 1, -1
    p["W"][delay + 1, [half, delay - 1]] = -1, 1
    p["V"][0, delay:], p["c"][0] = 2 * SURE, -SURE
    return p
