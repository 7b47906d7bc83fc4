"""Which mistake at a joint gives the numbers that were seen: held to every case, or nothing is said."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.gradients import forward_and_backward
from manual_rnn.network import Network
from manual_rnn.testing.families import build
from manual_rnn.testing.local import BEFORE, ForcedTape, Manual, run
from manual_rnn.testing.mistakes.explain import SIZES, done_to, gives, shows
from manual_rnn.testing.mistakes.formula import Formula, Observed, symbol
from manual_rnn.testing.mistakes.joints.formulas import formulas_at_joint
from manual_rnn.testing.mistakes.joints.known import Joint
from manual_rnn.testing.mistakes.joints.variants import right_at_joint
from manual_rnn.testing.mistakes.of_cell import own_equation, place_of
from manual_rnn.testing.mistakes.terms import Quantities
from manual_rnn.testing.problem import Case, Oracle, Spec, leading_axes

SEEDS = 12
"""Cases of each of two sizes, as each size costs a compilation: they differ in where sequences begin."""


def observe_joints(
    model: Cell | Network,
    oracle: Oracle,
    *,
    manual: Manual = forward_and_backward,
    seed: int = 0,
    loss: str = "softmax",
    resets: bool = False,
    dropout: bool = False,
) -> dict[str, list[Observed]]:
    """Every equation of some cases under the network's own names, each fed with right values, with boundaries between
    sequences and masks where they are asked for."""
    network = Network.of(model)
    observed: dict[str, list[Observed]] = {}
    for sizes in SIZES[1:3]:
        specs = [Spec("ordinary", sizes, "float64", seed + i, 60, loss, resets, dropout) for i in range(4 * SEEDS)]
        cases = sorted((build(model, spec) for spec in specs), key=_all_begin)
        cases = cases[: SEEDS // 2] + cases[-SEEDS // 2 :]
        for case, answer in zip(cases, oracle([case.for_oracle() for case in cases]), strict=True):
            known = Joint(network, case, answer)
            tape, back = (ForcedTape(sizes.T, truth, known.before) for truth in answer)
            with np.errstate(all="ignore"):
                run(manual, model, case, tape, back)
            computed = {f"{name}_{BEFORE}": array for name, array in tape.starts_from.items()}
            computed |= {**tape.computed, **{f"grad_{name}": array for name, array in back.computed.items()}}
            for equation, ours in computed.items():
                right = right_at_joint(known, equation)
                observed.setdefault(equation, []).append(Observed(known, ours, right))
    return observed


def _all_begin(case: Case) -> bool:
    """Whether all sequences begin at the first step, so that nothing goes to the initial state: mostly, where the state
    that they begin with is learned."""
    return case.begins is not None and bool(case.begins[0].all())


def explain_joint(equation: str, observed: Sequence[Observed]) -> Formula | None:
    """The first formula that gives the observed numbers in every case; None if there is none."""
    if not shows(observed) or not all(np.isfinite(o.ours).all() for o in observed):
        return None
    cases = [o.known for o in observed if isinstance(o.known, Joint)]
    network = cases[0].network
    cell = place_of(network, equation)
    name = symbol(own_equation(cell, equation) if cell else equation)
    every_step = leading_axes(network, equation) == 2

    def right(known: Quantities) -> Array:
        assert isinstance(known, Joint)
        return right_at_joint(known, equation)

    with np.errstate(all="ignore"):
        simple = done_to(name, right, observed, every_step=every_step)
        all_there_are = chain(simple, formulas_at_joint(equation, cases))
        return next((formula for formula in all_there_are if gives(formula, observed)), None)
