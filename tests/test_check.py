"""Wrong input gets one sentence that names the array, what it is and what it should be, and no traceback of NumPy's."""

import re

import numpy as np
import pytest

from manual_rnn import Affine, Cell, cells, initialise, loss_and_gradients
from manual_rnn.check import check_over

RNN = cells.get("rnn")
T, B, N_IN, N_HIDDEN, N_OUT = 5, 2, 3, 4, 6
SHAPES = {"U": (4, 3), "W": (4, 4), "b": (4,), "V": (6, 4), "c": (6,)}
X = np.random.default_rng(0).standard_normal((T, B, N_IN))
TOKENS = np.array([[0, 2]] * T)
Y = np.array([[0, 5]] * T)
ONES = np.ones((T, B))
ZEROS = np.zeros((B, N_HIDDEN))


def params(**changed):
    return initialise(RNN, n_in=N_IN, n_hidden=N_HIDDEN, n_out=N_OUT) | changed


def with_entry(array, where, value):
    changed = np.array(array)
    changed[where] = value
    return changed


def refusal(*, cell=RNN, p=None, x=X, y=Y, **options):
    """The sentence that these arguments are refused with."""
    with pytest.raises(ValueError, match=r".") as refused:
        loss_and_gradients(cell, params() if p is None else p, x, y, **options)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_what_fits_is_taken():
    for x in (X, TOKENS, TOKENS.astype(np.uint8), X > 0):
        loss_and_gradients(RNN, params(), x, Y, weights=ONES, initial={"h": ZEROS})


# Parameters


@pytest.mark.parametrize(("name", "shape"), [("W", (4, 5)), ("b", (4, 1)), ("V", (6, 5)), ("c", (4,))])
def test_a_parameter_of_a_wrong_shape_is_named_with_its_shape_and_the_expected_one(name, shape):
    assert refusal(p=params(**{name: np.ones(shape)})) == (
        "The parameters do not fit together (n_in = 3 and n_hidden = 4 from U, n_out = 6 from V): "
        f"{name} has the shape {shape}, expected {SHAPES[name]}."
    )


def test_all_parameters_of_a_wrong_shape_are_named_at_once():
    sentence = refusal(p=params(W=np.ones((4, 3)), b=np.ones((4, 1)), c=np.ones(5)))
    for part in ("W has the shape (4, 3), expected (4, 4)", "b has the shape (4, 1), expected (4,)",
                 "c has the shape (5,), expected (6,)"):  # fmt: skip
        assert part in sentence


@pytest.mark.parametrize(
    ("name", "shape", "meaning"),
    [("U", (3,), "(n_hidden, n_in)"), ("U", (4, 0), "(n_hidden, n_in)"), ("V", (6, 4, 1), "(n_out, n_hidden)"),
     ("V", (0, 4), "(n_out, n_hidden)"), ("V", (), "(n_out, n_hidden)")],
)  # fmt: skip
def test_a_parameter_that_is_no_matrix(name, shape, meaning):
    sentence = refusal(p=params(**{name: np.ones(shape)}))
    assert sentence == f"{name} has the shape {shape}; expected a matrix {meaning}, each at least one."


def test_missing_and_unknown_parameters_are_named():
    given = {name: array for name, array in params().items() if name != "b"} | {"bias": np.zeros(4), 7: np.zeros(1)}
    assert refusal(p=given) == "The cell 'rnn' has the parameters U, W, b, V, c; missing: b; unknown: bias, 7."


def test_one_unknown_parameter_is_enough_and_so_is_one_missing():
    assert "missing: none; unknown: h0" in refusal(p=params(h0=ZEROS))
    assert "missing: c; unknown: none" in refusal(p={name: params()[name] for name in ("U", "W", "b", "V")})


def test_the_names_are_those_that_the_cell_declares():
    own = Cell("own", RNN.forward, RNN.backward, maps=(Affine(W="R", U="K", b="beta"),))
    assert "has the parameters K, R, beta, V, c; missing: K, R, beta; unknown: U, W, b" in refusal(cell=own)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_parameter_that_is_not_finite_is_named_with_the_place(name, value):
    where = tuple(n - 1 for n in SHAPES[name])
    sentence = refusal(p=params(**{name: with_entry(params()[name], where, value)}))
    size = np.prod(SHAPES[name])
    assert sentence == f"{name} is not finite: 1 of {size} entries, the first at {where} is {value}."


def test_mixed_dtypes_are_named_each():
    sentence = refusal(p=params(W=params()["W"].astype(np.float32)))
    assert "must have one dtype" in sentence
    assert "U is float64, W is float32, b is float64, V is float64, c is float64" in sentence


@pytest.mark.parametrize("dtype", [np.int64, bool, object, "U1"])
def test_parameters_that_are_no_floating_point_numbers(dtype):
    sentence = refusal(p=params(W=np.ones((4, 4)).astype(dtype)))
    assert sentence == f"W has the dtype {np.dtype(dtype)}; parameters are floating-point numbers."


# Inputs and targets


@pytest.mark.parametrize("x", [X[0], X[:, :, :2], X[..., None], X[:, 0], TOKENS.astype(float), TOKENS > 0])
def test_dense_inputs_of_a_wrong_shape(x):
    assert refusal(x=x) == (
        f"x has the shape {x.shape} and dtype {x.dtype}; expected dense inputs (T, B, n_in) with n_in = 3, "
        "or integer token ids (T, B)."
    )


@pytest.mark.parametrize("x", [X, TOKENS])
def test_numbers_whose_bytes_are_the_other_way_round_are_the_same_numbers(x):
    """As NumPy reads them from files that were written on another machine."""
    def turned(array):
        return array.astype(array.dtype.newbyteorder(">" if np.little_endian else "<"))

    usual = loss_and_gradients(cells.get("rnn"), params(), x, Y)
    other = {name: turned(array) for name, array in params().items()}
    for given in ((other, x, Y), (params(), turned(x), turned(Y)), (other, turned(x), turned(Y))):
        found = loss_and_gradients(cells.get("rnn"), *given)
        assert found.loss == pytest.approx(usual.loss, rel=1e-12)
        for name, gradient in usual.gradients.items():
            np.testing.assert_allclose(found.gradients[name], gradient, rtol=1e-10, err_msg=name)


@pytest.mark.parametrize("x", [TOKENS[0], X.astype(int), np.array(0)])
def test_tokens_of_a_wrong_shape(x):
    sentence = refusal(x=x)
    assert sentence.startswith("x holds integers, so it is token ids of shape (T, B);")
    assert f"its shape is {x.shape}. Dense inputs are floating-point numbers." in sentence


@pytest.mark.parametrize("empty", [(0, B), (T, 0)])
@pytest.mark.parametrize("last", [(), (N_IN,)])
def test_an_empty_input(empty, last):
    x = np.zeros(empty + last, float if last else int)
    sentence = refusal(x=x, y=np.zeros(empty, int))
    assert sentence == f"x has the shape {x.shape}: at least one step and one sequence are needed."


def test_an_input_that_is_not_finite():
    sentence = refusal(x=with_entry(X, (3, 1, 2), np.nan))
    assert sentence == "x is not finite: 1 of 30 entries, the first at (3, 1, 2) is nan."


@pytest.mark.parametrize("dtype", [object, "U4", "M8[s]"])
def test_an_input_that_is_no_number(dtype):
    x = np.zeros((T, B, N_IN), dtype)
    assert refusal(x=x) == f"x has the dtype {x.dtype}; expected numbers."


@pytest.mark.parametrize("wrong", [-1, 3, 99])
def test_a_token_out_of_range(wrong):
    sentence = refusal(x=with_entry(TOKENS, (2, 1), wrong))
    assert sentence == f"x has the id {wrong} at step 2, sequence 1; ids are in [0, 3), from the 3 columns of U."


@pytest.mark.parametrize("wrong", [-1, 6, 99])
def test_a_target_out_of_range(wrong):
    sentence = refusal(y=with_entry(Y, (4, 0), wrong))
    assert sentence == f"y has the id {wrong} at step 4, sequence 0; ids are in [0, 6), from the 6 rows of V."


@pytest.mark.parametrize(
    "y", [Y.astype(float), Y > 0, Y.T, Y[:, 0], Y[:-1], np.zeros((T, B, N_OUT)), np.zeros((0, B), int)]
)
def test_targets_of_a_wrong_shape_or_dtype(y):
    assert refusal(y=y) == (
        f"y has the shape {y.shape} and dtype {y.dtype}; expected integer target ids of shape (5, 2), as x has."
    )


# Weights, initial state, reduction


@pytest.mark.parametrize("shape", [(T,), (B, T), (T, B, 1), ()])
def test_weights_of_a_wrong_shape(shape):
    sentence = refusal(weights=np.ones(shape))
    assert sentence == f"weights has the shape {shape}; expected (T, B) = (5, 2), as y has."


def test_weights_that_are_no_finite_numbers():
    assert refusal(weights=with_entry(ONES, (1, 1), np.inf)).startswith("weights is not finite: 1 of 10 entries")
    assert refusal(weights=np.full((T, B), "1")) == "weights has the dtype <U1; expected numbers."


def test_the_initial_state():
    assert refusal(initial={}) == "The initial state 'h' is missing; expected (B, n_hidden) = (2, 4)."
    assert refusal(initial={"h": ZEROS[0]}) == "initial['h'] has the shape (4,); expected (B, n_hidden) = (2, 4)."
    assert refusal(initial={"h": ZEROS, "c": ZEROS}) == "initial has c; the states of the cell 'rnn' are h."
    assert "initial['h'] is not finite: 8 of 8" in refusal(initial={"h": ZEROS + np.nan})
    assert refusal(initial=ZEROS) == (
        "initial is of the type ndarray; expected a mapping: each state (B, n_hidden) = (2, 4) by name, h."
    )


def test_the_state_of_a_batch_of_another_size_is_refused():
    """What happens when the last window of a text is narrower."""
    state = loss_and_gradients(RNN, params(), X, Y).state
    sentence = refusal(x=X[:, :1], y=Y[:, :1], initial=state)
    assert sentence == "initial['h'] has the shape (2, 4); expected (B, n_hidden) = (1, 4)."


def test_an_unknown_reduction():
    assert refusal(reduction="avg") == "reduction is 'avg'; it is one of 'sum', 'mean' and 'last'."


# What is no array at all


@pytest.mark.parametrize("given", [[[1.0]], 1.0, None, np.float64(1), np.ma.masked_array([1.0]), "mean"])
def test_what_is_no_plain_array_is_named(given):
    kind = "None" if given is None else f"of the type {type(given).__name__}"
    for name in SHAPES:
        assert refusal(p=params(**{name: given})) == f"{name} is {kind}; expected a plain NumPy array."
    assert refusal(x=given) == f"x is {kind}; expected a plain NumPy array."
    assert refusal(y=given) == f"y is {kind}; expected a plain NumPy array."
    assert refusal(initial={"h": given}) == f"initial['h'] is {kind}; expected a plain NumPy array."
    if given is not None:
        assert refusal(weights=given) == f"weights is {kind}; expected a plain NumPy array."


def test_an_array_of_jax_is_named_before_it_turns_everything_into_arrays_of_jax():
    jax = pytest.importorskip("jax")
    assert re.fullmatch(r"x is of the type \w+; expected a plain NumPy array\.", refusal(x=jax.numpy.asarray(X)))


def test_a_mapped_file_is_a_plain_array(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert loss_and_gradients(RNN, params(), mapped, Y).loss == loss_and_gradients(RNN, params(), X, Y).loss


@pytest.mark.parametrize("given", [[1, 2], None, np.ones((4, 4))])
def test_parameters_that_are_no_mapping(given):
    with pytest.raises(ValueError, match=r"^params is .*; expected a mapping: the parameters by name\.$"):
        loss_and_gradients(RNN, given, X, Y)


def test_the_name_of_a_cell_is_no_cell():
    assert refusal(cell="rnn").startswith("cell is of the type str; expected a Cell, such as cells.get('rnn')")


def test_an_unknown_cell_is_told_with_those_that_exist():
    with pytest.raises(ValueError, match=r"no cell named 'gpt'; the built-in cells are (\w+, )*rnn, "):
        cells.get("gpt")


# One format


def in_float32():
    return {name: array.astype(np.float32) for name, array in params().items()}


@pytest.mark.parametrize(("name", "dtype", "options"), [
    ("x", "float64", {"x": X}),
    ("weights", "float64", {"weights": ONES}),
    ("weights", "int64", {"weights": ONES.astype(np.int64)}),
    ("initial['h']", "float64", {"initial": {"h": ZEROS}}),
])  # fmt: skip
def test_an_array_that_would_make_the_pass_wider_than_its_parameters_is_named(name, dtype, options):
    given = {"x": X.astype(np.float32)} | options
    assert refusal(p=in_float32(), **given) == (
        f"The parameters are float32, and {name} is {dtype}: the pass would be computed in float64. "
        f"Hand in {name}.astype('float32'), or parameters that are as wide."
    )


@pytest.mark.parametrize("x", [X.astype(np.float32), X > 0, TOKENS], ids=["dense", "zeros and ones", "tokens"])
def test_what_is_as_wide_as_the_parameters_or_less_stays_in_their_format(x):
    options = {"weights": ONES.astype(bool), "initial": {"h": ZEROS.astype(np.float16)}}
    result = loss_and_gradients(RNN, in_float32(), x, Y, **options)
    assert {gradient.dtype for gradient in result.gradients.values()} == {np.dtype(np.float32)}
    wide = loss_and_gradients(RNN, params(), X.astype(np.float32), Y, weights=ONES.astype(np.float32))
    assert wide.gradients["W"].dtype == np.float64


@pytest.mark.parametrize("over", ["x", "", 0, {}])
def test_what_is_written_over_is_a_result(over):
    with pytest.raises(ValueError, match=r"^over is of the type \w+; expected the Result of an earlier call"):
        check_over(over)


def test_a_result_and_nothing_may_be_written_over():
    check_over(None)
    check_over(loss_and_gradients(RNN, params(), X, Y, every_node=False))
