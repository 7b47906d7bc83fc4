"""The walk in place: the cell's own code to the last bit, and no array is allocated while time runs."""

import dataclasses
import tracemalloc

import numpy as np
import pytest

from manual_rnn import cells, in_place, initialise, loss_and_gradients, program
from manual_rnn.gates import gates
from manual_rnn.gradients import forward_and_backward
from manual_rnn.tape import Tape
from other_forms import RIGHT_FORMS, with_forward
from thorough import cells_of_each_kind

SIZES = {"rows": (6, 5, 7, 40), "in blocks": (4, 3, 5, 96), "smallest": (1, 1, 2, 1), "one row": (7, 1, 3, 24)}
any_cell = pytest.mark.parametrize("cell", [cells.get(name) for name in cells.names()], ids=lambda cell: cell.name)


class Watching(Tape):
    """A tape of another type: the cell's own code is run."""


def problem(cell, sizes=SIZES["rows"], dtype=np.float32, tokens=True):
    T, B, n, H = sizes
    rng = np.random.default_rng(1)
    params = initialise(cell, n_in=n, n_hidden=H, n_out=n, dtype=dtype)
    params = {name: (theta + 0.1 * rng.standard_normal(theta.shape)).astype(dtype) for name, theta in params.items()}
    x = rng.integers(0, n, (T, B)) if tokens else rng.standard_normal((T, B, n)).astype(dtype)
    initial = {name: rng.standard_normal((B, H)).astype(dtype) for name in cell.states}
    return params, x, rng.integers(0, n, (T, B)), initial


def passed(cell, tape_type, params, x, y, initial):
    tape, grads = tape_type(len(x)), tape_type(len(x))
    weights = np.ones(y.shape, x.dtype if x.ndim == 3 else next(iter(params.values())).dtype)
    state = forward_and_backward(cell, params, x, y, weights, initial, inputs=True, tape=tape, grads=grads)
    return state, tape, grads


def assert_same(ours, theirs):
    for mine, other in zip(ours, theirs, strict=True):
        assert set(mine) == set(other)
        for name in other:
            np.testing.assert_array_equal(mine[name], other[name], err_msg=name, strict=True)


@any_cell
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("tokens", [True, False])
def test_it_is_the_cells_own_code_to_the_last_bit(cell, dtype, sizes, tokens):
    given = problem(cell, sizes, dtype, tokens)
    assert_same(passed(cell, Tape, *given), passed(cell, Watching, *given))


@any_cell
def test_every_built_in_cell_is_run_in_place(cell, monkeypatch):
    def tapped(self, name, value):
        raise AssertionError(f"{name} is tapped step by step")

    monkeypatch.setattr(Tape, "tap", tapped)
    passed(cell, Tape, *problem(cell))


@pytest.mark.parametrize("form", RIGHT_FORMS)
def test_code_in_any_form_gives_what_it_computes(form):
    given = problem(RIGHT_FORMS[form])
    assert_same(passed(RIGHT_FORMS[form], Tape, *given), passed(RIGHT_FORMS[form], Watching, *given))


def test_a_scalar_that_decides_the_dtype_is_not_taken_for_a_number():
    forms = (
        lambda a: np.tanh(a * np.float64(1 / 3)).astype(a.dtype),
        lambda a: np.tanh(a * np.float64(1 / 3)),
    )
    for strange in map(with_forward, forms):
        given = problem(strange)
        assert_same(passed(strange, Tape, *given), passed(strange, Watching, *given))


def too_early(node, prev, grad, tap):
    """The way back of an LSTM with peepholes, ∇c read before the peephole's map has handed back its part."""
    of_next = grad.c
    tap("o", grad.h * node.s)
    a_o = tap("a_o", grad.h * node.s * (node.o * (1 - node.o)))
    grad_c = tap("c", grad.h * node.o * (1 - node.s * node.s) + of_next)
    a_i = tap("a_i", grad_c * node.g * (node.i * (1 - node.i)))
    a_f = tap("a_f", grad_c * prev.c * (node.f * (1 - node.f)))
    a_g = tap("a_g", grad_c * node.i * (1 - node.g * node.g))
    return {"a_i": a_i, "a_f": a_f, "a_g": a_g, "a_o": a_o, "c_prev": grad_c * node.f}


def test_what_has_not_come_yet_when_the_code_reads_it_is_not_added():
    """A mistake stays the mistake that it is."""
    peephole = cells.get("lstm_peephole")
    cell = dataclasses.replace(peephole, backward=too_early)
    given = problem(cell)
    ours = passed(cell, Tape, *given)
    assert_same(ours, passed(cell, Watching, *given))
    right = passed(peephole, Tape, *given)
    assert (ours[2]["cell.c"] != right[2]["cell.c"]).any()


@any_cell
@pytest.mark.parametrize("tokens", [True, False])
def test_a_lean_pass_over_the_memory_of_one_before_gives_the_same(cell, tokens):
    params, x, y, initial = problem(cell, tokens=tokens)
    whole = loss_and_gradients(cell, params, x, y, initial=initial, inputs=True)
    lean = loss_and_gradients(cell, params, x, y, inputs=True, every_node=False)
    state = {name: array.copy() for name, array in lean.state.items()}
    before = {name: array.copy() for name, array in lean.gradients.items()}
    again = loss_and_gradients(cell, params, x, y, initial=initial, inputs=True, every_node=False, over=lean)
    assert again.loss == whole.loss
    assert_same((again.gradients, again.state), (whole.gradients, whole.state))
    assert_same((lean.state,), (state,))  # is not on the tape
    # Of the result that was written over, the gradients stay.
    assert_same((lean.gradients,), (before,))


@any_cell
@pytest.mark.parametrize("lean", [True, False])
@pytest.mark.parametrize("tokens", [True, False])
def test_what_is_used_again_is_the_memory_and_not_the_numbers(cell, lean, tokens):
    """A pass after one of another length, with other parameters, other inputs: all that it gives is of its own."""
    over = None
    for round_, sizes in enumerate([SIZES["rows"], SIZES["rows"], SIZES["one row"], SIZES["rows"], SIZES["rows"]]):
        params, x, y, initial = problem(cell, sizes, tokens=tokens)
        params = {name: theta * np.float32(1 + round_ / 8) for name, theta in params.items()}
        given = (cell, params, np.roll(x, round_, axis=0), np.roll(y, round_, axis=0))
        fresh = loss_and_gradients(*given, initial=initial, inputs=True, every_node=not lean)
        over = loss_and_gradients(*given, initial=initial, inputs=True, every_node=not lean, over=over)
        assert over.loss == fresh.loss
        assert_same((over.gradients, over.state, over.tape, over.node_gradients),
                    (fresh.gradients, fresh.state, fresh.tape, fresh.node_gradients))  # fmt: skip


def test_code_that_another_pass_runs_otherwise_is_not_asked_again():
    """What over= takes for granted: a cell's code is a function of what it is handed, and of nothing else."""
    scale = [1.0]
    cell = with_forward(lambda a: np.tanh(a) * scale[0])
    params, x, y, _ = problem(cell)
    first = loss_and_gradients(cell, params, x, y)
    second = loss_and_gradients(cell, params, x, y, over=first)
    scale[0] = 0.5
    assert loss_and_gradients(cell, params, x, y).loss != first.loss
    assert loss_and_gradients(cell, params, x, y, over=second).loss == first.loss


def test_gates_are_computed_at_once(monkeypatch):
    calls = []

    def seen(steps):
        calls.append([function for function, _ in steps])
        program.run(steps)

    monkeypatch.setattr(in_place, "run", seen)
    for name, times in {"lstm": 1, "gru": 1, "gru_reset_before": 1, "lstm_peephole": 2, "minimal_rnn": 1}.items():
        cell = cells.get(name)
        calls.clear()
        passed(cell, Tape, *problem(cell))
        assert calls[0].count(np.exp) == times, name


def test_gates_that_are_not_alike_are_computed_each_on_its_own():
    lstm = cells.get("lstm")

    def steeper(node, prev, tap):
        def tap_steeper(name, value):
            return tap(name, value * value if name == "f" else value)

        return lstm.forward(node, prev, tap_steeper)

    cell = dataclasses.replace(lstm, forward=steeper)
    assert [[gate for gate, _ in alike] for alike in gates(cell)] == [["i", "o"]]
    given = problem(cell)
    assert_same(passed(cell, Tape, *given), passed(cell, Watching, *given))


def test_a_lean_pass_keeps_less():
    lstm = cells.get("lstm")
    params, x, y, _ = problem(lstm)
    whole = loss_and_gradients(lstm, params, x, y)
    lean = loss_and_gradients(lstm, params, x, y, every_node=False)
    assert set(whole.tape) - set(lean.tape) == {"a_i", "a_f", "a_g", "a_o"}
    assert set(whole.node_gradients) - set(lean.node_gradients) == {"i", "f", "g", "cell.o", "cell.c", "s", "h"}


@pytest.mark.parametrize("cell", cells_of_each_kind())
def test_no_array_of_a_states_size_is_allocated_while_time_runs(cell, monkeypatch):
    """What NumPy takes is its own: a buffer of np.getbufsize() elements for an operand whose rows are apart."""
    T, B, n, H = 3, 64, 5, 512
    peaks = []

    def traced(steps):
        tracemalloc.start()
        program.run(steps)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    monkeypatch.setattr(in_place, "run", traced)
    params, x, y, _ = problem(cell, (T, B, n, H))
    loss_and_gradients(cell, params, x, y, every_node=False)
    assert len(peaks) == 2
    assert max(peaks) < B * H * 4
