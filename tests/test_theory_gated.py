"""Mean-field theory of gated cells: quadrature against brute force, and the cells themselves, with fresh weights at
every step, where the theory holds, and with the same ones, where it does not."""

import numpy as np
import pytest

from manual_rnn import cells, theory
from manual_rnn.diagnostics.trajectory import Trajectory
from manual_rnn.theory import Preactivation
from manual_rnn.theory.gates import gate
from manual_rnn.theory.gaussian_mean import gaussian_mean

MINIMAL = {"gain": 2.0, "embedding_gain": 1.0, "embedding_std": 1.0, "keep_bias": 1.0}
GATED = {
    "reset": Preactivation(gain=2, input_std=0.5, bias=0.5),
    "keep": Preactivation(gain=2, input_std=0.5, bias=1),
    "candidate": Preactivation(gain=3, input_std=0.5),
}
OF_MAP = {"r": "reset", "z": "keep", "n": "candidate"}


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def minimal_weights(n, rng, gain, embedding_gain, embedding_std, keep_bias):
    square = rng.standard_normal((2, n, n)) / n**0.5
    return {
        "W": gain * square[0], "Z": embedding_gain * square[1], "U": embedding_std * np.eye(n),
        "b_z": np.zeros(n), "b_u": np.full(n, float(keep_bias)), "V": np.zeros((1, n)), "c": np.zeros(1),
    }  # fmt: skip


def gru_weights(n, rng, maps):
    """U gives every map noise of its own: x has n numbers for each."""
    params = {"V": np.zeros((1, n)), "c": np.zeros(1), "d_n": np.zeros(n)}
    for i, name in enumerate("rzn"):
        of = maps[OF_MAP[name]]
        params[f"W_{name}"] = of.gain / n**0.5 * rng.standard_normal((n, n))
        params[f"U_{name}"] = of.input_std * np.eye(n, 3 * n, i * n)
        params[f"b_{name}"] = np.full(n, float(of.bias))
    return params


def weights(cell, n, rng, options):
    if cell.name == "minimal_rnn":
        return minimal_weights(n, rng, **options), n
    params = gru_weights(n, rng, options)
    if cell.name == "gru_reset_before":
        del params["d_n"]
    return params, 3 * n


def with_fresh_weights(name, options, *, n, steps, settle, seed, batch=4, gradients=4):
    """E[h²] at the end, and ‖∇h(T − steps)‖²/‖∇h(T)‖², the mean over sequences and directions, of one network."""
    cell, rng = cells.get(name), np.random.default_rng((seed, n))
    states, runs = {"h": np.zeros((batch, n))}, []
    for _ in range(settle + steps):
        params, n_in = weights(cell, n, rng, options)
        runs.append(Trajectory.of(cell, params, rng.standard_normal((1, batch, n_in)), states))
        states = {"h": runs[-1].states("h")[-1]}
    bundle = {"h": rng.standard_normal((gradients, batch, n))}
    before = (bundle["h"] ** 2).sum(axis=-1)
    for run in runs[: settle - 1 : -1]:
        bundle, _ = run.back(0, bundle)
    return (states["h"] ** 2).mean(), ((bundle["h"] ** 2).sum(axis=-1) / before).mean()


def slope_with_one_set_of_weights(name, options, *, n=100, steps=50, settle=100, seed):
    """The typical slope of log ‖∇h‖² over ``steps`` of lag, behind the first ten, of one network."""
    cell, rng = cells.get(name), np.random.default_rng((seed, n))
    params, n_in = weights(cell, n, rng, options)
    run = Trajectory.of(cell, params, rng.standard_normal((settle + steps, 1, n_in)), {"h": np.zeros((1, n))})
    bundle, logs = {"h": rng.standard_normal((8, 1, n))}, []
    for t in range(settle + steps)[: settle - 1 : -1]:
        bundle, _ = run.back(t, bundle)
        logs.append(np.log((bundle["h"] ** 2).sum(axis=-1)).mean())
    return (logs[-1] - logs[9]) / (steps - 10)


@pytest.mark.parametrize(
    ("name", "options"), [("minimal_rnn", MINIMAL), ("gru", GATED), ("gru_reset_before", GATED)]
)
def test_with_fresh_weights_the_cells_do_as_the_theory_says(name, options):
    predicted = getattr(theory, name)(**options)
    steps, networks = 2, 30
    runs = [with_fresh_weights(name, options, n=60, steps=steps, settle=25, seed=i) for i in range(networks)]
    standard_error = np.std(runs, axis=0, ddof=1) / networks**0.5
    expected = np.array([predicted.square, predicted.chi**steps])
    assert (standard_error < 0.05 * expected).all()
    assert (np.abs(np.mean(runs, axis=0) - expected) < 3 * standard_error).all()


ONE = Preactivation(gain=1, input_std=0.5)
WEAK = {"reset": ONE, "keep": Preactivation(gain=1, input_std=0.5, bias=1), "candidate": ONE}


@pytest.mark.parametrize(
    ("name", "options", "documented", "predicted"),
    [
        ("minimal_rnn", {**MINIMAL, "gain": 0.0}, -0.642, -0.642),
        ("minimal_rnn", MINIMAL, -0.498, -0.524),
        ("minimal_rnn", {"gain": 5, "embedding_gain": 0.5, "embedding_std": 1, "keep_bias": 2}, -0.115, -0.068),
        ("gru", WEAK, -0.377, -0.592),
        ("gru", GATED, 0.024, -0.237),
    ],
)
def test_with_the_same_weights_they_part_from_it_as_the_docstring_says(name, options, documented, predicted):
    slopes = [slope_with_one_set_of_weights(name, options, seed=i) for i in range(8)]
    standard_error = np.std(slopes, ddof=1) / 8**0.5
    assert getattr(theory, name)(**options).slope == pytest.approx(predicted, abs=5e-4)
    assert standard_error < 0.02
    assert abs(np.mean(slopes) - documented) < 3 * standard_error  # though 100 units are fewer than 400


def test_the_ways_of_one_matrix_interfere():
    W = np.random.default_rng(0).standard_normal((400, 400)) / 20
    radius = np.abs(np.linalg.eigvals(0.7 * np.eye(400) + 0.2 * W)).max()
    assert radius == pytest.approx(0.7 + 0.2, rel=0.02)  # and not the √(.7² + .2²) = .73 of fresh ones


def over(variances, function, *, nodes=101):
    """E[function(u₁, u₂, …)] for independent Gaussians of these variances, by a trapezoid in as many dimensions."""
    z = np.linspace(-8, 8, nodes)
    weight = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    axes = np.meshgrid(*[np.sqrt(v) * z for v in variances], indexing="ij", sparse=True)
    total = np.broadcast_to(function(*axes), (nodes,) * len(variances))
    for _ in variances:
        total = total @ weight
    return total


@pytest.mark.parametrize("after", [True, False])
def test_the_gru_solves_its_equations_by_brute_force(after):
    found = (theory.gru if after else theory.gru_reset_before)(**GATED)
    r, z, n = (GATED[name] for name in ("reset", "keep", "candidate"))
    Q = found.square
    kept, let_in = (over([z.variance(Q)], lambda a, s=s: sigmoid(s * (a + z.bias)) ** 2) for s in (1, -1))
    of_z = over([z.variance(Q)], lambda a: (sigmoid(a + z.bias) * sigmoid(-a - z.bias)) ** 2)
    inside = n.gain**2 * Q * (1 if after else over([r.variance(Q)], lambda a: sigmoid(a + r.bias) ** 2))

    def of_candidate(function):
        """Over a_r, what comes from outside, and the product with W_n: the function's arguments are r, product, a_n."""

        def integrand(a_r, outside, product):
            r_now = sigmoid(a_r + r.bias)
            return function(r_now, product, outside + (r_now * product if after else product))

        return over([r.variance(Q), n.input_std**2, inside], integrand)

    square = of_candidate(lambda r, m, a: np.tanh(a) ** 2)
    assert kept * Q + let_in * square == pytest.approx(Q, rel=1e-9)
    through_candidate = n.gain**2 * of_candidate(lambda r, m, a: r**2 * np.cosh(a) ** -4)
    if after:
        through_reset = r.gain**2 * of_candidate(lambda r, m, a: (r * (1 - r) * m) ** 2 * np.cosh(a) ** -4)
    else:
        through_reset = (r.gain * n.gain) ** 2 * Q * of_candidate(lambda r, m, a: (r * (1 - r)) ** 2 * np.cosh(a) ** -4)
    ways = {"state": kept, "W_z": z.gain**2 * of_z * (Q + square), "W_n": let_in * through_candidate}
    ways["W_r"] = let_in * through_reset
    assert found.ways == pytest.approx(ways, rel=1e-9)
    assert found.chi == pytest.approx(sum(ways.values()), rel=1e-9)
    assert found.slope == np.log(found.chi)


def test_the_minimal_rnn_solves_its_equations_by_brute_force():
    found = theory.minimal_rnn(**MINIMAL)
    R = over([1.0], lambda a: np.tanh(a) ** 2)
    v = 4 * found.square + R
    kept, let_in = (over([v], lambda a, s=s: sigmoid(s * (a + 1)) ** 2) for s in (1, -1))
    assert kept * found.square + let_in * R == pytest.approx(found.square, rel=1e-9)
    through_W = 4 * over([v], lambda a: (sigmoid(a + 1) * sigmoid(-a - 1)) ** 2) * (found.square + R)
    assert found.ways == pytest.approx({"state": kept, "W": through_W}, rel=1e-9)


def test_limits_of_gated_cells():
    shut = theory.minimal_rnn(gain=2, embedding_gain=1, embedding_std=1, keep_bias=40)
    assert shut.chi == pytest.approx(1, abs=1e-12)  # the state is kept, and nothing else
    still = theory.minimal_rnn(gain=2, embedding_gain=1, embedding_std=0)
    assert (still.square, still.chi) == (0, 0.25)  # nothing moves: u = ½
    half = Preactivation(gain=0)  # gates that hear nothing are ½
    linear = theory.gru(reset=half, keep=half, candidate=Preactivation(gain=1.0))
    assert linear.square == 0
    assert linear.ways == pytest.approx({"state": 0.25, "W_z": 0, "W_n": 1 / 16, "W_r": 0}, abs=1e-15)
    # It moves by itself where g_n/2 is above √3: ¼ Q + ¼ · (g_n/2)² Q > Q.
    assert 0 < theory.gru(reset=half, keep=half, candidate=Preactivation(gain=4.0)).square < 1
    assert theory.gru(reset=half, keep=half, candidate=Preactivation(gain=3.4)).square == 0


def test_of_several_fixed_points_it_is_the_one_that_rest_leads_to():
    reset, keep = Preactivation(gain=10, bias=-4), Preactivation(gain=0)
    candidate = Preactivation(gain=20, input_std=0.01)
    found = theory.gru_reset_before(reset=reset, keep=keep, candidate=candidate).square

    def after_a_step(Q):
        opened = over([reset.variance(Q)], lambda a: sigmoid(a + reset.bias) ** 2, nodes=401)
        return Q / 4 + over([candidate.variance(opened * Q)], lambda a: np.tanh(a) ** 2, nodes=401) / 4

    from_rest, from_afar = 0.0, 1.0
    for _ in range(200):
        from_rest, from_afar = after_a_step(from_rest), after_a_step(from_afar)
    assert found == pytest.approx(from_rest, rel=1e-9)
    assert from_afar > 1000 * found  # there is another


@pytest.mark.parametrize(("variance", "bias"), [(1e-6, 0.0), (1.0, 3.0), (1e4, -30.0), (50.0, -100.0)])
def test_the_means_of_a_gate_are_those_of_a_fine_trapezoid(variance, bias):
    z = np.linspace(-40, 40, 400_001)
    density, a = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), bias + np.sqrt(variance) * z
    found = gate(Preactivation(gain=1, bias=bias), variance)
    with np.errstate(over="ignore"):
        u, down = sigmoid(a), sigmoid(-a)
    for mean, function in [(found.kept, u**2), (found.let_in, down**2), (found.slope, (u * down) ** 2)]:
        assert mean == pytest.approx(np.trapezoid(function * density, z), rel=1e-9)


def test_the_mean_of_a_function_of_a_constant():
    assert gaussian_mean(lambda a: a**2, 0.0, 3.0) == 9


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Preactivation(gain=-1), "gain is -1; it must be finite, zero or more"),
        (lambda: Preactivation(gain=1, bias=np.inf), "bias is inf"),
        (lambda: theory.minimal_rnn(gain=1, embedding_gain=1, embedding_std=np.nan), "what is embedded is nan"),
        (lambda: theory.gru(**{**GATED, "candidate": Preactivation(gain=1, bias=1)}), "candidate's bias is 1"),
    ],
)
def test_impossible_arguments_get_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
