"""Cases for the tests of the oracles: few shapes, as JAX compiles each anew; scales chosen, values from a seed."""

import dataclasses

import numpy as np
from hypothesis import strategies as st

from manual_rnn import cells
from manual_rnn.cell import Array, Cell
from manual_rnn.gradients import loss_and_gradients
from manual_rnn.testing.families import build
from manual_rnn.testing.problem import Case, Sizes, Spec
from reference import autodiff

SMALL = Sizes(1, 1, 1, 1, 2)
USUAL = Sizes(8, 2, 3, 4, 3)
NARROW = Sizes(5, 1, 4, 2, 3)
LONG_CHAOS = Sizes(200, 1, 2, 16, 3)
NAMES = ("U", "W", "b", "V", "c", "h0", "x")
"""The variables of a network of one map and one state."""


def variables(case: Case) -> tuple[str, ...]:
    """The names of all that the loss of a case is a function of: parameters, initial states, x."""
    return (*case.params, *(f"{name}0" for name in case.initial), "x")


def means_nothing(cell: Cell, case: Case, name: str) -> bool:
    """Whether a weight is made of this parameter and is the same whatever it is: A − Aᵀ and v/|v| of one unit."""
    return case.spec.sizes.n_hidden == 1 and name in {w.of for w in cell.weights}


def draw(cell: Cell, family: str = "ordinary", sizes: Sizes = USUAL, *, severity: int = 50, seed: int = 0) -> Case:
    """A case of a family, with dense x and a loss of every step but where the family says otherwise."""
    case = build(cell, Spec(family, sizes, "float64", seed, severity))
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((sizes.T, sizes.B, sizes.n_in))
    weights = case.weights if family == "vanished" else np.ones((sizes.T, sizes.B))
    return dataclasses.replace(case, x=x, weights=weights)


def well_conditioned(name: str) -> st.SearchStrategy[Case]:
    """Ordinary networks; for a ReLU, pre-activations clear of its kink."""
    cell = cells.get(name)
    family = "away_from_kink" if cell.kinks else "ordinary"
    return st.builds(
        lambda sizes, seed, severity: draw(cell, family, sizes, seed=seed, severity=severity),
        st.sampled_from([SMALL, USUAL]),
        st.integers(0, 2**32 - 1),
        st.integers(0, 100),
    )


def vanished(cell: Cell, exponent: int, seed: int = 0) -> Case:
    """The loss of the last step alone, and ‖∇h(0)‖ about 10^exponent: W is a small multiple of a rotation."""
    case = draw(cell, "vanished", seed=seed)
    gain = 10.0 ** (exponent / USUAL.T)
    W = gain * np.linalg.qr(np.random.default_rng(seed).standard_normal((4, 4)))[0]
    return dataclasses.replace(case, params={**case.params, "W": W})


def chaotic(cell: Cell) -> Case:
    """Weights of scale 4, 200 steps, 16 units: two right float64 gradients end far apart."""
    case = draw(cell, "chaotic", LONG_CHAOS)
    W = 4 * np.random.default_rng(1).standard_normal((16, 16))
    return dataclasses.replace(case, params={**case.params, "W": W})


def manual_gradients(cell: Cell, case: Case) -> dict[str, Array]:
    with np.errstate(all="ignore"):
        return loss_and_gradients(
            cell, case.params, case.x, case.y, weights=case.weights, initial=case.initial, inputs=True
        ).gradients


def autodiff_gradients(step, case: Case) -> dict[str, Array]:
    _, gradients = autodiff(step)([case.for_oracle()])[0]
    return {name: gradients[name] for name in variables(case)}
