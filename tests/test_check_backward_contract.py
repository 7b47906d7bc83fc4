"""What is no gradient at all, and arguments that make no sense: one sentence each, and the checker lives."""

import re
import time

import numpy as np
import pytest

from cs231n import broken, check, cs231n, outcome
from manual_rnn.testing import Layout, Target, check_target
from reference import autodiff


def raises(grads, dh, arrays):
    raise RuntimeError("singular kernel")


def exits(grads, dh, arrays):
    raise SystemExit(3)


def overwrites(grads, dh, arrays):
    dh *= 0
    return grads


def nan(grads, dh, arrays):
    grads["Wh"][0, 0] = np.nan
    return grads


STATE = np.random.default_rng(0)
KEPT = {"last": 0.0}


def random(grads, dh, arrays):
    return {**grads, "b": grads["b"] * (1 + 1e-6 * STATE.standard_normal())}


def keeps_state(grads, dh, arrays):
    b, KEPT["last"] = grads["b"] + KEPT["last"], 1e-3 * float(arrays["x"].sum()) * (arrays["x"].shape[1] != 1)
    return {**grads, "b": b}


@pytest.mark.parametrize(("change", "name", "words"), [
    (raises, "runs", "raised RuntimeError: singular kernel"),
    (exits, "runs", "called sys.exit()"),
    (lambda g, dh, a: None, "runs", "backward returned None"),
    (lambda g, dh, a: tuple(g.values()), "runs", "as in dict(Wx=dWx"),
    (lambda g, dh, a: {**g, "b": object()}, "runs", "the gradient of b is of the type object"),
    (overwrites, "inputs untouched", "writes into dh"),
    (random, "same again", "two calls with the same arrays give other gradients of b"),
    (lambda g, dh, a: {**g, "dWwrong": g["Wh"]}, "names", "returns dWwrong, the gradient of nothing"),
    (lambda g, dh, a: {n: v for n, v in g.items() if n != "Wh"}, "grad_Wh", "does not return it"),
    (lambda g, dh, a: {**g, "b": g["b"][:1]}, "grad_b", "has the shape (1,), expected (4,)"),
    (nan, "finite", "grad_Wh has 1 of 16 numbers that are NaN"),
    (lambda g, dh, a: {n: v.astype(np.float32) for n, v in g.items()}, "float64", "are float32"),
    (lambda g, dh, a: {n: v.astype(np.float32).astype(float) for n, v in g.items()}, "float64", "seven digits of"),
])  # fmt: skip
def test_what_is_wrong_with_the_function_itself_is_said(change, name, words):
    report = check(broken(change), regimes=["ordinary"])
    assert not report.agree
    found = outcome(report, name)
    assert found.outcome == "wrong"
    assert words in found.message
    assert words in str(report)


def test_the_users_own_traceback_stands_below():
    report = check(broken(raises), regimes=["ordinary"])
    assert "in raises" in str(report)
    assert "calling.py" not in str(report)


def test_state_kept_between_calls_is_said():
    KEPT["last"] = 0.0
    report = check(broken(keeps_state), regimes=["ordinary", "long"])
    assert "state is kept between calls" in outcome(report, "same again").message


def into_buffers(buffers, add):
    """Code with arrays of its own for the gradients, one for each shape."""

    def change(grads, dh, arrays):
        for name, g in grads.items():
            buffer = buffers.setdefault((name, g.shape), np.zeros_like(g))
            buffer[...] = buffer + g if add and name in ("Wx", "Wh", "b") else g
        return {name: buffers[name, g.shape] for name, g in grads.items()}

    return change


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_accumulating_into_what_was_there_is_told_from_a_state(dtype):
    report = check(broken(into_buffers({}, add=True)), regimes=["ordinary"], dtype=dtype)
    message = outcome(report, "same again").message
    assert "each call adds its gradients of Wx, Wh, b to what the call before has left" in message
    assert not report.agree
    assert report.diagnosis == ()  # the derivation may be right: there is no mistake in it to be named


def test_buffers_that_held_something_before_the_first_call_accumulate_all_the_same():
    buffers = {("Wh", (4, 4)): np.full((4, 4), 3.0)}
    report = check(broken(into_buffers(buffers, add=True)), regimes=["ordinary"])
    assert "it accumulates between calls" in outcome(report, "same again").message


def test_a_returned_buffer_that_is_used_again_is_noted_and_judged_as_it_was():
    report = check(broken(into_buffers({}, add=False)), regimes=["ordinary"])
    assert report.agree
    assert any("in the arrays that the call before returned" in note for note in report.notes)
    assert check(cs231n, regimes=["ordinary"]).notes == ()


def test_a_gradient_that_is_a_view_of_an_input_is_noted():
    def backward(*, dh, **arrays):
        return {"h0": dh[:, 0], **{n: g for n, g in cs231n(dh=dh, **arrays).items() if n != "h0"}}

    report = check(backward, regimes=["ordinary"])
    assert any(note.startswith("The gradient of h0 lies in the memory of dh") for note in report.notes)


def test_a_hang_ends_in_a_sentence():
    def backward(**arrays):
        time.sleep(3)

    report = check(backward, time_limit=0.2)
    assert "did not come back within 0.2 seconds" in str(report)
    assert not report.agree


def test_printing_is_noted_and_nothing_reaches_the_screen(capsys):
    def backward(*, dh, **arrays):
        print("step", dh.shape)
        return cs231n(dh=dh, **arrays)

    report = check(backward, regimes=["ordinary"])
    assert report.agree
    assert any("backward prints" in note for note in report.notes)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("options", "words"), [
    ({"against": "rnn"}, "from reference import autodiff"),
    ({"against": 3}, "against is of the type int"),
    ({"loss": "mse"}, "loss is 'mse'; it is one of every, last"),
    ({"dtype": "int8"}, "dtype is 'int8'"),
    ({"regimes": ["odd"]}, "There is no regime odd"),
])  # fmt: skip
def test_an_argument_that_makes_no_sense_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        check(cs231n, **options)
    with pytest.raises(ValueError, match="axes is 'TBN'"):
        Layout(axes="TBN")
    with pytest.raises(ValueError, match="backward is of the type int"):
        check_target(Target(backward=3, against=autodiff("rnn")))


@pytest.mark.parametrize(("options", "words"), [
    ({"seed": -1}, "seed is -1"),
    ({"time_limit": 0}, "time_limit is 0"),
    ({"regimes": ()}, "regimes is empty; the regimes are ordinary"),
    ({"truncation": 1.5}, "truncation is 1.5; it is a whole number of steps"),
    ({"truncation": "3"}, "truncation is '3'; it is a whole number of steps"),
    ({"truncation": True}, "truncation is True; it is a whole number of steps"),
    ({"cases": [{"x": 1.0}]}, "x of case 0 has the shape ()"),
    ({"layout": Layout(axes="BT", names={"Wx": "U", "Wh": "Q"})}, "says that Wh is 'Q'; our arrays are U, W, b"),
    ({"layout": Layout(axes="BT", without=("h",))}, "Layout(without=...) has 'h'; our arrays are"),
])  # fmt: skip
def test_an_argument_that_makes_no_sense_is_refused_in_a_sentence(options, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        check(cs231n, **options)


def test_names_that_are_no_mapping_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="names is of the type list"):
        Layout(names=["Wx"])


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def raises_without_a_text(**arrays):
    raise Speechless


@pytest.mark.parametrize(("backward", "name", "words"), [
    (lambda **a: {n: g.astype(object) for n, g in cs231n(**a).items()}, "runs", "is an array of object; expected an"),
    (lambda **a: {n: g.astype(int) for n, g in cs231n(**a).items()}, "float64", "are whole numbers"),
    (lambda **a: cs231n(**a) | {"dWx": a["Wx"]}, "runs", "returned the gradient of Wx under two names"),
    (lambda dout, cache: None, "runs", "it is handed Wx, Wh, b, h0, x, dh, by keyword"),
    (raises_without_a_text, "runs", "raised Speechless"),
])  # fmt: skip
def test_what_a_backward_does_with_its_contract_is_said_as_it_is(backward, name, words):
    assert words in outcome(check(backward, regimes=["ordinary"]), name).message
