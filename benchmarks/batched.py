"""Many small networks at once, beside one by one and beside compiled ``jax.vmap``: ``python benchmarks/batched.py``.

A vanilla network with dense inputs, loss and all gradients, float64, on one thread. Microseconds for a network, the
least of some rounds in which the three take turns; JAX's compilation, which each new shape costs once, stands apart.
Before anything is timed the three must agree. ``floor`` is the stacked products of W alone, T forward, T back.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from manual_rnn import cells, initialise, loss_and_gradients
from manual_rnn.provenance import provenance
from manual_rnn.studies import batched

jax.config.update("jax_enable_x64", True)
RNN, T, N_IN, N_OUT = cells.get("rnn"), 50, 4, 10
SHAPES = [(S, B, n) for n in (16, 64) for B in (1, 8) for S in (8, 64, 256)]


def problem(S, B, n):
    rng = np.random.default_rng(0)
    each = [initialise(RNN, n_in=N_IN, n_hidden=n, n_out=N_OUT, seed=s) for s in range(S)]
    params = {name: np.stack([one[name] for one in each]) for name in each[0]}
    return params, rng.standard_normal((S, T, B, N_IN)), rng.integers(0, N_OUT, (S, T, B))


def one_by_one(params, x, y):
    """As training calls it, which keeps no node that only a reader needs."""
    split = [{name: value[s] for name, value in params.items()} for s in range(len(y))]
    each = [loss_and_gradients(RNN, *given, every_node=False) for given in zip(split, x, y, strict=True)]
    return np.array([one.loss for one in each]), np.stack([one.gradients["W"] for one in each])


def stacked(params, x, y):
    found = batched.loss_and_gradients(RNN, params, x, y)
    return found.loss, found.gradients["W"]


def of_jax():
    def loss(p, x, y):
        outside = x @ p["U"].T + p["b"]

        def step(h, a):
            h = jnp.tanh(a + h @ p["W"].T)
            return h, h

        _, h = jax.lax.scan(step, jnp.zeros((x.shape[1], len(p["W"]))), outside)
        logits = h @ p["V"].T + p["c"]
        of_target = jnp.take_along_axis(logits, y[..., None], -1)[..., 0]
        return (jax.nn.logsumexp(logits, -1) - of_target).sum()

    compiled = jax.jit(jax.vmap(jax.value_and_grad(loss)))

    def call(params, x, y):
        value, gradients = jax.block_until_ready(compiled(params, x, y))
        return np.asarray(value), np.asarray(gradients["W"])

    return call


def floor(params, B):
    W = params["W"]
    h = np.zeros((len(W), B, W.shape[-1]))
    for _ in range(T):
        h @ W.swapaxes(-1, -2)
    for _ in range(T):
        h @ W


def seconds(work):
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def row(S, B, n, rounds):
    given = problem(S, B, n)
    of_vmap = of_jax()
    compiling = seconds(lambda: of_vmap(*given))
    ways = {"one by one": one_by_one, "batched": stacked, "jax.vmap": of_vmap}
    losses, gradients = zip(*(way(*given) for way in ways.values()), strict=True)
    for k in (0, 2):
        np.testing.assert_allclose(losses[k], losses[1], rtol=1e-9)
        np.testing.assert_allclose(gradients[k], gradients[1], rtol=1e-6, atol=1e-9 * np.abs(gradients[1]).max())
    ways = {name: lambda way=way: way(*given) for name, way in ways.items()} | {"floor": lambda: floor(given[0], B)}
    least = {name: min(1e6 / S * took for took in times) for name, times in _in_turn(ways, rounds).items()}
    return {"S": S, "B": B, "n_hidden": n, "microseconds_a_network": {k: round(v, 1) for k, v in least.items()},
            "jax_compilation_seconds": round(compiling, 2)}  # fmt: skip


def _in_turn(ways, rounds):
    times = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(seconds(way))
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with threadpool_limits(1):
        rows = [row(*shape, given.rounds) for shape in SHAPES]
    for one in rows:
        told = "  ".join(f"{name} {time:7.1f}" for name, time in one["microseconds_a_network"].items())
        print(f"S {one['S']:3} B {one['B']} n {one['n_hidden']:2}  {told}  compile {one['jax_compilation_seconds']} s")
    if given.out:
        record = {"T": T, "n_in": N_IN, "n_out": N_OUT, "dtype": "float64", "rows": rows, "jax": jax.__version__}
        given.out.write_text(json.dumps({**record, **provenance()}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
