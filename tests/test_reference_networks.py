"""The reference of networks: against loops written by hand, forward mode, and sequences run alone."""

from dataclasses import replace

import numpy as np
import pytest

from manual_rnn import cells, stack
from manual_rnn.testing import Sizes, Spec
from manual_rnn.testing.families import build
from reference import autodiff
from reference.forward_mode import forward_mode

SHAPE = Sizes(5, 3, 4, 3, 2)
BOTH = {"layers": 2, "bidirectional": True, "learned_initial": True}


def drawn(name, seed=0, **options):
    """A case with dense x and a loss at every step."""
    network = stack(cells.get(name), **options)
    spec = Spec("ordinary", SHAPE, "float64", seed, 50, resets=True, dropout=options.get("layers", 1) > 1)
    rng = np.random.default_rng(seed)
    x, weights = rng.standard_normal((SHAPE.T, SHAPE.B, SHAPE.n_in)), rng.random((SHAPE.T, SHAPE.B))
    begins = rng.random((SHAPE.T + 1, SHAPE.B)) < 0.3
    return replace(build(network, spec), x=x, weights=weights, begins=begins)


def by_hand(case, b):
    """h of each place and ŷ's logits of one sequence of the vanilla RNN: loops over places and steps."""
    p, T = case.params, SHAPE.T
    shown, found = case.x[:, b], {}
    for k in (1, 2):
        halves = []
        for place, steps in ((f"layer{k}.", range(T)), (f"layer{k}_reverse.", range(T)[::-1])):
            rows = shown if k == 1 else case.masks[f"{place}x"][:, b] * shown
            h, out = case.initial[f"{place}h"][b], np.empty((T, SHAPE.n_hidden))
            for t in steps:
                boundary = t + 1 if "reverse" in place else t
                before = p[f"{place}initial_h"] if case.begins[boundary, b] else h
                h = out[t] = np.tanh(p[f"{place}W"] @ before + p[f"{place}U"] @ rows[t] + p[f"{place}b"])
            halves.append(out)
            found |= {f"{place}h": out} | ({f"{place}x": rows} if k == 2 else {})
        shown = np.concatenate(halves, axis=1)
    return found | {"o": np.array([p["V"] @ row + p["c"] for row in shown])}


def test_the_nodes_are_those_of_a_loop():
    case = drawn("rnn", **BOTH)
    ((nodes, _),) = autodiff("rnn", **BOTH)([case.for_oracle()])
    for b in range(SHAPE.B):
        for name, expected in by_hand(case, b).items():
            np.testing.assert_allclose(nodes[name][:, b], expected, rtol=1e-13, atol=1e-14, err_msg=name)
    assert set(nodes) == {f"{cell.prefix}{n}" for cell in stack(cells.get("rnn"), **BOTH).cells for n in "ah"} | {
        "layer2.x", "layer2_reverse.x", "o", "loss",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "options"), [
    ("rnn", {"learned_initial": True}), ("lstm", BOTH),
], ids=str)  # fmt: skip
def test_forward_mode_agrees_with_the_gradient_along_random_directions(name, options):
    case, rng = drawn(name, **options), np.random.default_rng(1)
    ((_, grads),) = autodiff(name, **options)([case.for_oracle()])
    arrays = {**case.params, **{f"{n}0": a for n, a in case.initial.items()}, "x": case.x}
    along = [{n: rng.standard_normal(a.shape) for n, a in arrays.items()} for _ in range(3)]
    for direction, derivative in zip(along, forward_mode(name, **options)(case.for_oracle(), along), strict=True):
        terms = np.concatenate([(grads[n] * direction[n]).ravel() for n in arrays])
        assert abs(derivative - terms.sum()) <= 1e-13 * np.abs(terms).sum()


def test_what_each_place_of_the_first_layer_gives_to_x_adds_up():
    case = drawn("rnn", **BOTH)
    ((_, grads),) = autodiff("rnn", **BOTH)([case.for_oracle()])
    np.testing.assert_allclose(grads["layer1.x"] + grads["layer1_reverse.x"], grads["x"], rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(autodiff("rnn")([drawn("rnn").for_oracle()])[0][1].keys() & {"layer1.x"}, set())


def test_the_gradient_of_a_layers_input_is_what_its_mask_hands_down():
    """With a loss that the layer above sees alone: ∇h of the first layer's last step is m ∘ ∇x of the second."""
    case = drawn("rnn", layers=2)
    case = replace(case, begins=np.ones_like(case.begins))  # nothing comes from other steps
    ((_, grads),) = autodiff("rnn", layers=2)([case.for_oracle()])
    np.testing.assert_allclose(grads["layer1.h"], case.masks["layer2.x"] * grads["layer2.x"], rtol=1e-15)


def test_sequences_in_a_row_are_the_same_sequences_alone():
    """Loss, gradients of all that is shared, and ∇x in its place."""
    case, oracle = drawn("rnn", **BOTH), autodiff("rnn", **BOTH)
    case.begins[:] = False
    case.begins[[0, -1]] = True
    case.begins[[2, 3, 2], range(SHAPE.B)] = True
    ((nodes, grads),) = oracle([case.for_oracle()])
    total, loss = {name: np.zeros_like(array) for name, array in case.params.items()}, 0.0
    pieces = [np.s_[start:stop, b : b + 1] for b, cut in enumerate((2, 3, 2)) for start, stop in ((0, cut), (cut, 5))]
    for length in (2, 3):
        places = [rows for rows in pieces if rows[0].stop - rows[0].start == length]
        alone = [
            replace(
                case, x=case.x[rows], y=case.y[rows], weights=case.weights[rows],
                initial={name: array[rows[1]] for name, array in case.initial.items()},
                masks={name: mask[rows] for name, mask in case.masks.items()},
                begins=case.begins[rows[0].start : rows[0].stop + 1, rows[1]],
            ).for_oracle()
            for rows in places
        ]  # fmt: skip
        for rows, (own_nodes, own) in zip(places, oracle(alone), strict=True):
            loss += own_nodes["loss"].sum()
            for name in total:
                total[name] += own[name]
            np.testing.assert_allclose(grads["x"][rows], own["x"], rtol=1e-12, atol=1e-15)
    assert nodes["loss"].sum() == pytest.approx(loss, rel=1e-13)
    for name, array in total.items():
        np.testing.assert_allclose(grads[name], array, rtol=1e-11, atol=1e-14, err_msg=name)


def test_without_boundaries_a_learned_state_has_no_part_in_it():
    case = replace(drawn("rnn", learned_initial=True), begins=None)
    ((_, grads),) = autodiff("rnn", learned_initial=True)([case.for_oracle()])
    assert not grads["initial_h"].any()
    assert grads["h0"].any()


def test_what_cannot_be_is_said():
    with pytest.raises(ValueError, match=r"layers is 0; expected at least 1\."):
        autodiff("rnn", layers=0)
    problem = drawn("rnn", bidirectional=True).for_oracle() | {"upstream": np.ones((5, 3, 3))}
    with pytest.raises(ValueError, match="here both directions show a state"):
        autodiff("rnn", bidirectional=True)([problem])
