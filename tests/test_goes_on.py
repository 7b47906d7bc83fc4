"""A pass that records its nodes and computes on with its own is told so and not called wrong; others are judged."""

import numpy as np
import pytest

from manual_rnn import Cell, bptt, cells, readout
from manual_rnn.gradients import forward_and_backward
from manual_rnn.losses import softmax
from manual_rnn.tape import Tape
from manual_rnn.testing import verify
from manual_rnn.testing.goes_on import check_that_it_goes_on
from other_forms import RIGHT_FORMS, RIGHT_FORMS_OF_OTHERS
from other_orders import FUSED
from reference import autodiff

RNN = cells.get("rnn")


def own_forward(cell, params, x, y, weights, initial, *, inputs, tape, grads):
    """Computes for itself and tells the tape afterwards; the way back is made of what is on the tape."""
    own = Tape(len(x))
    forward_and_backward(cell, params, x, y, weights, initial, inputs=inputs, tape=own, grads=Tape(len(x)))
    tell(tape, own, ("a", "h"), initial)
    _, y_hat = softmax.forward(tape["o"], y, weights)
    grad_o = grads.tap_all("o", softmax.backward(y_hat, y, weights))
    from_readout = readout.backward(params["V"], tape["h"], grad_o, grads.tap_all)
    bptt.go_back(cell, params, x, tape, from_readout, grads, inputs=inputs)


def own_all(cell, params, x, y, weights, initial, *, inputs, tape, grads):
    own, of = Tape(len(x)), Tape(len(x))
    forward_and_backward(cell, params, x, y, weights, initial, inputs=inputs, tape=own, grads=of)
    tell(tape, own, ("a", "h"), initial)
    tell(grads, of, ("h", "a"))


def tell(tape, own, at_every_step, initial=None):
    if initial:
        tape.reserve_state("h", initial["h"], own["h"].dtype)
    for t in range(own.T):
        tape.t = t
        for name in at_every_step:
            tape.tap(name, own[name][t])
    for name in own:
        if name not in at_every_step:
            tape.tap_all(name, own[name])


def test_a_pass_that_goes_on_with_its_own_values_is_told_so():
    with pytest.raises(ValueError, match=r"^The pass computes a, o, grad_h, grad_W, grad_V from values of its own"):
        verify(RNN, autodiff("rnn"), examples=4, manual=own_all)


def test_half_of_it_is_told_by_the_half():
    with pytest.raises(ValueError, match=r"computes a, o from values of its own.*check_backward"):
        check_that_it_goes_on(RNN, own_forward)


@pytest.mark.parametrize("order", FUSED)
@pytest.mark.parametrize("cell", cells.names())
def test_a_pass_in_another_form_goes_on(cell, order):
    check_that_it_goes_on(cells.get(cell), FUSED[order])


@pytest.mark.parametrize("form", RIGHT_FORMS | RIGHT_FORMS_OF_OTHERS)
def test_whatever_the_cell(form):
    check_that_it_goes_on((RIGHT_FORMS | RIGHT_FORMS_OF_OTHERS)[form], FUSED["term by term"])


def test_a_term_that_is_missing_is_a_mistake_and_not_this():
    """Without W h(t−1) nothing of the step before is in a; without the carry nothing of the next step in ∇h."""

    def without_W(cell, params, *arguments, **options):
        return forward_and_backward(cell, params | {"W": 0 * params["W"]}, *arguments, **options)

    check_that_it_goes_on(RNN, without_W)
    assert not verify(RNN, autodiff("rnn"), examples=2, manual=without_W).agree


def test_a_pass_that_raises_is_left_to_the_judge():
    def fails(*arguments, **options):
        raise ZeroDivisionError

    check_that_it_goes_on(RNN, fails)
    broken = Cell("broken", lambda node, prev, tap: {"h": np.zeros(3)}, RNN.backward)
    check_that_it_goes_on(broken, FUSED["einsum"])
