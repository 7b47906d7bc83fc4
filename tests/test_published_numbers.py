"""The numbers that courses and frameworks have published for their own recurrent networks, from ours."""

import numpy as np
import pytest

from manual_rnn import cells
from manual_rnn.bptt import unroll
from manual_rnn.tape import Tape

GATES = "ifog"
"""The order of CS231n's blocks."""


def line(first: float, last: float, *shape: int) -> np.ndarray:
    return np.linspace(first, last, num=int(np.prod(shape))).reshape(shape)


def run(name, params, x, **initial):
    """The states at every step, (T, B, n), of x (B, T, D)."""
    cell, tape = cells.get(name), Tape(x.shape[1])
    unroll(cell, params, x.swapaxes(0, 1), initial, tape)
    return {state: tape[cell.full(state)] for state in cell.states}


def of_cs231n(Wx, Wh, b):
    """An LSTM's parameters from CS231n's three, whose columns are i, f, o, g."""
    n = Wh.shape[0]
    blocks = {k: slice(j * n, (j + 1) * n) for j, k in enumerate(GATES)}
    return (
        {f"U_{k}": Wx[:, part].T for k, part in blocks.items()}
        | {f"W_{k}": Wh[:, part].T for k, part in blocks.items()}
        | {f"b_{k}": b[part] for k, part in blocks.items()}
    )


def test_cs231n_rnn_step():
    params = {"U": line(-0.1, 0.9, 10, 4).T, "W": line(-0.3, 0.7, 4, 4).T, "b": line(-0.2, 0.4, 4)}
    h = run("rnn", params, line(-0.4, 0.7, 3, 10)[:, None], h=line(-0.2, 0.5, 3, 4))["h"][0]
    published = [
        [-0.58172089, -0.50182032, -0.41232771, -0.31410098],
        [0.66854692, 0.79562378, 0.87755553, 0.92795967],
        [0.97934501, 0.99144213, 0.99646691, 0.99854353],
    ]
    np.testing.assert_allclose(h, published, atol=5.1e-9, rtol=0)  # eight decimals were printed


def test_cs231n_rnn_forward():
    params = {"U": line(-0.2, 0.4, 4, 5).T, "W": line(-0.4, 0.1, 5, 5).T, "b": line(-0.7, 0.1, 5)}
    h = run("rnn", params, line(-0.1, 0.3, 2, 3, 4), h=line(-0.3, 0.1, 2, 5))["h"].swapaxes(0, 1)
    published = [
        [
            [-0.42070749, -0.27279261, -0.11074945, 0.05740409, 0.22236251],
            [-0.39525808, -0.22554661, -0.0409454, 0.14649412, 0.32397316],
            [-0.42305111, -0.24223728, -0.04287027, 0.15997045, 0.35014525],
        ],
        [
            [-0.55857474, -0.39065825, -0.19198182, 0.02378408, 0.23735671],
            [-0.27150199, -0.07088804, 0.13562939, 0.33099728, 0.50158768],
            [-0.51014825, -0.30524429, -0.06755202, 0.17806392, 0.40333043],
        ],
    ]
    np.testing.assert_allclose(h, published, atol=5.1e-9, rtol=0)


def test_cs231n_lstm_step():
    params = of_cs231n(line(-2.1, 1.3, 4, 20), line(-0.7, 2.2, 5, 20), line(0.3, 0.7, 20))
    states = run(
        "lstm", params, line(-0.4, 1.2, 3, 4)[:, None], h=line(-0.3, 0.7, 3, 5), c=line(-0.4, 0.9, 3, 5)
    )
    h = [
        [0.24635157, 0.28610883, 0.32240467, 0.35525807, 0.38474904],
        [0.49223563, 0.55611431, 0.61507696, 0.66844003, 0.7159181],
        [0.56735664, 0.66310127, 0.74419266, 0.80889665, 0.858299],
    ]
    c = [
        [0.32986176, 0.39145139, 0.451556, 0.51014116, 0.56717407],
        [0.66382255, 0.76674007, 0.87195994, 0.97902709, 1.08751345],
        [0.74192008, 0.90592151, 1.07717006, 1.25120233, 1.42395676],
    ]
    np.testing.assert_allclose(states["h"][0], h, atol=5.1e-9, rtol=0)
    np.testing.assert_allclose(states["c"][0], c, atol=5.1e-9, rtol=0)


def test_pytorchs_own_test_of_its_lstm():
    """test/cpp/api/rnn.cpp of PyTorch: two layers of it would be two of ours; this is its LSTM(2, 2)."""
    flat = {name: np.arange(np.prod(shape)).reshape(shape) / np.prod(shape)
            for name, shape in {"ih": (8, 2), "hh": (8, 2), "b_ih": (8,), "b_hh": (8,)}.items()}  # fmt: skip
    rows = {k: slice(2 * j, 2 * j + 2) for j, k in enumerate("ifgo")}
    params = (
        {f"U_{k}": flat["ih"][part] for k, part in rows.items()}
        | {f"W_{k}": flat["hh"][part] for k, part in rows.items()}
        | {f"b_{k}": flat["b_ih"][part] + flat["b_hh"][part] for k, part in rows.items()}
    )
    x = ((24 - np.arange(24)) / 24).reshape(3, 4, 2).swapaxes(0, 1)
    states = run("lstm", params, x, h=np.zeros((4, 2)), c=np.zeros((4, 2)))
    output = [
        0.4391, 0.5402, 0.4330, 0.5324, 0.4261, 0.5239, 0.4183, 0.5147, 0.6822, 0.8064, 0.6726, 0.7968, 0.6620, 0.7860,
        0.6501, 0.7741, 0.7889, 0.9003, 0.7769, 0.8905, 0.7635, 0.8794, 0.7484, 0.8666,
    ]  # fmt: skip
    c_n = [1.1647, 1.6106, 1.1425, 1.5726, 1.1187, 1.5329, 1.0931, 1.4911]
    np.testing.assert_allclose(states["h"].ravel(), output, atol=1e-3, rtol=0)  # PyTorch's own tolerance
    np.testing.assert_allclose(states["c"][-1].ravel(), c_n, atol=1e-3, rtol=0)


@pytest.mark.parametrize("wrong", ["igfo", "ifgo"])
def test_another_order_of_the_gates_gives_other_numbers(wrong):
    params = of_cs231n(line(-2.1, 1.3, 4, 20), line(-0.7, 2.2, 5, 20), line(0.3, 0.7, 20))
    mixed = {f"{name}_{k}": params[f"{name}_{GATES[j]}"] for name in "UWb" for j, k in enumerate(wrong)}
    x, h, c = line(-0.4, 1.2, 3, 4)[:, None], line(-0.3, 0.7, 3, 5), line(-0.4, 0.9, 3, 5)
    assert np.abs(run("lstm", mixed, x, h=h, c=c)["h"] - run("lstm", params, x, h=h, c=c)["h"]).max() > 1e-3
