"""The cases on which all checkers are asked: few, in the regimes in which checks differ.

Every case has dense float64 inputs, so that x can be differentiated, and a weight of its own for each step's loss
where the regime does not say otherwise: with all weights one, a forgotten weight is no mistake.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from manual_rnn import cells
from manual_rnn.testing.families import build
from manual_rnn.testing.problem import Case, Sizes, Spec

RNN = cells.get("rnn")
SMALL = Sizes(8, 2, 3, 8, 5)
CASES = 3
"""Cases of each regime: a checker has detected a bug if it fails one of them, and cried wolf likewise."""


@dataclass(frozen=True)
class Regime:
    """A family of the judge's, at one severity and one shape."""

    title: str
    about: str
    family: str
    severity: int
    sizes: Sizes = SMALL

    def cases(self) -> list[Case]:
        return [self.case(seed) for seed in range(CASES)]

    def case(self, seed: int) -> Case:
        case = build(RNN, Spec(self.family, self.sizes, "float64", seed, self.severity))
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((self.sizes.T, self.sizes.B, self.sizes.n_in))
        weights = case.weights if self.family == "vanished" else rng.uniform(0.5, 1.5, case.y.shape)
        params = dict(case.params)
        if self.family == "chaotic":  # the family bounds its gain at this length, so that other cells stay finite
            params["W"] = rng.standard_normal(params["W"].shape)
        return replace(case, params=params, x=x, weights=weights)


PLANTED = {
    "ordinary": Regime("ordinary", "T = 8, weights of scale one, a loss at every step", "ordinary", 50),
    "vanished8": Regime("vanished, T = 8", "last step's loss, ∂L/∂h(0) about 1e-50", "vanished", 11),
    "vanished60": Regime(
        "vanished, T = 60", "last step's loss, ∂L/∂x(1) about 1e-50", "vanished", 8, Sizes(60, 2, 2, 6, 4)
    ),
    "saturated": Regime("saturated", "T = 8, pre-activations of about 5: 1 − h² about 1e-4", "saturated", 10),
}
"""The regimes in which bugs are planted."""

RIGHT_ONLY = {
    "deep": Regime("deeply saturated", "T = 8, pre-activations of about 17: 1 − h² about 1e-15", "saturated", 40),
    "chaotic": Regime(
        "chaotic", "T = 200, gain 4: gradients grow by fifteen decades and more, rounding errors too", "chaotic", 100,
        Sizes(200, 1, 2, 16, 3),
    ),
}  # fmt: skip
"""Regimes in which only right code is checked: does it cry wolf?"""

REGIMES = PLANTED | RIGHT_ONLY
