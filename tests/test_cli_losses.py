"""``verify --loss``: the loss reaches the judge, in this process and in others; the JSON has the same keys."""

import json

import pytest

from manual_rnn import cells
from manual_rnn.cli.app import main
from manual_rnn.cli.kept_answers import digest
from manual_rnn.testing import Sizes, Spec
from manual_rnn.testing.families import build
from thorough import only_thorough

OWN = """
from manual_rnn import cells
from manual_rnn.testing import Target, complex_step
RNN = cells.get("rnn")
PASS = Target(backward=lambda **given: {}, against=complex_step(lambda **given: 0), loss="random")
"""


def verify(capsys, *arguments):
    code = main(["verify", *arguments])
    return code, capsys.readouterr()


def keys_of(document):
    (target,) = document["targets"]
    return [*document, *target, *target["equations"][0], *target["equations"][0]["worst"]]


def test_the_judge_takes_the_loss_and_the_json_has_the_same_keys(capsys):
    documents = {}
    for loss in ("softmax", "squared"):
        code, printed = verify(capsys, "rnn", "--loss", loss, "--examples", "8", "--json")
        assert code == 0
        documents[loss] = json.loads(printed.out)
    assert keys_of(documents["squared"]) == keys_of(documents["softmax"])
    errors = [[e["max_error_ulp"] for e in d["targets"][0]["equations"]] for d in documents.values()]
    assert errors[0] != errors[1]


def test_the_table_says_which_loss(capsys):
    code, printed = verify(capsys, "rnn", "--loss", "bernoulli", "--examples", "8")
    assert code == 0
    assert "rnn with the loss bernoulli: manual against autodiff" in printed.out


def test_a_class_is_judged_with_it_and_from_kept_answers(capsys, file):
    (one, two) = (file(OWN, name) for name in ("one.py", "two.py"))
    code, printed = verify(capsys, f"{one}:RNN", f"{two}:RNN", "--loss", "squared", "--examples", "8")
    assert (code, printed.out.count("agrees")) == (0, 2), printed


def test_a_loss_that_is_not_there(capsys):
    code, printed = verify(capsys, "rnn", "--loss", "mse")
    assert code == 2
    assert "There is no loss 'mse'; --loss is one of bernoulli, softmax, squared." in printed.err


def test_a_whole_pass_says_its_own_loss(capsys, file):
    code, printed = verify(capsys, f"{file(OWN)}:PASS", "--loss", "squared")
    assert code == 2
    assert "is a Target, which says its own loss; --loss is for cells." in printed.err


def test_kept_answers_are_of_one_loss():
    case = build(cells.get("rnn"), Spec("ordinary", Sizes(3, 1, 2, 2, 2), "float64", 0, 5, "squared"))
    problem = case.for_oracle()
    assert digest(problem) != digest(problem | {"loss": "bernoulli"})


@pytest.mark.parametrize("loss", ["bernoulli", *only_thorough("squared")])
def test_a_wrong_cell_is_diagnosed_with_the_loss(capsys, file, loss):
    wrong = file("""
from dataclasses import replace
from manual_rnn import cells
RNN = cells.get("rnn")
def backward(node, prev, grad, tap):
    return {"a": tap("a", (1 + node.h * node.h) * grad.h)}
WRONG = replace(RNN, backward=backward)
""")
    code, printed = verify(capsys, f"{wrong}:WRONG", "--loss", loss, "--examples", "8", "--json")
    (target,) = json.loads(printed.out)["targets"]
    assert (code, target["blame"]) == (1, ["grad_a"])
    assert any("manual stands alone" in sentence for sentence in target["diagnosis"])
