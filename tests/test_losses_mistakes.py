"""Each mistake planted in a loss fails, and the local verdict names the equation of the wrong line and no other."""

import pytest

from manual_rnn import cells
from manual_rnn.testing import Sizes, Spec, verdicts
from manual_rnn.testing.families import build
from manual_rnn.testing.mutation import mutation_score
from mistakes_of_losses import MISTAKES
from planting import planted
from reference import autodiff

RNN = cells.get("rnn")
NEW = ("bernoulli", "squared")
CASES = [
    ("ordinary", 5), ("ordinary", 40), ("ordinary", 90), ("logits", 40), ("logits", 90), ("saturated", 40),
]  # fmt: skip


@pytest.fixture(scope="module")
def answered():
    drawn = {
        loss: [build(RNN, Spec(f, Sizes(8, 2, 3, 8, 5), "float64", seed, s, loss)) for f, s in CASES for seed in (0, 1)]
        for loss in NEW
    }
    return {
        loss: list(zip(of_loss, autodiff("rnn")([c.for_oracle() for c in of_loss]), strict=True))
        for loss, of_loss in drawn.items()
    }


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_in_a_loss_is_named_and_nothing_else(mistake, answered, tmp_path):
    loss = mistake.file.removeprefix("losses/")
    with planted(mistake, tmp_path) as package:
        manual = package.gradients.forward_and_backward
        wrong = {
            name
            for case, answer in answered[loss]
            for name, check in verdicts(RNN, case, answer, manual=manual)[0].items() if not check.agree
        }  # fmt: skip
    assert wrong == set(mistake.equations)


def test_there_are_enough_mistakes():
    assert {m.equations for m in MISTAKES if "squared" in m.file} >= {("loss",), ("grad_o",)}
    assert {m.equations for m in MISTAKES if "bernoulli" in m.file} >= {("loss",), ("grad_o",)}
    assert len(MISTAKES) >= 10


@pytest.mark.parametrize("loss", NEW)
def test_mistakes_made_mechanically_are_failed_named_and_explained(loss):
    score = mutation_score(RNN, autodiff("rnn"), loss=loss, equations=("loss", "grad_o")).total
    assert score.planted >= 20
    assert score.failed == score.planted
    assert score.wrong == 0
    assert score.named >= 0.95 * score.planted, score.missed
    assert score.diagnosed >= 0.9 * score.planted, score.missed
