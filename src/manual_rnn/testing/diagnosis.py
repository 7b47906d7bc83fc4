"""What can be said of a disagreement in sentences: which equation, where, and whose numbers stand alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial

import numpy as np

from manual_rnn.cell import Cell
from manual_rnn.gradients import forward_and_backward
from manual_rnn.network import Network
from manual_rnn.tape import Tape
from manual_rnn.testing.arbitration import Arbitration, arbitrate
from manual_rnn.testing.families import build
from manual_rnn.testing.local import Manual, run
from manual_rnn.testing.mistakes.explain import explain, observe, shows
from manual_rnn.testing.mistakes.formula import Observed
from manual_rnn.testing.mistakes.joints.explain import explain_joint, observe_joints
from manual_rnn.testing.mistakes.of_cell import cell_of, own_equation, place_of
from manual_rnn.testing.oracles.complex_step import complex_step
from manual_rnn.testing.oracles.estimate import Estimate
from manual_rnn.testing.oracles.finite_differences import finite_differences
from manual_rnn.testing.problem import Case, Oracle
from manual_rnn.testing.report import EquationReport, Report
from manual_rnn.testing.tally import Tally

READABLE = 12
"""Names in one sentence; of more, the first few."""
FEW = 4
WITNESSED = 1000
"""The parameters of a case that the witnesses are asked about: they run the forward pass a dozen times for each."""


def diagnose(
    model: Cell | Network, oracle: Oracle, tally: Tally, *, manual: Manual = forward_and_backward
) -> list[str]:
    """Sentences on a tally that does not agree; none for one that does."""
    report = tally.report()
    if tally.smallest_failure is None:
        return []
    sentences = _what_is_wrong(report) + _which_mistakes(model, oracle, report, manual, tally)
    if all(equation.local_agree for equation in report.equations if not equation.name.startswith("grad_")):
        case = build(model, tally.smallest_failure)
        if sum(array.size for array in case.params.values()) <= WITNESSED:
            sentences.append(_who_stands_alone(witnesses(model, oracle, case, manual=manual)))
    else:
        sentences.append("The forward pass differs: until it agrees, the gradients are those of another function.")
    return sentences


def witnesses(
    model: Cell | Network, oracle: Oracle, case: Case, *, manual: Manual = forward_and_backward
) -> Arbitration:
    """Sets manual, autodiff, finite differences and the complex step against each other on one case."""
    tape, grads = Tape(case.spec.sizes.T), Tape(case.spec.sizes.T)
    with np.errstate(all="ignore"):
        run(manual, model, case, tape, grads)
    ((_, autodiff),) = oracle([case.for_oracle()])
    independent: dict[str, dict[str, Estimate]] = {
        "finite differences": finite_differences(model, case),
        "complex step": complex_step(model, case),
    }
    names = list(independent["finite differences"])
    return arbitrate(
        {
            "manual": {name: grads[name] for name in names},
            "autodiff": {name: autodiff[name] for name in names},
            **independent,
        }
    )


def _what_is_wrong(report: Report) -> list[str]:
    wrong = [equation for equation in report.equations if not equation.local_agree]
    misled = [equation.name for equation in report.equations if equation.local_agree and not equation.end_to_end_agree]
    if not wrong:
        return [
            f"No equation is wrong by itself, yet {_list(misled)} came out wrong in the whole pass: "
            "look at what one step hands to the next."
        ]
    sentences = [_wrong_by_itself(equation) for equation in wrong]
    if misled:
        sentences.append(f"{_named(misled)} came out wrong too, but only from wrong input: alone they are right.")
    return sentences


def _which_mistakes(
    model: Cell | Network, oracle: Oracle, report: Report, manual: Manual, tally: Tally
) -> list[str]:
    network = Network.of(model)
    wrong = [equation for equation in report.equations if not equation.local_agree]
    observed = cache(partial(observe, model, oracle, manual=manual, loss=tally.loss))
    at_joints = _observed_at_joints(network, oracle, tally, manual) if wrong else {}
    found: dict[str, list[Cell]] = {}
    unexplained: list[str] = []
    for equation in wrong:
        # First in cases as they were judged, with resets and masks: what is said of those holds without them too.
        formula = explain_joint(equation.name, at_joints[equation.name]) if equation.name in at_joints else None
        if formula is None and (cell := cell_of(network, equation.name)):
            seen = observed()[equation.name]
            if not shows(seen) and equation.worst:  # an overflow, say: ordinary cases do not have it
                seen = observed(family=equation.worst.spec.family)[equation.name]
            formula = explain(cell.alone(), own_equation(cell, equation.name), seen)
        if formula is None:
            unexplained.append(equation.name)
            continue
        at = place_of(network, equation.name)
        found.setdefault(formula.sentence, []).extend([at] if at else [])
    sentences = [_said_of(sorted(cells, key=network.cells.index), sentence) for sentence, cells in found.items()]
    if unexplained:
        sentences.append(f"No single mistake that is known here gives the numbers of {_list(unexplained)}.")
    return sentences


def _observed_at_joints(
    network: Network, oracle: Oracle, tally: Tally, manual: Manual
) -> dict[str, list[Observed]]:
    """Nothing where nothing is joined: one cell, which every sequence goes through from end to end."""
    of = tally.smallest_failure
    if of is None or not (len(network.cells) > 1 or of.resets or network.learned_initial):
        return {}
    return observe_joints(
        tally.model, oracle, manual=manual, loss=tally.loss, resets=of.resets, dropout=of.dropout
    )


def _said_of(cells: Sequence[Cell], sentence: str) -> str:
    """The sentence on cells of a network begins with their places."""
    sentence = f"Your{sentence[4:]}" if sentence.startswith("your ") else sentence
    places = [cell.prefix.removesuffix(".") for cell in cells if cell.prefix]
    if not places:
        return sentence
    other_steps = any(step in sentence for step in ("t+1", "t−1"))
    turned = [cell.prefix.removesuffix(".") for cell in cells if cell.reverse and other_steps]
    note = f" (in {_list(turned)}, t+1 is the step that comes next as it goes back in time)" if turned else ""
    return f"In {_list(places)}{note}: {sentence}"


def _wrong_by_itself(equation: EquationReport) -> str:
    sentence = f"{equation.name} ({equation.label}) is wrong: fed with the reference's values it is off by "
    sentence += f"{equation.max_error_ulp:.2g} units in the last place"
    if equation.worst is None:
        return f"{sentence}."
    spec, place = equation.worst.spec, equation.worst.place
    where = f" at {place}" if place else ""
    return f"{sentence}{where}, in a case of the family {spec.family!r} with {spec.sizes} (seed {spec.seed})."


def _who_stands_alone(arbitration: Arbitration) -> str:
    if not arbitration.alone:
        doubtful = [str(verdict) for verdict in arbitration.verdicts.values() if verdict.outcome != "agree"]
        start = "Witnesses, on the smallest case that fails: nobody stands alone"
        return f"{start}. {doubtful[0]}." if doubtful else f"{start}, all of them agree there."
    parts = [
        f"{party} {'stand' if party.endswith('s') else 'stands'} alone in {_named([f'grad_{name}' for name in names])}"
        for party, names in arbitration.alone.items()
    ]
    with_whom = {party for verdict in arbitration.verdicts.values() if verdict.alone for party in verdict.agreeing}
    return (
        f"Witnesses, on the smallest case that fails: {'; '.join(parts)}; "
        f"{_list(sorted(with_whom))} agree with each other."
    )


def _named(names: Sequence[str]) -> str:
    """Their names; of many the first few, those of several cells of a network together, and how many there are besides.
    """
    if len(names) <= READABLE:
        return _list(names)
    places: dict[str, list[str]] = {}
    for name in names:
        place, point, _ = name.removeprefix("grad_").partition(".")
        if point and place != "cell":
            places.setdefault(name.replace(f"{place}.", "", 1), []).append(place)
    several = {own: where for own, where in places.items() if len(where) > 1}
    if not several:
        return _list([*names[:FEW], f"{len(names) - FEW} others"])
    where = max(several.values(), key=len)
    together = [own for own, cells in several.items() if cells == where][:FEW]
    cells = f"{len(where)} cells" if len(where) > 2 else _list(where)
    others = len(names) - len(together) * len(where)
    return f"{_list(together)} of {cells}" + (f", and {others} others" if others else "")


def _list(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))
