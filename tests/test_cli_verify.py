"""``manual-rnn verify`` of cells as the contract has it: what agrees, what disagrees, one JSON document."""

import contextlib
import io
import json
import re

import pytest

from cell_files import FEW, HEAD, RIGHT, STEP, WRONG, told
from manual_rnn import cells
from manual_rnn.cli.app import main

EQUATIONS = {
    "a": "F1", "h": "F2", "o": "F3", "loss": "F4", "grad_o": "B1", "grad_c": "B2", "grad_V": "B3", "grad_h": "B4",
    "grad_a": "B5", "grad_b": "B6", "grad_W": "B7", "grad_U": "B8", "grad_x": "B9", "grad_h0": "B10",
}  # fmt: skip


def wrong_cell(file):
    return f"{file(WRONG + 'MINE = dataclasses.replace(RNN, backward=backward)')}:MINE"


# What agrees


@pytest.fixture(scope="module")
def of_rnn():
    """(exit code, stdout, stderr) of one run that several tests look at."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        code = main(["verify", "rnn", "--json", "--examples", "20"])
    return code, stdout.getvalue(), stderr.getvalue()


def test_the_document_is_that_of_the_contract(of_rnn):
    code, stdout, stderr = of_rnn
    assert (code, stderr) == (0, "")
    assert stdout.count("\n") == 1
    document = json.loads(stdout)
    assert document.keys() == {"version", "agree", "seconds", "targets"}
    assert (document["version"], document["agree"]) == (1, True)
    assert isinstance(document["seconds"], float)
    (target,) = document["targets"]
    assert target.keys() == {
        "name", "agree", "examples", "shapes", "max_length", "ill_conditioned", "undecided", "families", "equations",
        "blame", "diagnosis",
    }  # fmt: skip
    assert (target["name"], target["agree"], target["blame"], target["diagnosis"]) == ("rnn", True, [], [])
    assert target["examples"] == 20
    counts = [target[name] for name in ("examples", "shapes", "max_length", "ill_conditioned", "undecided")]
    for family in target["families"].values():
        assert family.keys() == {"examples", "ill_conditioned", "undecided"}
        counts += family.values()
    assert all(type(count) is int for count in counts)
    for name in ("examples", "ill_conditioned", "undecided"):
        assert sum(family[name] for family in target["families"].values()) == target[name]
    assert 0 < target["ill_conditioned"] < 20


def test_each_equation_has_its_name_number_error_and_place(of_rnn):
    (target,) = json.loads(of_rnn[1])["targets"]
    assert {equation["name"]: equation["label"] for equation in target["equations"]} == EQUATIONS
    assert [equation["label"] for equation in target["equations"]] == [
        *(f"F{i}" for i in range(1, 5)), *(f"B{i}" for i in range(1, 11))
    ]  # fmt: skip
    for equation in target["equations"]:
        assert {"name", "label", "agree", "max_error_ulp", "max_relative_error", "worst"} <= equation.keys()
        assert equation["agree"] is True
        assert 0 <= equation["max_error_ulp"] < 600
        worst = equation["worst"]
        assert {"t", "batch", "index", "sizes", "dtype", "family", "seed"} <= worst.keys()
        assert worst["sizes"].keys() == {"T", "B", "n_in", "n_hidden", "n_out"}
        for name, number in (("t", worst["sizes"]["T"]), ("batch", worst["sizes"]["B"])):
            assert worst[name] is None or (type(worst[name]) is int and 0 <= worst[name] < number)
        assert all(type(i) is int for i in worst["index"])
        assert type(worst["seed"]) is int
        assert (worst["t"] is None) == (equation["name"] in {f"grad_{p}" for p in ("U", "W", "b", "V", "c", "h0")})


def test_the_table_names_every_equation_with_its_number(capsys):
    code, stdout, stderr = told(capsys, "verify", "rnn", *FEW)
    assert (code, stderr) == (0, "")
    for name, label in EQUATIONS.items():
        sizes = r"T=\d+ B=\d+ n_in=\d+ n_hidden=\d+ n_out=\d+"
        assert re.search(rf"^{label} +{name} +agrees +[\d.e+]+ .*{sizes}", stdout, re.M), name
    assert "10 cases" in stdout
    assert "All equations agree with jax.grad" in stdout


def test_without_a_target_all_built_in_cells_are_judged(capsys):
    code, stdout, _ = told(capsys, "verify", "--json", "--examples", 2)
    assert code == 0
    assert [target["name"] for target in json.loads(stdout)["targets"]] == cells.names()


def test_several_targets_are_judged_in_their_order(capsys):
    _, stdout, _ = told(capsys, "verify", "rnn_relu", "rnn", "--json", "--examples", 10)
    targets = json.loads(stdout)["targets"]
    assert [target["name"] for target in targets] == ["rnn_relu", "rnn"]
    assert "near_kink" in targets[0]["families"]
    assert "near_kink" not in targets[1]["families"]


def test_the_same_seed_judges_the_same_cases(capsys, of_rnn):
    def judged(seed):
        return json.loads(told(capsys, "verify", "rnn", "--json", "--seed", seed, "--examples", 20)[1])["targets"]

    before = json.loads(of_rnn[1])["targets"]
    assert judged(0) == before
    assert judged(6) != before


@pytest.mark.parametrize("against", ['"rnn")', "step)"])
def test_a_right_cell_of_ones_own_agrees(capsys, file, against):
    path = file(STEP + RIGHT + against)
    code, stdout, stderr = told(capsys, "verify", f"{path}:MINE", *FEW, "--json")
    assert (code, stderr) == (0, "")
    assert json.loads(stdout)["agree"]


def test_a_module_is_found_in_the_working_folder(capsys, file, monkeypatch):
    path = file(STEP + RIGHT + "step)", name="cell_of_a_working_folder.py")
    monkeypatch.chdir(path.parent)
    monkeypatch.syspath_prepend(str(path.parent))
    assert told(capsys, "verify", "cell_of_a_working_folder:MINE", *FEW)[0] == 0


# What disagrees


def test_a_wrong_cell_ends_with_one_and_the_wrong_equation_is_blamed(capsys, file):
    code, stdout, stderr = told(capsys, "verify", "rnn", wrong_cell(file), *FEW, "--json")
    assert (code, stderr) == (1, "")
    document = json.loads(stdout)
    beside, target = document["targets"]
    assert beside["agree"], "one that is right stays right beside it"
    assert (document["agree"], target["agree"], target["blame"]) == (False, False, ["grad_a"])
    agree = {equation["name"]: equation["agree"] for equation in target["equations"]}
    assert not agree["grad_a"]
    assert agree["a"]
    assert agree["h"]
    assert any(re.match(r"grad_a \(B5\) is wrong", sentence) for sentence in target["diagnosis"])


def test_the_table_says_what_is_wrong(capsys, file):
    code, stdout, _ = told(capsys, "verify", wrong_cell(file), *FEW)
    assert code == 1
    assert re.search(r"^B5 +grad_a +WRONG", stdout, re.M)
    assert re.search(r"^F2 +h +agrees", stdout, re.M)
    assert "grad_a (B5) is wrong" in stdout
    assert "All equations agree" not in stdout


def test_a_derivative_that_is_not_a_number_is_valid_json(capsys, file):
    content = HEAD.replace("FORMULA", "np.nan * grad.h") + "MINE = dataclasses.replace(RNN, backward=backward)"
    code, stdout, _ = told(capsys, "verify", f"{file(content)}:MINE", *FEW, "--json")
    assert code == 1
    (target,) = json.loads(stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["targets"]
    assert target["blame"] == ["grad_a"]
