"""Backward passes written in PyTorch: arrays from NumPy go in, real tensors come out, nobody has to convert them."""

import numpy as np
import pytest

from cs231n import outcome
from manual_rnn.optimisers import Adam, decay_matrices
from manual_rnn.testing import Layout, check_backward
from reference import autodiff

torch = pytest.importorskip("torch")

KERNEL = Layout(axes="BT", transposed=True, names={"Wx": "U", "Wh": "W"})
OF_NN_RNN = Layout(
    axes="BT", names={"weight_ih_l0": "U", "weight_hh_l0": "W", "bias_ih_l0": "b", "bias_hh_l0": "b"}
)


def check(backward, *, layout=KERNEL, **options):
    return check_backward(backward, against=autodiff("rnn"), loss="random", layout=layout, **options)


def tensors(arrays, **options):
    return {name: torch.from_numpy(array).to(**options) for name, array in arrays.items()}


def kernel(x, h0, Wx, Wh, b, dh, *, slope=lambda h: 1 - h * h, offset=0):
    """h(t) = tanh(x Wx + h Wh + b) on tensors, and its gradients by hand."""
    h = [h0]
    for t in range(x.shape[1]):
        h.append(torch.tanh(x[:, t] @ Wx + h[-1] @ Wh + b))
    dx, dWx, dWh, db, carry = (torch.zeros_like(v) for v in (x, Wx, Wh, b, h0))
    for t in reversed(range(x.shape[1])):
        da = slope(h[t + 1]) * (dh[:, t] + carry)
        dWx += x[:, t].T @ da
        dWh += h[t + offset].T @ da
        db += da.sum(0)
        dx[:, t], carry = da @ Wx.T, da @ Wh.T
    return {"x": dx, "h0": carry, "Wx": dWx, "Wh": dWh, "b": db}


def by_hand(**arrays):
    return kernel(**tensors(arrays))


def by_autograd(*, x, h0, dh, **weights):
    """torch.nn.RNN, its two biases and all, and what torch.autograd leaves in ``grad``."""
    rnn = torch.nn.RNN(x.shape[-1], h0.shape[-1], batch_first=True, dtype=torch.from_numpy(x).dtype)
    rnn.load_state_dict(tensors(weights))
    x, h0 = (torch.from_numpy(array).requires_grad_() for array in (x, h0[None]))
    h, _ = rnn(x, h0)
    h.backward(torch.from_numpy(dh))
    return {"x": x.grad, "h0": h0.grad[0]} | {name: weight.grad for name, weight in rnn.named_parameters()}


def without_the_carry(*, x, h0, dh, **weights):
    """The same a step at a time, with a detach() that should not be there."""
    cell = torch.nn.RNNCell(x.shape[-1], h0.shape[-1], dtype=torch.float64)
    cell.load_state_dict({name.removesuffix("_l0"): w for name, w in tensors(weights).items()})
    x, h0 = (torch.from_numpy(array).requires_grad_() for array in (x, h0))
    h, loss = h0, 0.0
    for t in range(x.shape[1]):
        h = cell(x[:, t], h if t == 0 else h.detach())
        loss = loss + (torch.from_numpy(dh)[:, t] * h).sum()
    loss.backward()
    return {"x": x.grad, "h0": h0.grad} | {f"{name}_l0": weight.grad for name, weight in cell.named_parameters()}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_right_kernel_passes(dtype):
    report = check(by_hand, dtype=dtype)
    assert report.agree
    assert len(report.right) == 5


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_autograd_through_nn_rnn_passes(dtype):
    report = check(by_autograd, layout=OF_NN_RNN, dtype=dtype)
    assert report.agree
    assert len(report.right) == 6


@pytest.mark.parametrize(("mistake", "words"), [
    ({"offset": 1}, "your ∇W is Σ_t ∇a(t) h(t)ᵀ; the derivation has Σ_t ∇a(t) h(t−1)ᵀ. (W is your Wh)"),
    ({"slope": lambda h: 1 + h * h}, "1 + h"),
    ({"slope": torch.ones_like}, "∇h(t)"),
])  # fmt: skip
def test_a_wrong_kernel_fails_and_the_mistake_is_named(mistake, words):
    report = check(lambda **arrays: kernel(**tensors(arrays), **mistake))
    assert "grad_Wh" in report.wrong
    assert words in "\n".join(report.diagnosis)


def test_a_detach_that_should_not_be_there_is_named():
    report = check(without_the_carry, layout=OF_NN_RNN)
    assert not report.agree
    assert "∇a(t+1)" in "\n".join(report.diagnosis)


def with_gradient(g):
    return torch.nn.Parameter(g)


def in_a_graph(g):
    return g * torch.ones((), dtype=g.dtype, requires_grad=True)


def in_a_transposed_view(g):
    return g.movedim(0, -1).contiguous().movedim(-1, 0)


def in_a_strided_view(g):
    room = torch.zeros(*g.shape, 3, dtype=g.dtype)
    room[..., 1] = g
    return room[..., 1]


def negated_lazily(g):
    return torch.complex(torch.zeros_like(g), -g).conj().imag


@pytest.mark.parametrize(
    "lay", [with_gradient, in_a_graph, in_a_transposed_view, in_a_strided_view, negated_lazily]
)
def test_however_a_tensor_lies_it_is_read(lay):
    report = check(lambda **arrays: {name: lay(g) for name, g in by_hand(**arrays).items()}, regimes=["ordinary"])
    assert report.agree, str(report)
    assert len(report.right) == 5


def test_float32_inside_float64_is_said():
    single = check(lambda **arrays: kernel(**tensors(arrays, dtype=torch.float32)), regimes=["ordinary"])
    assert "are float32" in outcome(single, "float64").message

    def and_back(**arrays):
        found = kernel(**tensors(arrays, dtype=torch.float32))
        return {name: g.double() for name, g in found.items()}

    assert "they pass through float32" in outcome(check(and_back, regimes=["ordinary"]), "float64").message


@pytest.mark.parametrize(("change", "words"), [
    (lambda g: g.bfloat16(), "the gradient of Wh is a Tensor of torch.bfloat16"),
    (lambda g: g.to_sparse(), "the gradient of Wh is a Tensor of torch.float64, torch.sparse_coo"),
    (lambda g: g.to("meta"), "the gradient of Wh is a Tensor of torch.float64, on meta"),
    (lambda g: g.to(torch.complex128), "the gradient of Wh is an array of complex128; expected real numbers"),
    (lambda g: g[:, :1], "has the shape (4, 1), expected (4, 4)"),
])  # fmt: skip
def test_a_tensor_that_is_no_gradient_is_told_in_a_sentence(change, words):
    def backward(**arrays):
        found = by_hand(**arrays)
        return {**found, "Wh": change(found["Wh"])}

    report = check(backward, regimes=["ordinary"])
    assert not report.agree
    assert words in str(report)


def test_a_kernel_that_writes_into_the_arrays_through_its_tensors_is_found_out():
    def backward(**arrays):
        given = tensors(arrays)  # from_numpy shares the memory
        found = kernel(**given)
        given["dh"].mul_(2)
        return found

    assert "writes into dh" in outcome(check(backward, regimes=["ordinary"]), "inputs untouched").message


def test_a_grad_that_is_never_set_to_zero_accumulates_between_calls():
    leaves = {}

    def backward(*, dh, **arrays):
        kept = leaves.setdefault(arrays["x"].shape, {n: t.requires_grad_() for n, t in tensors(arrays).items()})
        with torch.no_grad():
            for name, array in arrays.items():
                kept[name].copy_(torch.from_numpy(array))
        state, loss = kept["h0"], 0.0
        for t in range(dh.shape[1]):
            state = torch.tanh(kept["x"][:, t] @ kept["Wx"] + state @ kept["Wh"] + kept["b"])
            loss = loss + (torch.from_numpy(dh)[:, t] * state).sum()
        loss.backward()
        return {name: tensor.grad for name, tensor in kept.items()}

    found = outcome(check(backward, regimes=["ordinary"]), "same again")
    assert found.outcome == "wrong"
    assert "it accumulates between calls" in found.message


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_adam_with_weight_decay_is_adamw(decay):
    rng = np.random.default_rng(0)
    params = {"W": rng.normal(size=(4, 3)), "b": rng.normal(size=4)}
    mine, theirs = {name: p.copy() for name, p in params.items()}, {n: torch.tensor(p) for n, p in params.items()}
    options = {"lr": 0.02, "betas": (0.9, 0.99), "eps": 1e-8}
    groups = [{"params": [theirs["W"]], "weight_decay": decay}, {"params": [theirs["b"]], "weight_decay": 0.0}]
    adam, adamw = Adam(), torch.optim.AdamW(groups, **options)
    for _ in range(30):
        gradients = {name: rng.normal(size=p.shape) + p for name, p in mine.items()}
        decay_matrices(mine, 0.02 * decay)
        adam.update(mine, gradients, 0.02)
        for name, tensor in theirs.items():
            tensor.grad = torch.from_numpy(gradients[name])
        adamw.step()
    for name, tensor in theirs.items():
        np.testing.assert_allclose(mine[name], tensor.numpy(), rtol=1e-12)
