"""Many networks at once: the numbers of one by one, and to the last bit the same whichever networks share a batch."""

import numpy as np
import pytest

from manual_rnn import cells, initialise, loss_and_gradients
from manual_rnn.studies import batched

S, T, B, N_IN, N, N_OUT = 7, 9, 3, 5, 6, 4
EPS = np.finfo(float).eps


def networks(name, *, dense=True, batch=B, dtype=float, n_in=N_IN, n=N):
    """S networks of different gains, stacked: (cell, params, x, y, initial)."""
    cell, rng = cells.get(name), np.random.default_rng(1)
    sizes = {"n_in": n_in, "n_hidden": n, "n_out": N_OUT, "dtype": dtype}
    each = [initialise(cell, **sizes, seed=seed, gain=0.5 + 0.2 * seed) for seed in range(S)]
    for params in each:
        params |= {key: value + 0.1 * rng.standard_normal(value.shape).astype(dtype) for key, value in params.items()
                   if value.ndim == 1}  # fmt: skip
    params = {key: np.stack([one[key] for one in each]) for key in each[0]}
    x = rng.standard_normal((S, T, batch, n_in)).astype(dtype) if dense else rng.integers(0, n_in, (S, T, batch))
    initial = {state: 0.3 * rng.standard_normal((S, batch, n)).astype(dtype) for state in cell.states}
    return cell, params, x, rng.integers(0, N_OUT, (S, T, batch)), initial


def some(stacked, which):
    return {name: value[which] for name, value in stacked.items()}


def arrays(results):
    """Everything that there is, under names of its own."""
    return {
        "loss": results.loss,
        **{f"gradient of {name}": value for name, value in results.gradients.items()},
        **{f"node {name}": value for name, value in results.nodes.items()},
        **{f"gradient of node {name}": value for name, value in results.node_gradients.items()},
    }


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("name", cells.names())
def test_the_numbers_are_those_of_one_by_one(name, dense):
    cell, params, x, y, initial = networks(name, dense=dense)
    found = batched.loss_and_gradients(cell, params, x, y, initial=initial)
    for s in range(S):
        alone = loss_and_gradients(cell, some(params, s), x[s], y[s], initial=some(initial, s))
        assert set(found.gradients) == set(alone.gradients)
        expected = {f"gradient of {key}": value for key, value in alone.gradients.items()} | {"loss": alone.loss}
        for key in found.nodes:
            expected[f"node {key}"] = alone.tape[cell.full(key)]
            expected[f"gradient of node {key}"] = alone.node_gradients[cell.full(key)]
        told = some(arrays(found), s)
        for key, value in expected.items():
            # Sums of up to T B + n terms in another order, and T steps of them: some hundreds of roundings at worst.
            assert np.abs(told[key] - value).max() <= 300 * EPS * max(np.abs(value).max(), 1e-3), key


@pytest.mark.parametrize("batch", [1, B, 16])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", cells.names())
def test_a_value_does_not_hang_on_which_networks_share_the_batch(name, dtype, batch):
    cell, params, x, y, initial = networks(name, batch=batch, dtype=dtype)
    together = arrays(batched.loss_and_gradients(cell, params, x, y, initial=initial))
    for which in ([0], [6], [4, 1], [5, 0, 3]):
        few = batched.loss_and_gradients(cell, some(params, which), x[which], y[which], initial=some(initial, which))
        for key, value in arrays(few).items():
            assert value.tobytes() == np.ascontiguousarray(together[key][which]).tobytes(), key


def every_other(array):
    """The same numbers, of every other column of an array twice as wide."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


@pytest.mark.parametrize("lie", [np.asfortranarray, every_other])
@pytest.mark.parametrize("name", cells.names())
def test_nor_on_how_the_arrays_lie_in_memory(name, lie):
    """Of one input or one unit there are products that go one way or another by the steps between the numbers, which
    hang on S in some layouts."""
    for sizes in ({"n_in": 1, "n": 7}, {"n_in": 5, "n": 1}):
        cell, params, x, y, initial = networks(name, batch=8, **sizes)
        plain = arrays(batched.loss_and_gradients(cell, params, x, y, initial=initial))
        params, initial = ({key: lie(value) for key, value in given.items()} for given in (params, initial))
        other = arrays(batched.loss_and_gradients(cell, params, lie(x), lie(y), initial=initial))
        for key, value in plain.items():
            assert value.tobytes() == np.ascontiguousarray(other[key]).tobytes(), key


@pytest.mark.parametrize("loss", ["squared", "bernoulli"])
def test_other_losses_and_reductions(loss):
    cell, params, x, _, _ = networks("rnn")
    y = np.random.default_rng(0).uniform(0, 1, (S, T, B, N_OUT))
    for reduction in ("last", "mean"):
        found = batched.loss_and_gradients(cell, params, x, y, loss=loss, reduction=reduction)
        alone = loss_and_gradients(cell, some(params, 2), x[2], y[2], loss=loss, reduction=reduction)
        assert found.loss[2] == pytest.approx(alone.loss, rel=1e-13)
        np.testing.assert_allclose(found.gradients["W"][2], alone.gradients["W"], rtol=1e-10, atol=0)


def test_what_does_not_fit_is_told():
    cell, params, x, y, initial = networks("rnn")
    wrong = [
        ((params, x[:3], y), r"x has the shape \(3, 9, 3, 5\), but y is of 7 networks"),
        (({**params, "W": params["W"][0]}, x, y), r"W has the shape \(6, 6\), but y is of 7 networks"),
        (({**params, "W": params["W"][:, :, :5]}, x, y), "W"),
        (({**params, "b": np.where(np.arange(S)[:, None] == 4, np.nan, params["b"])}, x, y), "b"),
        ((params, x, y + 9), "y"),
    ]
    for arguments, sentence in wrong:
        with pytest.raises(ValueError, match=sentence):
            batched.loss_and_gradients(cell, *arguments)
    with pytest.raises(ValueError, match="h has the shape"):
        batched.loss_and_gradients(cell, params, x, y, initial=some(initial, 0))
