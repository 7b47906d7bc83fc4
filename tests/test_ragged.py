"""Sequences of several lengths: what the loss counts, right code in several forms, and the mistakes of masks."""

import types
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from cs231n import GRADIENTS, cs231n
from manual_rnn import cells
from manual_rnn.testing import Layout, Sizes, Target, check_backward, check_hvp, complex_step
from manual_rnn.testing.passes.lengths import mask_of
from manual_rnn.testing.passes.regimes import draw
from manual_rnn.testing.passes.truth import truth_of
from reference import autodiff, autodiff_of, hessian_vector
from test_truncation import cut_every_loss

MASKED = '''
import numpy as np


def softmax(o):
    e = np.exp(o - o.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def forward(x, h0, W, U, b, mask):
    h, proposed = [h0], []
    for t in range(len(x)):
        m = mask[t][:, None]
        proposed.append(np.tanh(x[t] @ U.T + h[-1] @ W.T + b))
        h.append(m * proposed[-1] + (1 - m) * h[-1])  # past its end a sequence keeps its state
    return h, proposed


def way_back(dh, x, h0, W, U, b, mask):
    h, proposed = forward(x, h0, W, U, b, mask)
    g = {"x": np.zeros_like(x), "W": np.zeros_like(W), "U": np.zeros_like(U), "b": np.zeros_like(b)}
    carry = np.zeros_like(h0)
    for t in reversed(range(len(x))):
        m = mask[t][:, None]
        total = dh[t] + carry
        da = m * (1 - proposed[t] ** 2) * total
        g["W"] += da.T @ h[t]
        g["U"] += da.T @ x[t]
        g["b"] += da.sum(axis=0)
        g["x"][t] = da @ U
        carry = da @ W + (1 - m) * total
    return {**g, "h0": carry}


def of_last(*, V, c, y, mask, **a):
    h, _ = forward(mask=mask, **a)
    last = mask.sum(axis=0).astype(int) - 1
    do = softmax(h[-1] @ V.T + c)
    do[np.arange(len(last)), y[last, np.arange(len(last))]] -= 1
    dh = np.zeros((len(y), *h[-1].shape))
    dh[-1] = do @ V  # read at row T - 1, where every sequence has kept its last state
    return {**way_back(dh, mask=mask, **a), "V": do.T @ h[-1], "c": do.sum(axis=0)}


def of_every(*, V, c, y, mask, mean=False, **a):
    h = np.stack(forward(mask=mask, **a)[0][1:])
    do = softmax(h @ V.T + c)
    np.put_along_axis(do, y[..., None], np.take_along_axis(do, y[..., None], -1) - 1, -1)
    do *= mask[..., None]
    if mean:
        do /= mask.sum()
    return {**way_back(do @ V, mask=mask, **a), "V": np.einsum("tbo,tbh->oh", do, h), "c": do.sum(axis=(0, 1))}


def of_mean(**a):
    return of_every(mean=True, **a)


def of_random(*, dh, **a):
    return way_back(dh, **a)
'''
FUNCTIONS = {"last": "of_last", "every": "of_every", "mean": "of_mean", "random": "of_random", "some": "of_random"}


def masked(loss, *changes):
    text = MASKED
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    module = types.ModuleType("masked")
    exec(text, vars(module))
    return getattr(module, FUNCTIONS[loss])


def check(backward, loss, **options):
    return check_backward(backward, **{"against": autodiff("rnn"), "loss": loss, "ragged": "mask"} | options)


@pytest.mark.parametrize("loss", FUNCTIONS)
def test_right_code_agrees(loss):
    report = check(masked(loss), loss)
    assert report.agree
    assert len(report.right) == (7 if loss in ("last", "every", "mean") else 5)


@pytest.mark.parametrize("loss", ["last", "every", "random"])
def test_every_regime_has_padding_that_is_not_zero_and_a_sequence_that_fills_all_rows(loss):
    for regime in ("ordinary", "long", "vanished", "exploding"):
        target = Target(backward=masked(loss), against=autodiff("rnn"), loss=loss, ragged="lengths")
        drawn = draw(target, cells.get("rnn"), regime, Sizes(6, 3, 2, 3, 2), 0)
        lengths = drawn.arrays["lengths"]
        assert lengths.max() == 6
        assert 0 < lengths.min() < 6
        past = mask_of(lengths, 6) == 0
        assert np.abs(drawn.x[past]).min() > 0
        assert not (drawn.upstream[past].any() if loss == "random" else drawn.weights[past].any())


@pytest.mark.parametrize("loss", ["every", "last", "mean", "random"])
def test_the_truth_is_that_of_each_sequence_alone(loss):
    target = Target(backward=masked(loss), against=autodiff("rnn"), loss=loss, ragged="lengths")
    drawn = draw(target, cells.get("rnn"), "ordinary", Sizes(5, 3, 2, 3, 4), 1)
    found = truth_of(target, drawn, None)
    total = {name: np.zeros_like(found[name].value) for name in found}
    for i, length in enumerate(drawn.lengths):
        alone = replace(
            drawn,
            sizes=replace(drawn.sizes, T=int(length), B=1),
            initial={"h": drawn.initial["h"][i : i + 1]},
            x=drawn.x[:length, i : i + 1],
            y=drawn.y[:length, i : i + 1],
            weights=np.ones((length, 1)) / (drawn.lengths.sum() if loss == "mean" else 1),
            upstream=drawn.upstream[:length, i : i + 1] if loss == "random" else None,
            beside={},
        )
        if loss == "last":
            alone.weights[:-1] = 0
        own = truth_of(replace(target, ragged=""), alone, None)
        for name in total:
            rows = {"x": np.s_[:length, i : i + 1], "h0": np.s_[i : i + 1]}.get(name, ...)
            total[name][rows] += own[name].value
    for name, array in total.items():
        np.testing.assert_allclose(found[name].value, array, rtol=1e-12, atol=1e-15)


def test_lengths_in_another_name_and_batch_first():
    def backward(*, dh, seq_len, **arrays):
        valid = np.arange(dh.shape[1]) < seq_len[:, None]
        return cs231n(dh=dh * valid[..., None], **arrays)

    layout = Layout(axes="BT", transposed=True, names={"Wx": "U", "Wh": "W", "seq_len": "lengths"})
    report = check(backward, "random", layout=layout, ragged="lengths")
    assert report.agree
    assert {c.removeprefix("grad_") for c in report.right} == set(GRADIENTS)

    def of_mask(*, dh, valid, **arrays):
        assert valid.shape == dh.shape[:2]
        assert set(np.unique(valid)) <= {0.0, 1.0}
        return cs231n(dh=dh, **arrays)

    layout = Layout(axes="BT", transposed=True, names={"Wx": "U", "Wh": "W", "valid": "mask"})
    assert check(of_mask, "some", layout=layout).agree


DA = "da = m * (1 - proposed[t] ** 2) * total"
CARRY = "carry = da @ W + (1 - m) * total"
BACK_MASK = "        m = mask[t][:, None]\n        total"
EARLY = (BACK_MASK, BACK_MASK.replace("mask[t]", "mask[min(t + 1, len(x) - 1)]"))
LATE = (BACK_MASK, BACK_MASK.replace("mask[t]", "mask[max(t - 1, 0)]"))
UNMASKED = (DA, DA.replace("m * ", ""))
CARRIED = (CARRY, "carry = m * (da @ W) + (1 - m) * total")
LOSS = "do *= mask[..., None]"
TOTAL = "total = dh[t] + carry"
MISTAKES = [
    ("last", "mask is missing on the way back", UNMASKED, (CARRY, "carry = da @ W")),
    ("last", "mask is missing on the way back", (DA, "da = (1 - h[t + 1] ** 2) * total"), (CARRY, "carry = da @ W")),
    ("last", "mask is a step late on the way back", LATE),
    ("last", "mask is a step early on the way back", EARLY),
    ("every", "mask is a step early on the way back", EARLY),
    ("random", "mask is a step early on the way back", EARLY),
    ("last", "Padding leaks into ∇W, ∇U, ∇b and ∇x", UNMASKED, CARRIED),
    ("last", "Padding leaks into ∇W, ∇U and ∇b:", UNMASKED, CARRIED, ("= da @ U", "= m * (da @ U)")),
    ("every", "counts the rows past the end of a sequence", (LOSS, "pass"), UNMASKED, (CARRY, "carry = da @ W"),
     ("m * proposed[-1] + (1 - m) * h[-1]", "proposed[-1]")),
    ("every", "the loss's mask is a step early", (LOSS, "do *= np.concatenate([mask[1:], mask[-1:]])[..., None]")),
    ("mean", "divides by T B", ("do /= mask.sum()", "do /= mask.size")),
    ("mean", "each sequence's own mean", ("do /= mask.sum()", "do /= (mask.sum(axis=0) * len(mask[0]))[:, None]")),
    ("random", "the loss's mask is a step early",
     (TOTAL, "total = dh[t] * mask[min(t + 1, len(x) - 1)][:, None] + carry")),
    ("last", "your ∇W is Σ_t ∇a(t) h(t)ᵀ", ("da.T @ h[t]", "da.T @ h[t + 1]")),
    ("every", "your ∇h has W ∇a(t+1) where", (CARRY, CARRY.replace("da @ W", "da @ W.T"))),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "words", "changes"), [(loss, words, c) for loss, words, *c in MISTAKES],
                         ids=[f"{loss}: {words}" for loss, words, *_ in MISTAKES])  # fmt: skip
def test_a_mistake_fails_and_is_named(loss, words, changes):
    report = check(masked(loss, *changes), loss)
    assert not report.agree
    assert report.wrong
    assert words in report.diagnosis[0]


def test_a_leak_into_one_array_alone_fails():
    report = check(masked("last", ("da.T @ x[t]", "((1 - proposed[t] ** 2) * total).T @ x[t]")), "last")
    assert report.wrong == ["grad_U"]


def loss_in_numpy(x, h0, W, U, b, V, c, y, mask):
    h, total = h0, 0.0
    for t in range(len(x)):
        h = np.tanh(x[t] @ U.T + h @ W.T + b)
        o = h @ V.T + c
        total = total + (mask[t] * (np.log(np.exp(o).sum(axis=1)) - o[np.arange(len(h)), y[t]])).sum()
    return total


def loss_in_jax(x, h0, W, U, b, V, c, y, mask):
    h, total = h0, 0.0
    for t in range(len(x)):
        h = jnp.tanh(x[t] @ U.T + h @ W.T + b)
        o = h @ V.T + c
        total = total + (mask[t] * (jnp.log(jnp.exp(o).sum(axis=1)) - o[jnp.arange(len(h)), y[t]])).sum()
    return total


ORACLES = [complex_step(loss_in_numpy), autodiff_of(loss_in_jax)]
OF_FORWARD = pytest.mark.parametrize("against", ORACLES, ids=["np", "jax"])


@OF_FORWARD
def test_the_truth_may_be_ones_own_forward(against):
    report = check(masked("every"), "every", against=against, regimes=["ordinary"])
    assert report.agree
    assert len(report.right) == 7
    assert report.notes == ()
    wrong = check(masked("every", ("    do *= mask[..., None]\n", "")), "every", against=against, regimes=["ordinary"])
    assert {"grad_V", "grad_c"} <= set(wrong.wrong)


def test_an_upstream_gradient_goes_to_ones_own_masked_forward():
    module = types.ModuleType("masked")
    exec(MASKED, vars(module))

    def forward(**arrays):
        return np.stack(module.forward(**arrays)[0][1:])

    options = {"against": complex_step(forward), "regimes": ["ordinary"]}
    assert check(masked("random"), "random", **options).agree
    assert not check(masked("random", EARLY), "random", **options).agree


def test_declared_truncation_with_ragged_lengths():
    def backward(*, lengths, **arrays):
        return cut_every_loss(3)(**arrays)

    layout = Layout(axes="BT", transposed=True, names={"Wx": "U", "Wh": "W"})
    assert check(backward, "random", layout=layout, ragged="lengths", truncation=3).agree
    assert not check(backward, "random", layout=layout, ragged="lengths", truncation=2).agree


def case(loss="last", lengths=(2, 4), **instead):
    rng = np.random.default_rng(0)
    sizes = {"x": (4, 2, 3), "h0": (2, 5), "W": (5, 5), "U": (5, 3), "b": (5,)}
    arrays = {n: rng.standard_normal(s) for n, s in sizes.items()} | {"mask": mask_of(np.array(lengths), 4)}
    above = {"V": rng.standard_normal((6, 5)), "c": rng.standard_normal(6), "y": rng.integers(0, 6, (4, 2))}
    return arrays | (above if loss == "last" else {"dh": rng.standard_normal((4, 2, 5))}) | instead


def test_a_case_of_ones_own():
    report = check(masked("last"), "last", cases=[case()])
    assert report.agree
    assert report.notes == ()
    full = check(masked("last"), "last", cases=[case(lengths=(4, 4))])
    assert full.agree
    assert any("nothing is masked" in note for note in full.notes)
    with pytest.raises(ValueError, match="Case 0 has no mask"):
        check(masked("last"), "last", cases=[{n: a for n, a in case().items() if n != "mask"}])
    with pytest.raises(ValueError, match="case 0 is not zero past the end"):
        check(masked("random"), "random", cases=[case("random")])


def test_the_smallest_case_still_has_padding():
    report = check(masked("last", (DA, DA.replace("m * ", "")), (CARRY, "carry = da @ W")), "last")
    assert report.smallest.sizes.T == 2
    assert report.smallest.lengths.min() == 1


@pytest.mark.parametrize("options", [
    {"ragged": "masks"},
    {"ragged": "mask", "layout": Layout(axes="columns")},
])  # fmt: skip
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match="it is 'lengths' or 'mask', for a pass over several sequences"):
        check(masked("last"), "last", **options)


def test_a_hessian_vector_product_is_of_one_length():
    target = Target(backward=masked("last"), against=autodiff("rnn"), loss="last", ragged="mask")
    with pytest.raises(ValueError, match="one length"):
        check_hvp(lambda **a: {}, target, against=hessian_vector(autodiff("rnn")))
