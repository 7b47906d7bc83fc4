"""PyTorch's nn.RNN, nn.LSTM and nn.GRU beside ours: every state, and every gradient, where torch is installed."""

import numpy as np
import pytest

from manual_rnn import cells
from manual_rnn.gradients import loss_and_gradients
from manual_rnn.network import parameter_shapes
from manual_rnn.weights import from_torch, to_torch

torch = pytest.importorskip("torch")

SIZES = {"n_in": 4, "n_hidden": 5, "n_out": 3}
MODULES = {
    "rnn": lambda: torch.nn.RNN(4, 5),
    "rnn_relu": lambda: torch.nn.RNN(4, 5, nonlinearity="relu"),
    "lstm": lambda: torch.nn.LSTM(4, 5),
    "gru": lambda: torch.nn.GRU(4, 5),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", MODULES)
def test_values_and_gradients_are_pytorchs(name, dtype):
    cell, rng, (T, B) = cells.get(name), np.random.default_rng(3), (7, 3)
    params = {n: rng.standard_normal(s).astype(dtype) * dtype(0.5) for n, s in parameter_shapes(cell, **SIZES).items()}
    x, y = rng.standard_normal((T, B, 4)).astype(dtype), rng.integers(0, 3, (T, B))
    initial = {state: rng.standard_normal((B, 5)).astype(dtype) for state in cell.states}
    ours = loss_and_gradients(cell, params, x, y, initial=initial, inputs=True)

    tensors = {n: torch.from_numpy(a.copy()) for n, a in to_torch(cell, params).items()}
    of_dtype = tensors["decoder.bias"].dtype
    module, decoder = MODULES[name]().to(of_dtype), torch.nn.Linear(5, 3).to(of_dtype)
    module.load_state_dict({n: t for n, t in tensors.items() if not n.startswith("decoder.")})
    decoder.load_state_dict({n.removeprefix("decoder."): t for n, t in tensors.items() if n.startswith("decoder.")})
    their_x = torch.from_numpy(x).requires_grad_()
    theirs = [torch.from_numpy(initial[s][None].copy()).requires_grad_() for s in cell.states]
    h, _ = module(their_x, tuple(theirs) if len(theirs) > 1 else theirs[0])
    loss = torch.nn.functional.cross_entropy(decoder(h).reshape(-1, 3), torch.from_numpy(y.ravel()), reduction="sum")
    loss.backward()

    tolerance = {"rtol": 200 * np.finfo(dtype).eps, "atol": 200 * np.finfo(dtype).eps}
    np.testing.assert_allclose(ours.tape["h"], h.detach().numpy(), **tolerance)
    np.testing.assert_allclose(ours.loss, loss.item(), **tolerance)
    np.testing.assert_allclose(ours.gradients["x"], their_x.grad.numpy(), **tolerance)
    for state, tensor in zip(cell.states, theirs, strict=True):
        np.testing.assert_allclose(ours.gradients[f"{state}0"], tensor.grad.numpy()[0], **tolerance)
    grads = {n: p.grad.numpy() for n, p in module.named_parameters()}
    grads |= {f"decoder.{n}": p.grad.numpy() for n, p in decoder.named_parameters()}
    for tensor_name, gradient in to_torch(cell, ours.gradients, of_gradients=True).items():
        np.testing.assert_allclose(gradient, grads[tensor_name], **tolerance, err_msg=tensor_name)
    assert set(from_torch(cell, to_torch(cell, params))) == set(params)
