"""``verify --layers`` and its like: the setting reaches the judge, in this process and in others; the keys stay."""

import csv
import json

import numpy as np

from cell_files import RIGHT, STEP, WRONG, told
from manual_rnn import cells
from manual_rnn.cli.kept_answers import digest
from manual_rnn.cli.setting import Setting
from manual_rnn.testing import Sizes, Spec
from manual_rnn.testing.families import build

FEW = ("--examples", "2")
DEEP = ("--layers", "2", "--bidirectional", "--learned-initial", "--resets", "--dropout")
PASS = """
from manual_rnn.testing import Target, complex_step
PASS = Target(backward=lambda **given: {}, against=complex_step(lambda **given: 0), loss="random")
"""


def keys_of(document):
    (target,) = document["targets"]
    return [*document, *target, *target["equations"][0], *target["equations"][0]["worst"]]


def test_a_network_is_judged_and_the_json_has_the_same_keys(capsys):
    code, plain, _ = told(capsys, "verify", "rnn", "--json", *FEW)
    assert code == 0
    code, deep, _ = told(capsys, "verify", "rnn", "--json", *FEW, *DEEP)
    assert code == 0
    assert keys_of(json.loads(deep)) == keys_of(json.loads(plain))
    (target,) = json.loads(deep)["targets"]
    labels = {equation["name"]: equation["label"] for equation in target["equations"]}
    assert labels["grad_layer2_reverse.h"] == "B4"
    assert labels["layer2.x"] == "F5"
    assert labels["grad_layer1.initial_h"] == "B11"


def test_the_table_says_in_what_it_was_judged(capsys):
    code, stdout, _ = told(capsys, "verify", "rnn", *FEW, *DEEP, "--loss", "squared")
    assert code == 0
    words = "2 layers, both directions, learned initial state, resets, dropout, the loss squared"
    assert f"rnn with {words}: manual against autodiff" in stdout


def test_the_table_of_a_class_and_the_csv_say_it_of_each_target_also_of_one_that_failed(capsys, file, tmp_path):
    path = tmp_path / "verdicts.csv"
    fails = file(RIGHT.replace("(1 - node.h**2)", "None") + "'rnn')", "fails.py")
    code, stdout, stderr = told(capsys, "verify", f"{fails}:MINE", f"{fails}:RNN", *FEW, "--layers", "2", "--csv", path)
    assert code == 4, stderr
    assert stdout.startswith("judged with 2 layers\n")
    with path.open(encoding="utf-8", newline="") as opened:
        rows = {row["target"]: row["verdict"] for row in csv.DictReader(opened)}
    assert rows == {f"{fails}:MINE with 2 layers": "failed", f"{fails}:RNN with 2 layers": "agrees"}
    code, _, _ = told(capsys, "verify", "rnn", *FEW, "--csv", path)
    assert path.read_text(encoding="utf-8").splitlines()[1].startswith("rnn,agrees,")


def test_a_network_by_name_is_refused_with_the_options_that_make_one(capsys, file):
    path = file("from manual_rnn import cells, stack\nDEEP = stack(cells.get('gru'), layers=2)\n")
    code, stdout, stderr = told(capsys, "verify", f"{path}:DEEP", *FEW)
    assert (code, stdout, stderr.count("\n")) == (3, "", 1)
    assert ":DEEP is a Network; verify takes the cell that it is made of and stacks it by --layers, --bid" in stderr


def test_resets_alone_are_for_one_layer_of_a_plain_cell_too(capsys):
    code, stdout, _ = told(capsys, "verify", "rnn", *FEW, "--resets", "--json")
    assert code == 0
    (target,) = json.loads(stdout)["targets"]
    assert "h_before" in [equation["name"] for equation in target["equations"]]


def test_the_page_of_a_network_has_its_equations(capsys, tmp_path):
    page = tmp_path / "page.html"
    code, _, _ = told(capsys, "verify", "rnn", *FEW, *DEEP, "--report", page)
    assert code == 0
    text = page.read_text(encoding="utf-8")
    for name in ("layer2.x", "grad_layer1_reverse.h", "grad_x", "grad_layer2.initial_h", "layer1.h_before"):
        assert name in text


def test_cells_of_files_are_judged_in_it_and_from_kept_answers(capsys, file):
    right, wrong = file(RIGHT.replace("against=", "against='rnn')"), "right.py"), file(WRONG, "wrong.py")
    wrong.write_text(f"{wrong.read_text()}\nMINE = dataclasses.replace(RNN, backward=backward)\n")
    code, stdout, stderr = told(capsys, "verify", f"{right}:MINE", f"{wrong}:MINE", *FEW, *DEEP, "--json")
    assert code == 1, stderr
    of_right, of_wrong = json.loads(stdout)["targets"]
    assert of_right["agree"]
    assert {name.rpartition(".")[2] for name in of_wrong["blame"]} == {"a"}
    assert any(sentence.startswith("In layer1, ") for sentence in of_wrong["diagnosis"])


def test_a_cell_with_a_partner_of_its_own_is_judged_in_layers(capsys, file):
    own = file(STEP + RIGHT.replace("against=", "against=step)"))
    code, stdout, stderr = told(capsys, "verify", f"{own}:MINE", *FEW, "--layers", "2")
    assert code == 0, stdout + stderr


def test_kept_answers_are_of_these_boundaries_and_masks():
    network = Setting(layers=2).network(cells.get("rnn"))
    spec = Spec("ordinary", Sizes(3, 2, 2, 2, 2), "float64", 0, 5, resets=True, dropout=True)
    problem = build(network, spec).for_oracle()
    others = [problem | {"begins": ~problem["begins"]}]
    others += [problem | {"masks": {name: np.ones_like(mask) for name, mask in problem["masks"].items()}}]
    others += [{name: array for name, array in problem.items() if name != "begins"}]
    assert digest(problem) not in map(digest, others)


def test_what_cannot_be_is_said_in_a_sentence(capsys, file):
    code, _, stderr = told(capsys, "verify", "rnn", "--dropout")
    assert (code, stderr.count("\n")) == (2, 1)
    assert "--dropout masks what a layer hands to the one above, and there is one layer; add --layers 2" in stderr
    code, _, stderr = told(capsys, "verify", "rnn", "--layers", "0")
    assert (code, stderr.count("\n")) == (2, 1)
    code, _, stderr = told(capsys, "verify", f"{file(PASS)}:PASS", "--layers", "2", "--bidirectional")
    assert code == 2
    assert "is a Target, which is judged as it is; 2 layers, both directions: these options are for cells." in stderr
