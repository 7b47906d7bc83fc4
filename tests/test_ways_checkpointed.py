"""Checkpointed BPTT is plain BPTT to the last bit, but for the order of the sums over steps, for every cell."""

import gc
import tracemalloc
import weakref
from itertools import product

import numpy as np
import pytest

from manual_rnn import cells, ways
from manual_rnn.bptt import go_back, unroll
from manual_rnn.tape import Tape
from manual_rnn.testing.problem import Sizes
from manual_rnn.ways import checkpointed
from manual_rnn.ways.given import Given
from thorough import in_every_run
from way_cases import any_cell, arguments, draw, plain

SIZES = Sizes(11, 2, 3, 4, 3)
SCHEDULES = [{}, {"snapshots": 1}, {"snapshots": 3}, {"block": 4}, {"block": 2, "snapshots": 2}, {"block": 50}]
any_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=str)


def found(name, case, **options):
    return ways.checkpointed_bptt(cells.get(name), **arguments(case, **options))


def blocks(name, case, schedule):
    """The answer, and what is seen of each block, the last block first."""
    seen = []
    answer = found(name, case, **schedule, seen=lambda *block: seen.append(block))
    return answer, seen


@any_cell
@any_schedule
@pytest.mark.parametrize("dense", [False, True])
def test_states_nodes_and_their_gradients_are_the_same_to_the_last_bit(name, schedule, dense):
    case = draw(name, sizes=SIZES, dense=dense)
    cell, truth = cells.get(name), plain(name, case)
    answer, seen = blocks(name, case, schedule)
    steps = [t for rows, _, _ in reversed(seen) for t in range(rows.start, rows.stop)]
    assert steps == list(range(SIZES.T))
    made = {w.name for w in cell.weights}
    for rows, tape, grads in seen:
        assert set(tape) == {*truth.tape} - made
        for node in tape:
            np.testing.assert_array_equal(tape[node], truth.tape[node][rows], err_msg=node)
        for node in set(tape) - {"loss"}:
            np.testing.assert_array_equal(grads[node], truth.node_gradients[node][rows], err_msg=node)
    for exact in [f"{state}0" for state in cell.states] + ["x"]:
        np.testing.assert_array_equal(answer.gradients[exact], truth.gradients[exact], err_msg=exact)
    for state in cell.states:
        np.testing.assert_array_equal(answer.state[state], truth.state[state])


def in_blocks(cell, case, blocks):
    """Plain BPTT with all in memory, its sums over steps taken block by block, the last block first."""
    of = {"loss": case.spec.loss, "initial": case.initial, "reduction": "sum", "weights": case.weights}
    given = Given.of(cell, case.params, case.x, case.y, **of)
    tapes, state = [], case.initial
    for rows in blocks:
        tapes.append(Tape(rows.stop - rows.start))
        state = unroll(given.cell, given.params, case.x[rows], state, tapes[-1])
    sums, after = given.zeros(inputs=True), None
    for rows, tape in reversed(list(zip(blocks, tapes, strict=True))):
        grads = Tape(tape.T)
        _, from_readout = given.read_out(tape, grads, rows)
        go_back(given.cell, given.params, case.x[rows], tape, from_readout, grads, inputs=True, after=after)
        given.add(sums, grads, rows)
        after = {name: grads[f"{name}0"] for name in cell.states}
    return given.answer(np.zeros(()), sums, state).gradients


@any_cell
@any_schedule
@pytest.mark.parametrize("dense", [False, True])
def test_gradients_of_parameters_are_the_same_to_the_last_bit_in_the_same_blocks(name, schedule, dense):
    case = draw(name, sizes=SIZES, dense=dense)
    cell, truth = cells.get(name), plain(name, case)
    answer, seen = blocks(name, case, schedule)
    assert list(answer.gradients) == list(truth.gradients)
    sums = in_blocks(cell, case, [rows for rows, _, _ in reversed(seen)])
    assert set(sums) == set(truth.gradients)
    for parameter, gradient in sums.items():
        np.testing.assert_array_equal(answer.gradients[parameter], gradient, err_msg=parameter)


@any_cell
@any_schedule
def test_they_are_within_the_rounding_of_a_sum_of_that_of_a_single_product(name, schedule):
    """Two sums of n products, in any order, lie at most 2 n ε Σ |∇a| |h| apart."""
    case = draw(name, sizes=SIZES)
    cell, truth, answer = cells.get(name), plain(name, case), found(name, case, **schedule)
    n, eps = SIZES.T * SIZES.B, np.finfo(np.float64).eps
    for m in cell.maps:
        grad_a = np.abs(truth.node_gradients[cell.full(m.node)])
        budgets = {m.b: grad_a.sum(axis=(0, 1))} if m.b else {}
        budgets |= {m.U: np.einsum("tbi,tbj->ij", grad_a, np.abs(case.x))} if m.U else {}
        for term in m.terms:
            of = np.abs(truth.tape[cell.full(term.of)] if term.now else truth.tape.previous(cell.full(term.of)))
            budgets[term.weight] = np.einsum("tbi,tbi->i" if term.diagonal else "tbi,tbj->ij", grad_a, of)
        for parameter, magnitude in budgets.items():
            if parameter in answer.gradients:  # a weight that is made has its parameter's gradient in its place
                off = np.abs(answer.gradients[parameter] - truth.gradients[parameter])
                assert (off <= 2 * n * eps * magnitude).all(), parameter
    assert abs(answer.loss - truth.loss) <= 2 * n * eps * np.abs(truth.tape["loss"]).sum()
    for w in cell.weights:
        near = np.abs(truth.gradients[w.of]).max()
        assert np.abs(answer.gradients[w.of] - truth.gradients[w.of]).max() <= 1e-13 * near


@any_cell
def test_one_block_is_plain_bptt_to_the_last_bit(name):
    case = draw(name, sizes=SIZES, dense=False)
    answer, truth = found(name, case, block=SIZES.T), plain(name, case)
    assert answer.loss == truth.loss
    for gradient, array in truth.gradients.items():
        np.testing.assert_array_equal(answer.gradients[gradient], array, err_msg=gradient)


@pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble"])
def test_every_dtype_stays_what_it_is(dtype):
    case = draw("lstm", sizes=SIZES).astype(dtype)
    answer = found("lstm", case, snapshots=3)
    arrays = [*answer.gradients.values(), *answer.state.values()]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}
    assert "x" not in found("lstm", case, inputs=False).gradients


@pytest.mark.parametrize(("options", "sentence"), [
    ({"block": 0}, r"block is 0; expected a whole number of at least 1, the steps that are gone back"),
    ({"snapshots": 0}, r"snapshots is 0; expected a whole number of at least 1, the states that may be kept"),
    ({"block": 2.5}, r"block is 2\.5; expected a whole number"),
])  # fmt: skip
def test_counts_that_make_no_sense_are_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        found("rnn", draw("rnn"), **options)


def test_a_block_is_forgotten_as_soon_as_it_is_done():
    """Without the garbage collector's help: a reference cycle would keep tapes until it happens to run."""
    tapes, alive = [], []

    def seen(rows, tape, grads):
        alive.append(sum(ref() is not None for ref in tapes))
        tapes.extend([weakref.ref(tape), weakref.ref(grads)])

    gc.disable()
    try:
        found("lstm_peephole", draw("lstm_peephole", sizes=SIZES), seen=seen)
    finally:
        gc.enable()
    assert alive == [0, 0, 0]


BOUNDED = [{}, {"block": 10, "snapshots": 5}, {"block": 25, "snapshots": 3}]


@pytest.mark.parametrize(("name", "schedule"), in_every_run(
    [*(("rnn", schedule) for schedule in BOUNDED), ("lstm_peephole", {})],
    product(["rnn", "lstm_peephole", "gru"], BOUNDED),
), ids=str)  # fmt: skip
def test_peak_memory_is_that_of_the_kept_states_and_one_block(name, schedule):
    """A quarter over what the shapes say, for what is counted neither here nor there."""
    sizes = Sizes(900, 2, 3, 32, 3)
    case, cell = draw(name, sizes=sizes), cells.get(name)
    tape = plain(name, case).tape
    of_step = sum(tape[node][0].nbytes for node in tape if cell.own(node) is not None)
    block = schedule.get("block", 30)
    kept = schedule.get("snapshots", 30) * sum(tape[cell.full(state)][0].nbytes for state in cell.states)
    outside = 8 * np.prod(case.x.shape) + sum(array.nbytes for array in case.params.values()) * 8
    tracemalloc.start()
    found(name, case, **schedule)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    formula = kept + 3 * block * of_step + outside
    assert peak <= 1.25 * formula + 100_000
    assert peak <= sum(tape[node].nbytes for node in tape) / 2  # and plain BPTT has the gradients besides


# Planted mistakes: each of what a checkpoint can get wrong makes another gradient


def test_what_comes_from_the_blocks_after_matters(monkeypatch):
    """A block that starts with nothing from above is truncated BPTT."""
    case = draw("lstm_peephole", sizes=SIZES)
    truth = plain("lstm_peephole", case).gradients
    right = checkpointed._there_and_back

    def forgets(given, rows, state, after, *rest, **options):
        kept = None if after is None else {**after, "c": np.zeros_like(after["c"])}
        return right(given, rows, state, kept, *rest, **options)

    monkeypatch.setattr(checkpointed, "_there_and_back", forgets)
    wrong = found("lstm_peephole", case).gradients
    assert np.abs(wrong["W_f"] - truth["W_f"]).max() > 1e-3 * np.abs(truth["W_f"]).max()


def test_a_state_one_block_too_old_matters(monkeypatch):
    case = draw("rnn", sizes=SIZES)
    truth = plain("rnn", case).gradients
    monkeypatch.setattr(checkpointed, "_run", lambda given, rows, state: state)
    wrong = found("rnn", case).gradients
    assert np.abs(wrong["W"] - truth["W"]).max() > 1e-3 * np.abs(truth["W"]).max()
