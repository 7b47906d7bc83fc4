"""Mistakes at the joints of a network's cells, each planted in a copy of the code: seen, named by its equations, and
put in words that hold in cases never seen."""

from functools import cache

import numpy as np
import pytest

from manual_rnn import cells, stack
from manual_rnn.testing import Sizes, Spec, diagnose, judge
from manual_rnn.testing.mistakes.explain import gives, shows
from manual_rnn.testing.mistakes.formula import Observed
from manual_rnn.testing.mistakes.joints.explain import explain_joint, observe_joints
from manual_rnn.testing.mistakes.joints.formulas import formulas_at_joint
from planting import Mistake, planted
from reference import autodiff

ALL = {"layers": 2, "bidirectional": True, "learned_initial": True}
NETWORK = stack(cells.get("rnn"), **ALL)
SPECS = [Spec("ordinary", Sizes(5, 3, 2, 3, 2), "float64", seed, 40, resets=True, dropout=True) for seed in range(3)]
PLACES = ("layer1.", "layer1_reverse.", "layer2.", "layer2_reverse.")


def of(name, *places, grad=True):
    return tuple(f"{'grad_' if grad else ''}{place}{name}" for place in places or PLACES)


DOWN = 'below.append(_masked(cell, grads[f"{cell.prefix}x"], masks))'
SUM = "from_above = sum(below[1:], start=below[0]) if below"
CUT = "carried[name] = np.where(starts, 0, carried[name])"
FRESH = "fresh[name] += np.where(starts, carried[name], 0)"
LOWER, UPPER, BACK = PLACES[:2], PLACES[2:], PLACES[1::2]

MISTAKES = [
    Mistake("the mask forgotten", "layers", "_masked(cell, shown, masks)) if k", "shown) if k",
            of("x", *UPPER, grad=False)),
    Mistake("the mask forgotten on the way back", "layers", DOWN, 'below.append(grads[f"{cell.prefix}x"])',
            of("h", *LOWER)),
    Mistake("the halves of a layer exchanged", "network", "np.concatenate(rows, axis=-1)",
            "np.concatenate(rows[::-1], axis=-1)", ("layer2.x", "layer2_reverse.x", "o", "grad_V")),
    Mistake("the halves of a layer exchanged on the way back", "layers",
            "np.split(from_above, len(layer), axis=-1)", "np.split(from_above, len(layer), axis=-1)[::-1]", of("h")),
    Mistake("the layer above hands nothing down", "layers", DOWN,
            'below.append((k == 0) * grads[f"{cell.prefix}x"])', of("h", *LOWER)),
    Mistake("one direction's ∇x dropped", "layers", SUM, "from_above = below[0] if below",
            (*of("h", *LOWER), "grad_x")),
    Mistake("a reset forgotten", "bptt", "tape.go_on(cell.full(name), anew.starts[t])",
            "tape.go_on(cell.full(name), np.zeros_like(anew.starts[t]))", of("h_before", grad=False)),
    Mistake("a reset that does not cut the gradient", "bptt", CUT, "carried[name] = carried[name]",
            (*of("h"), *of("h0"))),
    Mistake("a reset cuts the gradient of all sequences", "bptt", CUT,
            "carried[name] = np.where(starts.any(), 0, carried[name])", of("h")),
    Mistake("boundaries a step late going back in time", "anew", "begins[1:] if cell.reverse", "begins[:-1] if True",
            (*of("h_before", *BACK, grad=False), *of("h", *BACK), *of("h0", *BACK), *of("initial_h", *BACK))),
    Mistake("the direction that goes back read unreversed", "cell", "prefix=prefix, reverse=reverse)", "prefix=prefix)",
            (*of("h_before", *BACK, grad=False), *of("h", *BACK), *of("h0", *BACK), *of("initial_h", *BACK))),
    Mistake("what is carried goes the wrong way in the direction that goes back", "bptt",
            "in in_order(cell, grads.T)[::-1]:", "in range(grads.T)[::-1]:",
            (*of("h", *BACK), *of("h0", *BACK))),
    Mistake("the learned state's gradient of one sequence only", "layers", "fresh[name].sum(axis=0)", "fresh[name][0]",
            of("initial_h")),
    Mistake("the learned state's gradient of one beginning only", "bptt", FRESH, FRESH.replace("+=", "="),
            of("initial_h")),
    Mistake("the learned state's gradient left out", "layers", "fresh[name].sum(axis=0)",
            "np.zeros_like(part[0, 0])", of("initial_h")),
    Mistake("learned and zero exchanged", "network", "if network.learned_initial:", "if not network.learned_initial:",
            of("h_before", grad=False)),
]  # fmt: skip


EACH, TURNED = "In layer1, layer1_reverse, layer2 and layer2_reverse: ", "In layer1_reverse and layer2_reverse: "
SAID = {
    "the mask forgotten": ["In layer2 and layer2_reverse: x(t): the mask is not applied."],
    "the mask forgotten on the way back": [
        "In layer1 and layer1_reverse: ∇h(t): the mask of what comes down from the layer above is not applied."
    ],
    "the halves of a layer exchanged": [
        f"{where}the halves are exchanged: [{k}_reverse.h(t), {k}.h(t)] stands where the derivation has "
        f"[{k}.h(t), {k}_reverse.h(t)]."
        for where, k in (("In layer2 and layer2_reverse: x(t): ", "layer1"), ("o: ", "layer2"), ("∇V: ", "layer2"))
    ],
    "the halves of a layer exchanged on the way back": [
        "In layer1: ∇h(t): what comes down from the layer above is that of layer1_reverse: the halves are exchanged.",
        "In layer2: ∇h(t): what comes from the readout, Vᵀ ∇o(t), is that of layer2_reverse: the halves are exchanged.",
    ],
    "the layer above hands nothing down": [
        "In layer1 and layer1_reverse: ∇h(t): what comes down from the layer above is missing."
    ],
    "one direction's ∇x dropped": [
        "In layer1 and layer1_reverse: ∇h(t): ∇layer2_reverse.x, one of the two that come down, is missing.",
        "∇x: ∇layer1_reverse.x is missing.",
    ],
    "a reset forgotten": [f"{EACH}the h that step t starts from: no reset is honoured."],
    "a reset that does not cut the gradient": [
        f"{EACH}∇h(t): no reset is honoured on the way back.", f"{EACH}∇h(0): no reset is honoured on the way back.",
    ],
    "a reset cuts the gradient of all sequences": [
        f"{EACH}∇h(t): a reset of one sequence is one of all sequences on the way back."
    ],
    "boundaries a step late going back in time": [
        f"{TURNED}the h that step t starts from: the boundaries are those of the other direction of time.",
        *(f"{TURNED}{grad}: the boundaries are those of the other direction of time on the way back."
          for grad in ("∇h(t)", "∇h(0)", "∇initial_h")),
    ],
    "the direction that goes back read unreversed": [
        f"{TURNED}the h that step t starts from: the cell goes forward in time: it starts from the wrong neighbour, "
        "and at the wrong boundaries.",
        *(f"{TURNED}{grad}: what is carried back goes the wrong way in time, from the boundaries of the other "
          "direction."
          for grad in ("∇h(t)", "∇h(0)")),
    ],
    "what is carried goes the wrong way in the direction that goes back": [
        f"{TURNED}{grad}: what is carried back goes the wrong way in time." for grad in ("∇h(t)", "∇h(0)")
    ],
    "the learned state's gradient of one sequence only": [
        f"{EACH}∇initial_h: only the first sequence of the batch is in the sum."
    ],
    "the learned state's gradient of one beginning only": [
        f"{EACH}∇initial_h: only the beginnings at the first step are in the sum."
    ],
    "the learned state's gradient left out": [f"{EACH}∇initial_h is zero."],
    "learned and zero exchanged": [
        f"{EACH}the h that step t starts from: what is learned is not started from, but zeros."
    ],
}  # fmt: skip


REFERENCE = autodiff("rnn", **ALL)


@cache
def answered(keys):
    return REFERENCE(PROBLEMS[keys])


PROBLEMS = {}


def oracle(problems):
    """The truth, which is the same whatever is planted."""
    keys = tuple(problem["x"].tobytes() + problem["y"].tobytes() for problem in problems)
    keys += (tuple(sorted(problems[0])), len(problems[0].get("masks", ())))
    PROBLEMS.setdefault(keys, problems)
    return answered(keys)


def test_without_a_mistake_nothing_is_blamed():
    report = judge(NETWORK, oracle, SPECS).report()
    assert report.agree
    assert {e.label for e in report.equations} == {f"F{i}" for i in range(1, 7)} | {f"B{i}" for i in range(1, 12)}


@pytest.mark.usefixtures("no_witnesses")
@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_at_a_joint_is_named_and_put_in_words(mistake, tmp_path):
    with planted(mistake, tmp_path) as package:
        theirs = package.stack(package.cells.get("rnn"), **ALL)

        def manual(_, *arguments, **options):
            package.gradients.forward_and_backward(theirs, *arguments, **options)

        tally = judge(NETWORK, oracle, SPECS, manual=manual)
        sentences = diagnose(NETWORK, oracle, tally, manual=manual)
        seen, never_seen = (
            observe_joints(NETWORK, oracle, manual=manual, seed=seed, resets=True, dropout=True) for seed in (0, 1000)
        )
    report = tally.report()
    assert set(report.blame) == set(mistake.equations)
    assert not all(equation.end_to_end_agree for equation in report.equations), "the whole gradient must tell too"
    assert not set(SAID[mistake.what]) - set(sentences), sentences
    assert not any(sentence.startswith("No single mistake") for sentence in sentences)
    for equation in mistake.equations:
        assert gives(explain_joint(equation, seen[equation]), never_seen[equation])


def test_no_mistake_at_a_joint_is_taken_for_another():
    """Each formula that the network leaves room for is planted in its equation: what is said gives its numbers in cases
    never seen."""
    seen, never_seen = (observe_joints(NETWORK, oracle, seed=seed, resets=True, dropout=True) for seed in (0, 1000))

    def with_it(formula, observed):
        with np.errstate(all="ignore"):
            return [Observed(o.known, formula.value(o.known), o.right) for o in observed]

    count = 0
    for equation, observed in seen.items():
        for formula in formulas_at_joint(equation, [o.known for o in observed]):
            wrong = with_it(formula, observed)
            if shows(wrong):
                count += 1
                found = explain_joint(equation, wrong)
                assert gives(found, with_it(formula, never_seen[equation])), (formula.sentence, found.sentence)
    assert count > 400
