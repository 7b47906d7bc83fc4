"""Stacks of PyTorch's modules beside ours, in both directions, ragged: every state, and every gradient."""

import numpy as np
import pytest

from manual_rnn import cells, loss_and_gradients, stack
from manual_rnn.network import parameter_shapes
from manual_rnn.weights import from_torch, to_torch

torch = pytest.importorskip("torch")

SIZES = {"n_in": 4, "n_hidden": 5, "n_out": 3}
T, B = 7, 3
MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
EXACT = {"rtol": 1e-12, "atol": 1e-13}


def both(name, layers, bidirectional):
    """Our network with its parameters, and PyTorch's module and readout with the same."""
    network = stack(cells.get(name), layers=layers, bidirectional=bidirectional)
    rng = np.random.default_rng(5)
    params = {n: rng.standard_normal(s) * 0.5 for n, s in parameter_shapes(network, **SIZES).items()}
    tensors = {n: torch.from_numpy(a.copy()) for n, a in to_torch(network, params).items()}
    module = MODULES[name](4, 5, num_layers=layers, bidirectional=bidirectional).double()
    decoder = torch.nn.Linear(5 * (1 + bidirectional), 3).double()
    module.load_state_dict({n: t for n, t in tensors.items() if not n.startswith("decoder.")})
    decoder.load_state_dict({n.removeprefix("decoder."): t for n, t in tensors.items() if n.startswith("decoder.")})
    return network, params, module, decoder


def check_gradients(network, ours, module, decoder):
    grads = {n: p.grad.numpy() for n, p in module.named_parameters()}
    grads |= {f"decoder.{n}": p.grad.numpy() for n, p in decoder.named_parameters()}
    found = to_torch(network, ours.gradients, of_gradients=True)
    assert set(found) == set(grads)
    for name, gradient in found.items():
        np.testing.assert_allclose(gradient, grads[name], **EXACT, err_msg=name)


@pytest.mark.parametrize(("layers", "bidirectional"), [(2, False), (1, True), (3, True)])
@pytest.mark.parametrize("name", MODULES)
def test_stacks_are_pytorchs(name, layers, bidirectional):
    network, params, module, decoder = both(name, layers, bidirectional)
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((T, B, 4)), rng.integers(0, 3, (T, B))
    initial = {state: rng.standard_normal((B, 5)) for state in network.states}
    ours = loss_and_gradients(network, params, x, y, initial=initial, inputs=True)

    their_x = torch.from_numpy(x).requires_grad_()
    kinds = network.cells[0].states
    theirs = [
        torch.from_numpy(np.stack([initial[f"{cell.prefix}{kind}"] for cell in network.cells])).requires_grad_()
        for kind in kinds
    ]
    h, last = module(their_x, tuple(theirs) if len(theirs) > 1 else theirs[0])
    loss = torch.nn.functional.cross_entropy(decoder(h).reshape(-1, 3), torch.from_numpy(y.ravel()), reduction="sum")
    loss.backward()

    assert ours.loss == pytest.approx(loss.item(), rel=1e-13)
    np.testing.assert_allclose(ours.gradients["x"], their_x.grad.numpy(), **EXACT)
    for kind, given, end in zip(kinds, theirs, last if len(kinds) > 1 else [last], strict=True):
        for k, cell in enumerate(network.cells):
            np.testing.assert_allclose(ours.gradients[f"{cell.prefix}{kind}0"], given.grad.numpy()[k], **EXACT)
            np.testing.assert_allclose(ours.state[f"{cell.prefix}{kind}"], end[k].detach().numpy(), **EXACT)
    check_gradients(network, ours, module, decoder)
    read = from_torch(network, to_torch(network, params))
    for name_, array in params.items():
        np.testing.assert_array_equal(read[name_], array)


@pytest.mark.parametrize("name", MODULES)
def test_ragged_batches_are_pytorchs_packed_ones(name):
    network, params, module, decoder = both(name, 2, True)
    rng = np.random.default_rng(7)
    x, y, lengths = rng.standard_normal((T, B, 4)), rng.integers(0, 3, (T, B)), np.array([4, 7, 1])
    ours = loss_and_gradients(network, params, x, y, lengths=lengths, inputs=True)

    their_x = torch.from_numpy(x).requires_grad_()
    packed = torch.nn.utils.rnn.pack_padded_sequence(their_x, torch.from_numpy(lengths), enforce_sorted=False)
    h, last = module(packed)
    h, _ = torch.nn.utils.rnn.pad_packed_sequence(h, total_length=T)
    of_step = torch.nn.functional.cross_entropy(decoder(h).movedim(-1, 1), torch.from_numpy(y), reduction="none")
    loss = (of_step * torch.from_numpy(np.arange(T)[:, None] < lengths)).sum()
    loss.backward()

    assert ours.loss == pytest.approx(loss.item(), rel=1e-13)
    np.testing.assert_allclose(ours.gradients["x"], their_x.grad.numpy(), **EXACT)
    for kind, end in zip(network.cells[0].states, last if name == "lstm" else [last], strict=True):
        for k, cell in enumerate(network.cells):
            np.testing.assert_allclose(ours.state[f"{cell.prefix}{kind}"], end[k].detach().numpy(), **EXACT)
    check_gradients(network, ours, module, decoder)
