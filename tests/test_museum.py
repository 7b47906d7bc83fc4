"""The museum, planted in every cell: each mistake is failed, named and put in words, and in a whole pass as well."""

import json
from functools import cache
from itertools import islice

import numpy as np
import pytest

from manual_rnn import cells, losses
from manual_rnn.cli import task
from manual_rnn.cli.mutation_score import mutation_score as command
from manual_rnn.errors import UsageError
from manual_rnn.tape import Tape
from manual_rnn.testing import check_backward, mutation
from manual_rnn.testing.mistakes.museum import museum
from manual_rnn.testing.mistakes.planting import Mistake, planted
from manual_rnn.testing.mutation import Planting, Score, Scores, mutation_score
from reference import autodiff
from thorough import only_thorough

RNN = cells.get("rnn")
ONE_OF = {"rnn": 2, "rnn_relu": 4, "antisymmetric_rnn": 4, "gru": 9, "lstm_peephole": 18}
"""Of each kind of cell one, and of how many of its mistakes one is planted in every run: a kink, a made weight and a
way past the map, gates, two states and products by element and maps that wait."""
WHOLE = ("rnn_identity", "rnn_relu", "antisymmetric_rnn", "gru", "lstm_peephole")
"""Planted with all their mistakes in the thorough run; the first has nothing that bends. ``mutation-score`` has every
cell."""
PLANTED_IN = [*ONE_OF.items(), *(pytest.param(name, 1, marks=pytest.mark.thorough) for name in WHOLE)]
NO_ROOM = {
    "rnn_identity": ("Jacobians", "derivative", "activation applied"),  # nothing to get wrong
    "rnn_relu": ("pre-activation", "activation applied twice"),  # its derivative reads a, and whether that is positive
}


@cache
def planting(name):
    return Planting(cells.get(name), autodiff(name))


def told(exhibit):
    """Its words and where it is: the carries of two states have the same mistakes."""
    return f"{exhibit.what}, in {', '.join(exhibit.mistake.changes)}"


@pytest.mark.parametrize(("name", "one_of"), PLANTED_IN)
def test_every_mistake_of_the_museum_is_failed_named_and_put_in_words(name, one_of):
    """All of a cell in one test, as the reference's answers are the same for all."""
    expected, found = {}, {}
    for exhibit in islice(museum(cells.get(name)), 0, None, one_of):
        score = planting(name).score(exhibit.mistake, in_reach=exhibit.in_reach)
        found[told(exhibit)] = (score.planted, score.failed, score.named, score.diagnosed, score.wrong)
        room = not any(words in exhibit.what for words in NO_ROOM.get(name, ()))
        expected[told(exhibit)] = (1, 1, 1, int(exhibit.in_reach), 0) if room else (0, 0, 0, 0, 0)
    assert found == expected


@pytest.mark.parametrize("name", cells.names())
def test_the_museum_has_room_in_every_cell(name):
    """What every cell has: a carry, a readout and a map, each with its mistakes, none of them twice."""
    exhibits = list(museum(cells.get(name)))
    assert len({told(exhibit) for exhibit in exhibits}) == len(exhibits) >= 20


def test_what_is_no_mistake_is_not_planted():
    assert planting("rnn").score(Mistake("nothing", {"grad_W": lambda known, value, t: value})) == Score()


def test_a_mistake_that_nothing_explains_counts_as_missed_and_not_as_wrong():
    odd = Mistake("odd", {"grad_U": lambda known, value, t: np.cosh(value)})
    score = planting("rnn").score(odd)
    assert (score.failed, score.named, score.diagnosed, score.wrong) == (1, 1, 0, 0)
    assert score.missed == ["grad_U: odd"]


@pytest.mark.parametrize("name", ["rnn_orthogonal", "antisymmetric_rnn"])
def test_mistakes_in_a_weight_that_is_made_of_a_parameter_are_planted_too(name):
    """It has no steps, so no formula of a step is tried on it."""
    (made,) = cells.get(name).weights
    equations = (made.name, f"grad_{made.of}")
    score = mutation_score(cells.get(name), autodiff(name), equations=equations, sample=12).mechanical
    assert score.planted == score.failed == score.named == score.diagnosed >= 8
    assert score.wrong == 0
    odd = planting(name).score(Mistake("odd", {f"grad_{made.of}": lambda known, value, t: np.cosh(value)}))
    assert (odd.failed, odd.named, odd.diagnosed, odd.wrong) == (1, 1, 0, 0)


def as_a_whole_pass(mistake):
    manual = planted(mistake)

    def backward(*, x, y, h0, **params):
        tape, grads = Tape(len(x)), Tape(len(x))
        weights = np.ones(y.shape)
        manual(RNN, params, x, y, weights, {"h": h0}, inputs=True, tape=tape, grads=grads)
        return {name: grads[name] for name in (*params, "h0", "x")}

    return backward


OF_RNN = list(museum(RNN))
"""In every run half of them are planted in the equations, the others in a whole pass; in the thorough run all."""


@pytest.mark.parametrize("exhibit", [*OF_RNN[1::2], *only_thorough(*OF_RNN[::2])], ids=lambda exhibit: exhibit.what)
def test_in_a_whole_pass_it_fails_and_is_put_in_words(exhibit):
    report = check_backward(as_a_whole_pass(exhibit.mistake), against=autodiff("rnn"), regimes=["ordinary"])
    if exhibit.what == "softmax unshifted":  # shows only where it overflows, and these cases are tame
        assert report.agree
        return
    assert not report.agree
    single = [check for check in report.preflight if check.name == "float64" and not check.agree]
    said = report.diagnosis and not report.diagnosis[0].startswith("No ")
    assert bool(said) == (exhibit.in_reach and not single)
    assert bool(single) == exhibit.what.startswith("float32")


def test_the_command_counts_museum_and_mechanical_apart_and_in_sum(monkeypatch, capsys):
    scores = Scores(Score(3, 3, 3, 2, 0, 2), Score(10, 10, 9, 9, 0, 10, ["grad_W: ∇W is zero."]))
    monkeypatch.setattr(mutation, "mutation_score", lambda cell, oracle, **options: scores)
    monkeypatch.setattr(task, "cores", lambda: 1)
    assert command("rnn", "rnn_relu", json=True) == 0
    document = json.loads(capsys.readouterr().out)
    names = ("planted", "failed", "named", "diagnosed", "wrong")
    assert [document[name] for name in names] == [26, 26, 24, 22, 0]
    assert [document["museum"][name] for name in (*names, "in_reach")] == [6, 6, 6, 4, 0, 4]
    assert [document["mechanical"][name] for name in (*names, "in_reach")] == [20, 20, 18, 18, 0, 20]
    assert document["cells"]["rnn"]["museum"]["planted"] == 3
    assert command("rnn") == 0
    out = capsys.readouterr().out
    assert "museum" in out
    assert "not named or not diagnosed: grad_W: ∇W is zero." in out


def test_the_command_hands_on_the_loss_and_refuses_one_that_is_not_there(monkeypatch, capsys):
    told = []
    score = Scores(Score(1, 1, 1, 1, 0, 1))
    monkeypatch.setattr(mutation, "mutation_score", lambda cell, oracle, **options: told.append(options) or score)
    assert command("rnn", loss="squared", json=True) == 0
    assert [options["loss"] for options in told] == ["squared"]
    assert json.loads(capsys.readouterr().out)["loss"] == "squared"
    with pytest.raises(UsageError, match="There is no loss 'mse'; --loss is one of bernoulli, softmax, squared"):
        command("rnn", loss="mse")


@pytest.mark.parametrize("loss", losses.names())
def test_the_mistakes_of_a_loss_are_failed_named_and_put_in_words(loss):
    of_loss = Planting(RNN, autodiff("rnn"), loss)
    of_its_own = [e for e in museum(RNN, loss) if set(e.mistake.changes) <= {"loss", "grad_o"}]
    assert len(of_its_own) >= 2
    for exhibit in of_its_own:
        score = of_loss.score(exhibit.mistake)
        assert (score.planted, score.failed, score.named, score.diagnosed, score.wrong) == (1, 1, 1, 1, 0), exhibit.what


def test_the_command_fails_where_a_planted_mistake_is_passed(monkeypatch, capsys):
    monkeypatch.setattr(mutation, "mutation_score", lambda cell, oracle, **options: Scores(Score(3, 2, 2, 2, 0, 3)))
    assert command("rnn") == 1
    capsys.readouterr()
