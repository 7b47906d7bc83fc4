"""Mistakes at the joints of a network's cells, each planted in a copy of the code: seen, and named by its equations."""

from functools import cache

import pytest

from manual_rnn import cells, stack
from manual_rnn.testing import Sizes, Spec, judge
from manual_rnn.testing.families import build
from planting import Mistake, planted
from reference import autodiff

ALL = {"layers": 2, "bidirectional": True, "learned_initial": True}
NETWORK = stack(cells.get("rnn"), **ALL)
SPECS = [Spec("ordinary", Sizes(5, 3, 4, 3, 2), "float64", seed, 40, resets=True, dropout=True) for seed in range(3)]
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


@cache
def truth():
    return autodiff("rnn", **ALL)([build(NETWORK, spec).for_oracle() for spec in SPECS])


def oracle(problems):
    return truth()[: len(problems)]


def test_without_a_mistake_nothing_is_blamed():
    report = judge(NETWORK, oracle, SPECS).report()
    assert report.agree
    assert {e.label for e in report.equations} == {f"F{i}" for i in range(1, 6)} | {f"B{i}" for i in range(1, 12)}


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_at_a_joint_is_named(mistake, tmp_path):
    with planted(mistake, tmp_path) as package:
        theirs = package.stack(package.cells.get("rnn"), **ALL)

        def manual(_, *arguments, **options):
            package.gradients.forward_and_backward(theirs, *arguments, **options)

        report = judge(NETWORK, oracle, SPECS, manual=manual).report()
    assert set(report.blame) == set(mistake.equations)
    assert not all(equation.end_to_end_agree for equation in report.equations), "the whole gradient must tell too"
