"""One step, forward and backward, as CS231n's assignments have them: verdict in under ten lines, mistakes named."""

import types
from inspect import Parameter, Signature
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import strangers
from manual_rnn import cells
from manual_rnn.cell import Derived, Nodes
from manual_rnn.testing import Layout, StepTarget, WrongBackward, check_step, check_step_target, complex_step
from reference import autodiff, autodiff_of
from strangers import lstm_step_backward, lstm_step_forward, rnn_step_backward, rnn_step_forward
from thorough import of_each_kind

CS231N = Layout(transposed=True, names={"Wx": "U", "Wh": "W", "prev_h": "h0"})
WIDE = "4 n_hidden"
LSTM = Layout(
    names={"prev_h": "h0", "prev_c": "c0"},
    shapes={"Wx": ("n_in", WIDE), "Wh": ("n_hidden", WIDE), "b": (WIDE,)},
)


def check(forward=rnn_step_forward, backward=rnn_step_backward, **options):
    options = {"against": autodiff("rnn"), "layout": CS231N} | options
    return check_step(forward, backward, **options)


def check_lstm(forward=lstm_step_forward, backward=lstm_step_backward, **options):
    options = {"against": complex_step(lstm_step_forward), "layout": LSTM} | options
    return check_step(forward, backward, **options)


def outcome(report, name):
    return next(c for c in report.checks if c.name == name)


def test_a_students_step_has_a_verdict_in_under_ten_lines():
    layout = Layout(transposed=True, names={"Wx": "U", "Wh": "W", "prev_h": "h0"})
    report = check_step(rnn_step_forward, rnn_step_backward, against=autodiff("rnn"), layout=layout)
    report.raise_if_wrong()

    assert sorted(report.right) == sorted(f"grad_{n}" for n in ("x", "prev_h", "Wx", "Wh", "b"))
    assert {"next_h", "cache untouched"} <= {c.name for c in report.checks}
    assert str(report).startswith("The step agrees, over 10 cases")
    assert report.as_dict()["agree"] is True


def rnn_step_in_jax(x, prev_h, Wx, Wh, b):
    return jnp.tanh(x @ Wx + prev_h @ Wh + b), None


OF_FORWARD = [complex_step(rnn_step_forward), autodiff_of(rnn_step_in_jax)]


@pytest.mark.parametrize("against", OF_FORWARD, ids=["numpy", "jax"])
def test_the_truth_may_be_ones_own_step_forward(against):
    report = check(against=against)
    assert report.agree
    assert len(report.right) == 5
    assert report.notes == ()


def lstm_step_in_jax(x, prev_h, prev_c, Wx, Wh, b):
    i, f, o, g = jnp.split(x @ Wx + prev_h @ Wh + b, 4, axis=1)
    c = jax.nn.sigmoid(f) * prev_c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


@pytest.mark.parametrize("against", [complex_step(lstm_step_forward), autodiff_of(lstm_step_in_jax)], ids=["np", "jax"])
def test_two_states_have_an_upstream_gradient_each(against):
    report = check_lstm(against=against)
    assert report.agree
    assert len(report.right) == 6
    assert report.notes == ()
    assert report.target.layout.names["dnext_c"] == "grad_c"


def changed(old, new):
    module = types.ModuleType("changed")
    text = Path(strangers.__file__).read_text(encoding="utf-8")
    assert old in text
    exec(text.replace(old, new), vars(module))
    return module


MISTAKES = [
    ("da @ Wh.T, x.T", "da @ Wh, x.T", "has W ∇a(1) where the derivation has Wᵀ ∇a(1). (W is your Wh, h(0) is your"),
    ("da @ Wx.T, da @ Wh.T, x.T", "0 * da @ Wx.T, da @ Wh.T, x.T", "∇x is zero"),
    ("(1 - next_h**2) * dnext_h", "dnext_h", "the derivative of the activation is missing"),
    ("(1 - next_h**2) * dnext_h", "(1 - np.arctanh(next_h)**2) * dnext_h", "a(t) where the derivation has h(t)"),
    ("prev_h.T @ da, da.sum(axis=0)\n\n\ndef rnn_b", "next_h.T @ da, da.sum(axis=0)\n\n\ndef rnn_b", "Σ_t ∇a(t) h(t)ᵀ"),
    ("da.sum(axis=0)\n\n\ndef rnn_b", "da.mean(axis=0)\n\n\ndef rnn_b", "averaged over the batch (factor 1/B)"),
    ("(1 - next_h**2) * dnext_h", "1.000000001 * (1 - next_h**2) * dnext_h", "multiplied by 1.000000001"),
    ("x.T @ da, prev_h.T", "x.T @ dnext_h, prev_h.T", "your ∇U is Σ_t ∇h(t) x(t)ᵀ"),
]


@pytest.mark.parametrize(("right", "wrong", "words"), MISTAKES, ids=lambda text: text)
def test_a_mistake_fails_and_is_named(right, wrong, words):
    report = check(backward=changed(right, wrong).rnn_step_backward)
    assert not report.agree
    assert words in report.diagnosis[0]
    with pytest.raises(WrongBackward, match="The step does NOT agree"):
        report.raise_if_wrong()


def test_the_first_divergence_has_no_time():
    report = check(backward=changed("(1 - next_h**2) * dnext_h", "dnext_h").rnn_step_backward)
    assert "grad_x, in the ordinary case" in report.first_divergence
    assert report.smallest.sizes.T == 1
    scope = {"report": report}
    exec(report.reproduce, scope)
    assert scope["case"].right["Wx"].shape == scope["case"].given["Wx"].shape


LSTM_MISTAKES = {
    "c's own upstream gradient forgotten": ("dc = dnext_c + o *", "dc = 0 * dnext_c + o *"),
    "h's part of ∇c forgotten": ("dc = dnext_c + o * (1 - tanh_c**2) * dnext_h", "dc = dnext_c"),
    "tanh of tanh": ("(1 - tanh_c**2) * dnext_h", "(1 - np.tanh(tanh_c)**2) * dnext_h"),
    "i for g": ("dc * g * i * (1 - i), dc * prev_c", "dc * i * i * (1 - i), dc * prev_c"),
    "c(t) for c(t−1)": ("dc * prev_c * f", "dc * next_c * f"),
    "the carry of c without its gate": ("dc * f, x.T @ da, prev_h.T", "dc, x.T @ da, prev_h.T"),
    "gates exchanged": ("x, prev_h, prev_c, Wx, Wh, i, f, o, g, next_c = cache",
                        "x, prev_h, prev_c, Wx, Wh, f, i, o, g, next_c = cache"),
}  # fmt: skip


@pytest.mark.parametrize("what", LSTM_MISTAKES)
def test_a_mistake_in_an_lstm_step_fails(what):
    report = check_lstm(backward=changed(*LSTM_MISTAKES[what]).lstm_step_backward)
    assert not report.agree
    assert report.wrong
    tiny = check_lstm(backward=changed(*LSTM_MISTAKES[what]).lstm_step_backward, regimes=["vanished"])
    assert tiny.wrong == report.wrong


def leaky(p, prev, x, tap):
    """A step in JAX with two states, both of which the next step sees."""
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    c = tap("c", 0.3 * prev["c"] + jnp.tanh(a))
    return {"c": c, "h": tap("h", jnp.sin(c))}


def test_a_cell_of_two_states_takes_an_upstream_gradient_for_each():
    rng = np.random.default_rng(0)
    shapes = {"W": (3, 3), "U": (3, 2), "b": (3,)}
    params = {n: rng.standard_normal(s) for n, s in shapes.items()}
    initial = {"h": rng.standard_normal((2, 3)), "c": rng.standard_normal((2, 3))}
    x = rng.standard_normal((1, 2, 2))
    above = {"h": rng.standard_normal((1, 2, 3)), "c": rng.standard_normal((1, 2, 3))}

    def step(x, h0, c0, W, U, b):
        c = 0.3 * c0 + np.tanh(x @ U.T + h0 @ W.T + b)
        return np.sin(c), c

    arrays = {**params, "h0": initial["h"], "c0": initial["c"], "x": x[0]}
    right = complex_step(step).gradients(arrays, [above["h"][0], above["c"][0]], list(arrays))
    ((_, found),) = autodiff(leaky)([{"params": params, "initial": initial, "x": x, "upstream": above}])
    for name, estimate in right.items():
        np.testing.assert_allclose(found[name].reshape(estimate.value.shape), estimate.value, rtol=1e-11)


def test_what_comes_from_above_is_tiny_or_huge_in_two_regimes():
    sizes = []

    def backward(dnext_h, dnext_c, cache):
        sizes.extend(np.abs(d).max() for d in (dnext_h, dnext_c))
        return lstm_step_backward(dnext_h, dnext_c, cache)

    assert check_lstm(backward=backward).agree
    assert min(sizes) < 1e-199
    assert max(sizes) > 1e99


@pytest.mark.parametrize("axes", ["T", "columns"])
def test_a_step_without_a_batch(axes):
    def forward(*, x, h_prev, Wxh, Whh, bh):
        h = np.tanh(Wxh @ x + Whh @ h_prev + bh)
        return h, (x, h_prev, Wxh, Whh, h)

    def backward(dh, cache):
        x, h_prev, Wxh, Whh, h = cache
        da = (1 - h * h) * dh
        column = da.reshape(-1, 1)
        return {"Wxh": column @ x.reshape(1, -1), "Whh": column @ h_prev.reshape(1, -1), "bh": da,
                "x": Wxh.T @ da, "h_prev": Whh.T @ da}  # fmt: skip

    layout = Layout(names={"h_prev": "h0", "Wxh": "U", "Whh": "W", "bh": "b"}, axes=axes)
    assert len(check(forward, backward, layout=layout).right) == 5
    wrong = check(forward, lambda dh, cache: backward(0.5 * dh, cache), layout=layout)
    assert len(wrong.wrong) == 5


def test_a_tuple_in_another_order_is_named_with_returns():
    def backward(dnext_h, cache):
        dx, dprev, dWx, dWh, db = rnn_step_backward(dnext_h, cache)
        return dWx, dWh, db, dx, dprev

    said = check(backward=backward).diagnosis[0]
    assert said.startswith("Gradients are right and exchanged: ")
    assert "under x stands that of Wx" in said
    assert check(backward=backward, returns=("Wx", "Wh", "b", "x", "prev_h")).agree


def test_a_forward_that_is_another_function_is_told_from_a_wrong_backward():
    def forward(x, prev_h, Wx, Wh, b):
        next_h = np.tanh(x @ Wx + prev_h @ Wh)  # no bias
        return next_h, (x, prev_h, Wx, Wh, next_h)

    for against in (autodiff("rnn"), autodiff_of(rnn_step_in_jax), complex_step(rnn_step_forward)):
        report = check(forward, against=against)
        assert "forward is another function than the oracle's" in outcome(report, "next_h").message
    only = check(lambda **a: ((n := rnn_step_forward(**a))[0] + 1e-9, n[1]))
    assert only.wrong == []  # the derivative is right
    assert not only.agree


def test_a_cache_that_is_written_to_is_said():
    def backward(dnext_h, cache):
        x, prev_h, Wx, Wh, next_h = cache
        next_h *= next_h
        da = (1 - next_h) * dnext_h
        return da @ Wx.T, da @ Wh.T, x.T @ da, prev_h.T @ da, da.sum(axis=0)

    report = check(backward=backward)
    assert report.wrong == []
    assert "a second backward on the same cache" in outcome(report, "cache untouched").message
    assert not report.agree


def test_a_cache_that_is_used_up_is_said_as_that_and_not_of_forward():
    def forward(**arrays):
        next_h, cache = rnn_step_forward(**arrays)
        return next_h, list(cache)

    def backward(dnext_h, cache):
        next_h = cache.pop()
        return rnn_step_backward(dnext_h, (*cache, next_h))

    found = outcome(check(forward, backward), "cache untouched")
    assert found.message.startswith("a second backward on the same cache raised ValueError")
    assert "Traceback" in found.details
    assert "Traceback" not in found.message


def test_a_forward_that_writes_into_its_arguments_is_no_backward_that_does():
    def forward(x, prev_h, Wx, Wh, b):
        prev_h += 1
        return rnn_step_forward(x, prev_h, Wx, Wh, b)

    assert outcome(check(forward), "inputs untouched").message.startswith("the step writes into prev_h")


def test_an_upstream_gradient_that_is_written_to_is_said():
    def backward(dnext_h, cache):
        dnext_h *= 1 - cache[-1] ** 2
        x, prev_h, Wx, Wh, _ = cache
        return dnext_h @ Wx.T, dnext_h @ Wh.T, x.T @ dnext_h, prev_h.T @ dnext_h, dnext_h.sum(axis=0)

    assert "writes into dnext_h" in outcome(check(backward=backward), "inputs untouched").message


def test_a_transposed_convention_is_not_failed():
    def backward(dnext_h, cache):
        dx, dprev, dWx, dWh, db = rnn_step_backward(dnext_h, cache)
        return dx, dprev, dWx.T, dWh.T, db

    report = check(backward=backward)
    assert report.agree
    assert outcome(report, "grad_Wx").message == "transposed"


@pytest.mark.parametrize(("forward", "backward", "words"), [
    (lambda **a: rnn_step_forward(**a)[0], rnn_step_backward, "returned one ndarray; expected next_h, cache"),
    (rnn_step_forward, lambda d, cache: rnn_step_backward(d, cache)[:4], "returned 4 gradients; expected those of x, "),
    (rnn_step_forward, lambda d, cache: None, "returned one NoneType"),
    (rnn_step_forward, lambda d, cache: 1 / 0, "raised ZeroDivisionError"),
])  # fmt: skip
def test_what_is_wrong_with_the_functions_themselves_is_said(forward, backward, words):
    report = check(forward, backward)
    assert not report.agree
    assert words in outcome(report, "runs").message
    assert "one_step.py" not in str(report)


@pytest.mark.parametrize(("options", "words"), [
    ({"forward": 3}, "forward is of the type int"),
    ({"backward": None}, "backward is of the type NoneType"),
    ({"layout": Layout(transposed=True, names={"Wx": "U", "Wh": "W"})}, "takes prev_h, which none of the arrays"),
    ({"forward": lambda x, prev_h, Wx, Wh: None}, r"does not take b: .* Layout\(without=\('b',\)\)"),
    ({"returns": ("Wx", "dWh")}, "returns has dWh; the arrays are x, prev_h, Wx, Wh, b"),
    ({"against": "rnn"}, "from reference import autodiff"),
    ({"regimes": ["long"]}, "There is no regime long; the regimes are ordinary, vanished, exploding"),
])  # fmt: skip
def test_an_argument_that_makes_no_sense_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        check(**options)


def test_a_step_without_a_bias():
    def forward(x, prev_h, Wx, Wh):
        next_h = np.tanh(x @ Wx + prev_h @ Wh)
        return next_h, (x, prev_h, Wx, Wh, next_h)

    layout = Layout(transposed=True, names=CS231N.names, without=("b",))
    assert check(forward, lambda d, cache: rnn_step_backward(d, cache)[:4], layout=layout).agree


def test_a_case_of_ones_own():
    rng = np.random.default_rng(0)
    sizes = {"x": (2, 3), "prev_h": (2, 5), "Wx": (3, 5), "Wh": (5, 5), "b": (5,), "dnext_h": (2, 5)}
    case = {name: rng.standard_normal(size) for name, size in sizes.items()}
    report = check(cases=[case])
    assert report.agree
    assert report.notes == ()
    assert report.cases == {"given": 1}
    wrong = changed("da @ Wh.T, x.T", "da @ Wh, x.T").rnn_step_backward
    assert check(backward=wrong, cases=[case]).wrong == ["grad_prev_h"]
    blind = check(backward=wrong, cases=[case | {"Wh": np.eye(5)}])
    assert any("W is symmetric" in note for note in blind.notes)


def test_a_case_of_ones_own_with_two_states():
    rng = np.random.default_rng(0)
    sizes = {"x": (2, 3), "prev_h": (2, 5), "prev_c": (2, 5), "Wx": (3, 20), "Wh": (5, 20), "b": (20,),
             "dnext_h": (2, 5), "dnext_c": (2, 5)}  # fmt: skip
    case = {name: rng.standard_normal(size) for name, size in sizes.items()}
    assert check_lstm(cases=[case]).agree
    with pytest.raises(ValueError, match="Case 0 has no dnext_c"):
        check_lstm(cases=[{n: a for n, a in case.items() if n != "dnext_c"}])


def test_a_step_target_is_the_same_check():
    step = StepTarget(forward=rnn_step_forward, backward=rnn_step_backward, against=autodiff("rnn"), layout=CS231N)
    assert str(check_step_target(step, seed=3)) == str(check(seed=3))


@pytest.mark.parametrize(
    "name", of_each_kind(name for name in cells.names() if [m.node for m in cells.get(name).maps] == ["a"])
)
def test_every_built_in_cell_of_one_map_can_be_the_truth(name):
    """A W that is made of A or of Y, too: the step takes what it is made of."""
    cell = cells.get(name)
    (made,) = cell.weights or [Derived(name="W", of="W", forward=np.array, backward=lambda W, _, grad_W: grad_W)]

    def forward(x, h0, U, b, **others):
        of, tape = others[made.of], {}
        W = made.forward(of)
        node = Nodes(a=x @ U.T + h0 @ W.T + b)
        states = cell.forward(node, Nodes(h=h0), tape.setdefault)
        return states["h"], (x, h0, U, of, W, Nodes(a=node.a, **tape))

    forward.__signature__ = Signature(
        [Parameter(argument, Parameter.POSITIONAL_OR_KEYWORD) for argument in ("x", "h0", "U", made.of, "b")]
    )

    def backward(dh, cache):
        x, h0, U, of, W, node = cache
        local = cell.backward(node, Nodes(h=h0), Nodes(h=dh), lambda n, value: value)
        da = local["a"]
        return da @ U, da @ W + local.get("h_prev", 0), da.T @ x, made.backward(of, W, da.T @ h0), da.sum(axis=0)

    report = check(forward, backward, against=autodiff(name), layout=Layout())
    assert report.agree, str(report)
    wrong = check(forward, lambda d, cache: backward(-d, cache), against=autodiff(name), layout=Layout())
    assert len(wrong.wrong) == 5
