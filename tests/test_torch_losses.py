"""PyTorch's losses beside ours on the same logits, values and gradients, where torch is installed."""

import numpy as np
import pytest

from manual_rnn import losses

torch = pytest.importorskip("torch")

THEIRS = {
    "squared": lambda o, y: torch.nn.functional.mse_loss(o, y, reduction="none") / 2,
    "bernoulli": lambda o, y: torch.nn.functional.binary_cross_entropy_with_logits(o, y, reduction="none"),
}


@pytest.mark.parametrize("name", THEIRS)
def test_values_and_gradients_are_pytorchs(name):
    rng = np.random.default_rng(5)
    o, y, w = 3 * rng.standard_normal((6, 2, 4)), rng.random((6, 2, 4)), rng.standard_normal((6, 2))
    values, kept = losses.get(name).forward(o, y, w)
    their_o = torch.from_numpy(o).requires_grad_()
    theirs = torch.from_numpy(w) * THEIRS[name](their_o, torch.from_numpy(y)).sum(-1)
    theirs.sum().backward()
    np.testing.assert_allclose(values, theirs.detach().numpy(), rtol=1e-13)
    np.testing.assert_allclose(losses.get(name).backward(kept, y, w), their_o.grad.numpy(), rtol=1e-13, atol=1e-15)
