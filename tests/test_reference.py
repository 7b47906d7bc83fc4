"""The reference itself, which is so plain that no test of it seems needed: against a loop written by hand, and more."""

import dataclasses

import jax
import numpy as np
import pytest

from manual_rnn import cells
from manual_rnn.testing.families import build
from manual_rnn.testing.problem import Spec
from oracle_cases import NARROW, USUAL, draw
from reference import autodiff

ACTIVATIONS = {"rnn": np.tanh, "rnn_relu": lambda a: np.maximum(a, 0), "rnn_identity": lambda a: a,
               "rnn_sigmoid": lambda a: 1 / (1 + np.exp(-a))}  # fmt: skip


def assert_close(ours, expected):
    """To some 50 units of the largest entry: the two differ in the order of their sums alone."""
    assert np.abs(ours - expected).max() <= 1e-14 * np.abs(expected).max()


def by_hand(case, activation, example, bump=lambda name, t: 0.0):
    """One sequence, one number after the other: loops over time and over units. ``bump`` is added to a node."""
    p, x, h = case.params, case.x[:, example], case.initial["h"][example]
    tape = {"a": [], "h": [], "o": [], "loss": []}
    for t in range(len(x)):
        a = np.array(
            [
                sum(p["W"][i, j] * h[j] for j in range(len(h)))
                + sum(p["U"][i, k] * x[t, k] for k in range(x.shape[1]))
                + p["b"][i]
                for i in range(len(h))
            ]
        ) + bump("a", t)
        h = activation(a) + bump("h", t)
        o = np.array([p["V"][k] @ h + p["c"][k] for k in range(len(p["c"]))]) + bump("o", t)
        loss = -case.weights[t, example] * np.log(np.exp(o[case.y[t, example]]) / np.exp(o).sum())
        for name, value in (("a", a), ("h", h), ("o", o), ("loss", loss)):
            tape[name].append(value)
    return {name: np.array(values) for name, values in tape.items()}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_tape_is_that_of_a_loop_for_each_example_of_a_batch(name):
    case = draw(cells.get(name), seed=7)
    case = dataclasses.replace(case, weights=np.random.default_rng(0).random(case.y.shape))
    nodes, _ = autodiff(name)([case.for_oracle()])[0]
    assert set(nodes) == {"a", "h", "o", "loss"}
    for example in range(USUAL.B):
        for node, expected in by_hand(case, ACTIVATIONS[name], example).items():
            assert_close(nodes[node][:, example], expected)


def test_a_batch_is_its_examples_stacked():
    case = draw(cells.get("rnn"))
    nodes, grads = autodiff("rnn")([case.for_oracle()])[0]
    alone = [
        dataclasses.replace(
            case,
            initial={"h": case.initial["h"][i : i + 1]},
            **{name: getattr(case, name)[:, i : i + 1] for name in ("x", "y", "weights")},
        ).for_oracle()
        for i in range(USUAL.B)
    ]
    answers = autodiff("rnn")(alone)
    for name in nodes:
        assert_close(nodes[name], np.concatenate([n[name] for n, _ in answers], axis=1))
    for name in ("a", "h", "o", "x"):  # of each example its own
        assert_close(grads[name], np.concatenate([g[name] for _, g in answers], axis=1))
    for name in case.params:  # of all examples the sum
        assert_close(grads[name], sum(g[name] for _, g in answers))


@pytest.mark.parametrize("node", ["a", "h", "o"])
def test_the_gradient_of_a_node_is_what_perturbing_the_node_does(node):
    """``tap`` adds a zero to a node at one step; here the loop by hand adds a small number at the same place."""
    case = draw(cells.get("rnn"), sizes=NARROW)
    _, grads = autodiff("rnn")([case.for_oracle()])[0]
    ours = grads[node][:, 0]

    def loss(at, i, step):
        unit = step * np.eye(ours.shape[1])[i]
        return by_hand(case, np.tanh, 0, lambda name, t: unit if (name, t) == (node, at) else 0.0)["loss"].sum()

    for t, i in np.ndindex(ours.shape):
        near, far = ((loss(t, i, step) - loss(t, i, -step)) / (2 * step) for step in (1e-3, 2e-3))
        # What is left after the extrapolation is of the order of step⁴, and of eps / step: 1e-12 either way.
        assert abs((4 * near - far) / 3 - ours[t, i]) <= 1e-9 * np.abs(ours).max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_that_goes_in_comes_out_and_jax_stays_configured_as_it_was(dtype):
    before = jax.config.jax_enable_x64
    problem = draw(cells.get("rnn")).astype(dtype).for_oracle() | {"x": draw(cells.get("rnn")).x.astype(dtype)}
    nodes, grads = autodiff("rnn")([problem])[0]
    assert {array.dtype for array in [*nodes.values(), *grads.values()]} == {np.dtype(dtype)}
    assert jax.config.jax_enable_x64 == before
    assert jax.numpy.zeros(1).dtype == (np.float64 if before else np.float32)


def test_float64_is_computed_in_float64_and_not_rounded_to_float32_on_the_way():
    case = draw(cells.get("rnn"))
    nodes, _ = autodiff("rnn")([case.for_oracle()])[0]
    assert not np.array_equal(nodes["h"], nodes["h"].astype(np.float32))


def test_many_problems_of_one_shape_are_answered_each_by_its_own():
    """More than go through one compiled call, and no multiple of it: the padding is not among the answers."""
    rng_cases = [build(cells.get("rnn"), Spec("ordinary", NARROW, "float64", seed, 50)) for seed in range(11)]
    oracle = autodiff("rnn")
    answers = oracle([case.for_oracle() for case in rng_cases])
    assert len(answers) == 11
    for i in (0, 7, 8, 10):
        _, alone = oracle([rng_cases[i].for_oracle()])[0]
        assert_close(answers[i][1]["W"], alone["W"])
    assert oracle([]) == []


def test_what_cannot_be_used_is_named():
    with pytest.raises(ValueError, match=r"There is no reference step named 'elman': src/reference/cells\.py needs"):
        autodiff("elman")
    with pytest.raises(ValueError, match="There is no reference step named '__name__'"):
        autodiff("__name__")
    problem = draw(cells.get("rnn")).for_oracle()
    with pytest.raises(ValueError, match=r"The arrays are .*; the reference has float32 and float64"):
        autodiff("rnn")([problem | {"x": problem["x"].astype(np.longdouble)}])
