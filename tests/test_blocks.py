"""Products in blocks are the products: each number is a sum of the same terms."""

import numpy as np
import pytest

from manual_rnn import blocks, cells, initialise
from manual_rnn.maps import Maps


@pytest.fixture(params=[True, False], ids=["small products are quick", "they are not"])
def quick(request, monkeypatch):
    monkeypatch.setattr(blocks, "_small_products_are_quick", lambda: request.param)
    return request.param


@pytest.mark.parametrize(("B", "n", "width"), [(3, 96, 32), (3, 128, 64), (3, 256, 32), (16, 1024, 32), (3, 40, 40),
                                               (2000, 64, 64), (1, 96, 96)])  # fmt: skip
def test_a_block_is_as_wide_as_makes_its_product_small(B, n, width, quick):
    found = blocks.in_blocks(np.zeros((2, n, n), np.float32), B)
    width = width if quick else n
    assert found.shape == (2, n // width, n, width)
    assert found.flags.c_contiguous


@pytest.mark.parametrize("B", [1, 3])
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "lstm_peephole"])
def test_there_and_back(name, B, quick):
    rng = np.random.default_rng(0)
    cell = cells.get(name)
    maps = Maps(cell, initialise(cell, n_in=4, n_hidden=96, n_out=4, seed=0))
    for product in maps.products:
        k = len(product.weights)
        h, grad_a = rng.standard_normal((B, 96)), rng.standard_normal((k, B, 96))
        weights = [np.diag(w[0]) if product.term.diagonal else w for w in product.weight]
        there, back = [h @ w.T for w in weights], sum(g @ w for g, w in zip(grad_a, weights, strict=True))
        np.testing.assert_allclose(product.forward(h), there, rtol=0, atol=1e-13)
        np.testing.assert_allclose(product.back(grad_a), back, rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(5, 9, 96), (5, 9, 65), (5, 3, 96), (7, 96), (2, 3, 400, 128), (96,)], ids=str)
@pytest.mark.parametrize("n", [65, 128])
def test_a_step_at_a_time_is_all_steps_at_once(shape, n, quick):
    rng = np.random.default_rng(0)
    rows, matrix = rng.standard_normal(shape), rng.standard_normal((shape[-1], n))
    np.testing.assert_allclose(blocks.of_each_step(rows, matrix), rows @ matrix, rtol=0, atol=1e-12)


def test_other_dtypes_keep_theirs(quick):
    rows, matrix = np.ones((5, 9, 32), np.longdouble), np.ones((32, 64), np.longdouble)
    assert blocks.of_each_step(rows, matrix).dtype == np.longdouble
    assert blocks.of_each_step(rows.astype(complex), np.ones((32, 64))).dtype == np.complex128
