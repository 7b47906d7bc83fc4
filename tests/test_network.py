"""Networks of layers in the pass itself: names, shapes, derivatives, lengths, resets, masks, learned initial states."""

import re
from dataclasses import replace

import numpy as np
import pytest

from manual_rnn import Affine, Cell, cells, initialise, loss_and_gradients, stack
from manual_rnn.network import parameter_shapes
from manual_rnn.sequences import boundaries
from manual_rnn.tape import Tape

SIZES = {"n_in": 4, "n_hidden": 5, "n_out": 3}
T, B = 7, 3


class StepByStep(Tape):
    """A tape that bptt's own walk is taken for: it is not a plain one."""


def problem(network, seed=0, dtype=np.float64):
    """Parameters, x and y, and as options lengths, resets and masks."""
    rng = np.random.default_rng(seed)
    params = {n: (rng.standard_normal(s) * 0.6).astype(dtype) for n, s in parameter_shapes(network, **SIZES).items()}
    x, y = rng.standard_normal((T, B, 4)).astype(dtype), rng.integers(0, 3, (T, B))
    widths = {name: 5 * len(network.layers[0]) for name in network.inputs}
    masks = {name: ((rng.random((T, B, n)) < 0.5) * 2).astype(dtype) for name, n in widths.items()}
    lengths, resets = np.array([T, 4, 1]), rng.random((T, B)) < 0.2
    return (params, x, y), {"lengths": lengths, "resets": resets, "masks": masks}


NETWORKS = {
    "lstm, two layers": stack(cells.get("lstm"), layers=2),
    "rnn, both directions": stack(cells.get("rnn"), bidirectional=True),
    "gru, three layers, both directions": stack(cells.get("gru"), layers=3, bidirectional=True),
    "gru_reset_before, learned": stack(cells.get("gru_reset_before"), layers=2, learned_initial=True),
    "lstm, all": stack(cells.get("lstm"), layers=2, bidirectional=True, learned_initial=True),
    "rnn, learned": stack(cells.get("rnn"), learned_initial=True),
    "rnn_orthogonal, all": stack(cells.get("rnn_orthogonal"), layers=2, bidirectional=True, learned_initial=True),
}
all_networks = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


@all_networks
def test_every_gradient_is_the_limit_of_a_difference(network):
    (params, x, y), options = problem(network)
    found = loss_and_gradients(network, params, x, y, inputs=True, **options)
    rng = np.random.default_rng(1)
    assert set(found.gradients) >= {*params, "x"}
    for name, array in {**params, "x": x}.items():
        direction = rng.standard_normal(array.shape)

        def loss(step, name=name, array=array, direction=direction):
            moved = {**params, "x": x, name: array + step * direction}
            return loss_and_gradients(network, {n: moved[n] for n in params}, moved["x"], y, **options).loss

        step = 1e-5
        slope = (loss(step) - loss(-step)) / (2 * step)
        # The differences are off by step² times a third derivative, and by rounding over step: about 1e-10 each.
        assert slope == pytest.approx(np.sum(found.gradients[name] * direction), rel=1e-6, abs=1e-8), name


@all_networks
def test_the_walk_in_place_has_the_same_bits_as_the_walk_through_the_tape(network):
    from manual_rnn.gradients import forward_and_backward
    from manual_rnn.network import zero_state

    (params, x, y), options = problem(network)
    begins = boundaries(options["lengths"], options["resets"], T, B, fresh=network.learned_initial)
    tapes = []
    for kind in (Tape, StepByStep):
        tape, grads = kind(T), kind(T)
        forward_and_backward(
            network, params, x, y, np.ones((T, B)), zero_state(network, params, B), inputs=True, tape=tape,
            grads=grads, begins=begins, masks=options["masks"],
        )  # fmt: skip
        tapes.append((tape, grads))
    for fast, plain in zip(*tapes, strict=True):
        assert set(fast) == set(plain)
        for name in plain:
            np.testing.assert_array_equal(fast[name], plain[name], err_msg=name)


def test_one_layer_in_one_direction_has_the_cells_own_names():
    cell = cells.get("lstm")
    assert stack(cell).cells == (cell,)
    assert parameter_shapes(stack(cell), **SIZES) == parameter_shapes(cell, **SIZES)


def test_the_names_of_several_begin_with_layer_and_direction():
    network = stack(cells.get("rnn"), layers=2, bidirectional=True, learned_initial=True)
    shapes = parameter_shapes(network, **SIZES)
    assert shapes["layer1_reverse.U"] == (5, 4)
    assert shapes["layer2.U"] == (5, 10)
    assert shapes["layer2_reverse.initial_h"] == (5,)
    assert shapes["V"] == (3, 10)
    assert network.states == ("layer1.h", "layer1_reverse.h", "layer2.h", "layer2_reverse.h")
    assert network.name == "2 layers of rnn, both directions, learned initial state"


@all_networks
def test_a_ragged_batch_is_its_sequences_alone(network):
    (params, x, y), options = problem(network)
    lengths, masks = options["lengths"], options["masks"]
    together = loss_and_gradients(network, params, x, y, lengths=lengths, masks=masks, inputs=True)
    total, loss = {name: np.zeros_like(array) for name, array in params.items()}, 0.0
    for b, length in enumerate(lengths):
        part = slice(b, b + 1)
        alone = loss_and_gradients(
            network, params, x[:length, part], y[:length, part], inputs=True,
            masks={name: mask[:length, part] for name, mask in masks.items()},
        )  # fmt: skip
        loss += alone.loss
        for name in total:
            total[name] += alone.gradients[name]
        np.testing.assert_allclose(together.gradients["x"][:length, part], alone.gradients["x"], rtol=1e-12, atol=1e-14)
        assert not together.gradients["x"][length:, part].any()
        for name, state in alone.state.items():
            np.testing.assert_allclose(together.state[name][part], state, rtol=1e-13, atol=1e-14, err_msg=name)
    assert together.loss == pytest.approx(loss, rel=1e-13)
    for name in total:
        np.testing.assert_allclose(together.gradients[name], total[name], rtol=1e-11, atol=1e-13, err_msg=name)


@all_networks
def test_resets_are_the_pieces_alone(network):
    (params, x, y), _ = problem(network)
    resets = np.zeros((T, B), bool)
    resets[[3, 4]] = True
    together = loss_and_gradients(network, params, x, y, resets=resets)
    pieces = [loss_and_gradients(network, params, x[p], y[p]) for p in (slice(0, 3), slice(3, 4), slice(4, T))]
    assert together.loss == pytest.approx(sum(piece.loss for piece in pieces), rel=1e-13)
    for name in params:
        total = sum(piece.gradients[name] for piece in pieces)
        np.testing.assert_allclose(together.gradients[name], total, rtol=1e-11, atol=1e-13, err_msg=name)
    for name, state in together.state.items():
        of = pieces[0 if "reverse" in name else -1]
        np.testing.assert_allclose(state, of.state[name], rtol=1e-13)


def test_a_reset_begins_from_zeros_and_not_from_the_state_that_was_carried_in():
    network = stack(cells.get("lstm"))
    (params, x, y), _ = problem(network)
    rng = np.random.default_rng(4)
    carried = {name: rng.standard_normal((B, 5)) for name in network.states}
    resets = np.zeros((T, B), bool)
    resets[0, 1] = resets[3, 0] = True
    found = loss_and_gradients(network, params, x, y, initial=carried, resets=resets)
    assert not found.tape.previous("h")[0, 1].any()
    assert not found.tape.previous("h")[3, 0].any()
    np.testing.assert_array_equal(found.tape.previous("h")[0, 0], carried["h"][0])
    assert not found.gradients["h0"][1].any()
    assert found.gradients["h0"][0].all()


def test_a_window_goes_on_where_the_one_before_ended():
    network = stack(cells.get("gru"), layers=2)
    (params, x, y), _ = problem(network)
    whole = loss_and_gradients(network, params, x, y)
    first = loss_and_gradients(network, params, x[:4], y[:4])
    then = loss_and_gradients(network, params, x[4:], y[4:], initial=first.state)
    np.testing.assert_array_equal(whole.tape["layer2.h"][4:], then.tape["layer2.h"])
    assert whole.loss == pytest.approx(first.loss + then.loss, rel=1e-14)


def test_a_learned_state_has_no_part_where_a_state_is_handed_in():
    network = stack(cells.get("rnn"), learned_initial=True)
    (params, x, y), _ = problem(network)
    handed = loss_and_gradients(network, params, x, y, initial={"h": np.ones((B, 5))})
    assert not handed.gradients["initial_h"].any()
    assert handed.gradients["h0"].shape == (B, 5)
    assert "h0" not in loss_and_gradients(network, params, x, y).gradients


def test_reductions_count_the_steps_of_the_sequences_only():
    network = stack(cells.get("rnn"))
    (params, x, y), _ = problem(network)
    lengths = np.array([7, 4, 1])
    loss = loss_and_gradients(network, params, x, y).tape["loss"]
    mean = loss_and_gradients(network, params, x, y, lengths=lengths, reduction="mean")
    assert mean.loss == pytest.approx((loss[:7, 0].sum() + loss[:4, 1].sum() + loss[0, 2]) / 12, rel=1e-13)
    last = loss_and_gradients(network, params, x, y, lengths=lengths, reduction="last")
    assert last.loss == pytest.approx(loss[6, 0] + loss[3, 1] + loss[0, 2], rel=1e-13)


def test_what_lies_beyond_a_length_does_not_matter_however_large():
    network = stack(cells.get("rnn_relu"), layers=2, bidirectional=True)
    (params, x, y), _ = problem(network)
    lengths = np.array([7, 4, 1])
    usual = loss_and_gradients(network, params, x, y, lengths=lengths)
    beyond = x.copy()
    beyond[4:, 1], beyond[1:, 2] = 1e100, -1e100
    other = loss_and_gradients(network, params, beyond, y, lengths=lengths)
    for name, gradient in usual.gradients.items():
        np.testing.assert_array_equal(other.gradients[name], gradient, err_msg=name)


@pytest.mark.parametrize("loss", ["softmax", "squared", "bernoulli"])
def test_nor_does_what_is_too_large_to_compute_with(loss):
    """Weights of zero do not help: 0 · ∞ is no number. A linear network hands on what it sees, however large."""
    cell, rng, lengths = cells.get("rnn_identity"), np.random.default_rng(4), np.array([7, 4, 1])
    params = initialise(cell, **SIZES)
    x = rng.standard_normal((T, B, SIZES["n_in"]))
    y = rng.integers(0, 3, (T, B)) if loss == "softmax" else rng.random((T, B, 3))
    usual = loss_and_gradients(cell, params, x, y, lengths=lengths, loss=loss, inputs=True)
    beyond = np.arange(T)[:, None] >= lengths
    x[beyond] = 1e308
    if loss == "squared":
        y[beyond] = -1e200
    other = loss_and_gradients(cell, params, x, y, lengths=lengths, loss=loss, inputs=True)
    assert other.loss == usual.loss
    for name, gradient in usual.gradients.items():
        np.testing.assert_array_equal(other.gradients[name], gradient, err_msg=name)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_no_state_grows_beyond_a_length(bidirectional):
    """A network that explodes within the padding, and not within a sequence, has the gradient of its sequences."""
    network = stack(cells.get("rnn_identity"), bidirectional=bidirectional, learned_initial=True)
    params = {name: 10 * rows for name, rows in initialise(network, **SIZES, seed=2).items()}
    rng, lengths = np.random.default_rng(5), np.array([3, 2, 1])
    x, y = rng.integers(0, 4, (1000, 3)), rng.integers(0, 3, (1000, 3))
    long = loss_and_gradients(network, params, x, y, lengths=lengths)
    short = loss_and_gradients(network, params, x[:3], y[:3], lengths=lengths)
    assert long.loss == pytest.approx(short.loss, rel=1e-12)
    for name, gradient in short.gradients.items():
        np.testing.assert_allclose(long.gradients[name], gradient, rtol=1e-11, atol=0, err_msg=name)


def test_initialise_draws_every_layer():
    network = stack(cells.get("lstm"), layers=2, bidirectional=True, learned_initial=True)
    params = initialise(network, **SIZES, forget_bias=1.0, recurrent="orthogonal")
    assert {n: a.shape for n, a in params.items()} == parameter_shapes(network, **SIZES)
    for prefix in ("layer1", "layer1_reverse", "layer2", "layer2_reverse"):
        np.testing.assert_array_equal(params[f"{prefix}.b_f"], 1)
        W = params[f"{prefix}.W_i"]
        np.testing.assert_allclose(W @ W.T, np.eye(5), atol=1e-14)
    assert not params["layer1.initial_c"].any()


REFUSED = {
    "no layers": (lambda: stack(cells.get("rnn"), layers=0), "layers is 0; expected a whole number of at least 1."),
    "a length of zero": (
        lambda: refused(lengths=np.array([7, 0, 3])), "lengths has 0 for sequence 1; each is between 1 and T = 7."),
    "a length beyond the end": (
        lambda: refused(lengths=np.array([8, 2, 3])), "lengths has 8 for sequence 0; each is between 1 and T = 7."),
    "lengths of another batch": (
        lambda: refused(lengths=np.array([7, 3])),
        "lengths has the shape (2,) and dtype int64; expected integers (B,) = (3,)."),
    "lengths as a list": (
        lambda: refused(lengths=[7, 3, 2]), "lengths is of the type list; expected a plain NumPy array."),
    "resets as steps": (
        lambda: refused(resets=np.array([2, 9])),
        "resets has the shape (2,) and dtype int64; expected (T, B) = (7, 3) of bool, True at each step that begins a "
        "sequence."),
    "a mask for no layer": (
        lambda: refused(masks={"layer3.x": np.ones((T, B, 10))}),
        "masks has layer3.x; the inputs of the layers above the first are layer2.x, layer2_reverse.x."),
    "a mask where there is one layer": (
        lambda: refused(stack(cells.get("rnn")), masks={"x": np.ones((T, B, 4))}),
        "masks has x; the inputs of the layers above the first are none, as there is one layer."),
    "a mask of another width": (
        lambda: refused(masks={"layer2.x": np.ones((T, B, 5))}),
        "masks['layer2.x'] has the shape (7, 3, 5) and dtype float64; expected numbers (7, 3, 10)."),
    "an initial state of the cell's own name": (
        lambda: refused(initial={"h": np.zeros((B, 5))}),
        "initial has h; the states of the network of 2 layers of rnn, both directions are layer1.h, layer1_reverse.h, "
        "layer2.h, layer2_reverse.h."),
    "a state handed in at an end that lengths move": (
        lambda: refused(lengths=np.array([7, 4, 1]), initial={f"layer{k}{d}.h": np.zeros((B, 5)) for k in (1, 2)
                                                              for d in ("", "_reverse")}),
        "initial and lengths are given, and a cell of the network goes back in time: it begins at the end of each "
        "sequence, from zeros or a learned state. Leave initial out."),
}  # fmt: skip


def refused(network=None, **options):
    network = stack(cells.get("rnn"), layers=2, bidirectional=True) if network is None else network
    (params, x, y), _ = problem(network)
    loss_and_gradients(network, params, x, y, **options)


@pytest.mark.parametrize(("call", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        call()


@all_networks
@pytest.mark.parametrize("tokens", [False, True], ids=["dense", "tokens"])
def test_what_training_runs_has_the_same_gradients(network, tokens):
    """With tapes that keep less, and then over the memory of that pass: bit by bit."""
    (params, x, y), options = problem(network)
    x = np.argmax(x, axis=-1) if tokens else x
    plain = loss_and_gradients(network, params, x, y, **options)
    lean = loss_and_gradients(network, params, x, y, every_node=False, **options)
    over = loss_and_gradients(network, params, x, y, every_node=False, over=lean, **options)
    for result in (lean, over):
        assert result.loss == plain.loss
        for name, gradient in plain.gradients.items():
            np.testing.assert_array_equal(result.gradients[name], gradient, err_msg=name)


def shared_forward(node, prev, tap):
    h = tap("h", np.tanh(node.a) + 0.5 * (prev.h + prev.m))
    return {"h": h, "m": tap("m", 0.3 * (prev.h + prev.m) + node.a)}


def shared_backward(node, prev, grad, tap):
    grad_m = tap("m", grad.m)
    grad_a = tap("a", grad.h * (1 - np.tanh(node.a) * np.tanh(node.a)) + grad_m)
    both = 0.5 * grad.h + 0.3 * grad_m
    return {"a": grad_a, "h_prev": both, "m_prev": both}


def test_two_states_may_be_handed_the_same():
    cell = Cell("shared", shared_forward, shared_backward, maps=(Affine(node="a", W=None),), states=("h", "m"))
    network = stack(cell, learned_initial=True)
    (params, x, y), options = problem(network)
    del options["masks"]
    for every_node in (True, False):
        found = loss_and_gradients(network, params, x, y, every_node=every_node, **options)
        assert found.gradients["initial_m"].any()
        np.testing.assert_allclose(found.gradients["initial_m"], found.gradients["initial_h"], rtol=1e-13)


def test_code_that_cannot_be_read_is_run_step_by_step_by_training_too():
    def backward(node, prev, grad, tap):
        grad_a = 1 - node.h * node.h
        grad_a *= grad.h
        return {"a": tap("a", grad_a)}

    cell = replace(cells.get("rnn"), backward=backward)
    (params, x, y), _ = problem(stack(cell))
    lean = loss_and_gradients(cell, params, x, y, every_node=False).gradients
    for name, gradient in loss_and_gradients(cells.get("rnn"), params, x, y).gradients.items():
        np.testing.assert_allclose(lean[name], gradient, rtol=1e-13, atol=1e-15)


def test_masks_are_no_wider_than_the_parameters_and_weights_of_bool_stay_what_they_are():
    network = stack(cells.get("rnn"), layers=2)
    (params, x, y), options = problem(network, dtype=np.float32)
    wide = {"layer2.x": options["masks"]["layer2.x"].astype(float)}
    with pytest.raises(ValueError, match=r"The parameters are float32, and masks\['layer2\.x'\] is float64"):
        loss_and_gradients(network, params, x, y, masks=wide)
    found = loss_and_gradients(network, params, x, y, lengths=options["lengths"], weights=np.ones((T, B), bool))
    assert {gradient.dtype for gradient in found.gradients.values()} == {np.dtype(np.float32)}


def test_where_lengths_say_where_a_cell_begins_it_has_no_initial_state():
    network = stack(cells.get("lstm"), bidirectional=True)
    (params, x, y), options = problem(network)
    found = loss_and_gradients(network, params, x, y, lengths=options["lengths"]).gradients
    assert {"layer1.h0", "layer1.c0"} <= set(found)
    assert not {"layer1_reverse.h0", "layer1_reverse.c0"} & set(found)
