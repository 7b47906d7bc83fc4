"""What a network is given to that takes one cell, and what ``stack`` is given that is none: one sentence each."""

import inspect

import numpy as np
import pytest

from manual_rnn import cells, diagnostics, initialise, stack, ways

GRU = cells.get("gru")
NETWORKS = {
    "2 layers of gru": stack(GRU, layers=2),
    "gru, both directions": stack(GRU, bidirectional=True),
    "gru, learned initial state": stack(GRU, learned_initial=True),
}
OF_ONE_CELL = {
    name: getattr(module, name)
    for module in (ways, diagnostics)
    for name in module.__all__
    if inspect.isfunction(getattr(module, name)) and "cell" in inspect.signature(getattr(module, name)).parameters
}


def arguments(function, model, T=60):
    """A small problem, as far as a function asks for one."""
    rng = np.random.default_rng(0)
    wanted = inspect.signature(function).parameters
    params = initialise(model, n_in=3, n_hidden=2, n_out=3, dtype=np.float64)
    given = {
        "cell": model, "params": params, "x": rng.standard_normal((T, 1, 3)), "y": rng.integers(0, 3, (T, 1)),
        "k1": 2, "k2": 4, "block": 5, "blocks": 3, "direction": {"V": params["V"]},
    }
    oracle = {"against": lambda cases: []} if function is diagnostics.cross_check else {}
    return {name: value for name, value in (given | oracle).items() if name in wanted}


def test_all_are_found():
    assert {"rtrl", "hessian_vector", "gradient_norms", "cross_check", "saturation"} < set(OF_ONE_CELL)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", OF_ONE_CELL)
def test_a_network_where_one_cell_is_taken(name, network):
    given = arguments(OF_ONE_CELL[name], NETWORKS[network])
    with pytest.raises(ValueError, match=f"^{name} takes one cell, and was given a network of {network}: "):
        OF_ONE_CELL[name](given.pop("cell"), **given)
    with pytest.raises(ValueError, match=f"^{name} takes one cell"):
        OF_ONE_CELL[name](cell=NETWORKS[network], **given)


@pytest.mark.parametrize("name", sorted(set(OF_ONE_CELL) - {"cross_check"}))  # which would want an oracle
def test_the_network_that_is_one_cell(name):
    given = arguments(OF_ONE_CELL[name], GRU)
    OF_ONE_CELL[name](**{**given, "cell": stack(GRU)})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (lambda: stack("lstm"), r"^cell is 'lstm'; expected a Cell, such as cells\.get\('lstm'\)\.$"),
        (lambda: stack(None), r"^cell is None; expected a Cell, such as cells\.get\('gru'\)\.$"),
        (lambda: stack(stack(GRU, layers=2), bidirectional=True), "^cell is a network of 2 layers of gru already; "),
        (lambda: stack(GRU, layers=1.5), "^layers is 1.5; expected a whole number"),
        (lambda: stack(GRU, bidirectional="no"), "^bidirectional is 'no'; expected True or False"),
        (lambda: stack(GRU, learned_initial=1), "^learned_initial is 1; expected True or False"),
        (lambda: initialise("gru", n_in=2, n_hidden=2, n_out=2), "^cell is of the type str; expected a Cell"),
        (lambda: initialise(None, n_in=2, n_hidden=2, n_out=2), "^cell is None; expected a Cell"),
    ],
)
def test_what_is_no_cell(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        given()
