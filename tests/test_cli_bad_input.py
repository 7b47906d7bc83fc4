"""What ``manual-rnn verify`` cannot judge: the exit codes 2, 3 and 4, one sentence, the user's own traceback."""

import json
import re
from dataclasses import fields

import pytest

from cell_files import FEW, HEAD, RIGHT, WRONG, told
from manual_rnn.options import TrainingOptions
from thorough import only_thorough

# Usage: 2

WHOLE = [f.name.replace("_", "-") for f in fields(TrainingOptions) if f.type in ("int", "int | None")]


def test_the_options_of_training_that_are_whole_numbers_are_found():
    assert {"layers", "steps", "chrono"} < set(WHOLE)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["verify", "gpt"], r"no target 'gpt'.*built-in cells are .*rnn.*path/to/file\.py:NAME"),
        (["verify", "rnn", "gpt"], r"no target 'gpt'"),
        (["verify", "no_such_module:MINE"], r"no module 'no_such_module'"),
        (["verify", "manual_rnn.cells.rnn:MINE"], r"manual_rnn\.cells\.rnn has no 'MINE'.*CELL"),
        (["verify", "rnn", "--colour"], r"--colour"),
        (["verify", "rnn", "--examples", "0"], r"examples"),
        (["verify", "rnn", "--examples", "-5"], r"examples"),
        (["verify", "rnn", "--examples", "many"], r"examples.*many"),
        (["verify", "rnn", "--examples", "2.5"], r'--examples: "2\.5" is given; a whole number is expected'),
        (["verify", "rnn", "--layers", "two"], r"--layers.*two"),
        (["verify", "rnn", "--layers", "1.5"], r'--layers: "1\.5" is given; a whole number is expected'),
        (["verify", "rnn", "--seed", "-1"], r"seed"),
        (["sample", "run", "--length", "1.5"], r'--length: "1\.5" is given; a whole number is expected'),
        (["mutation-score", "rnn", "--sample=9.5"], r'--sample: "9\.5" is given; a whole number is expected'),
        *(
            (["train", "--out", "run", f"--{name}", "2.6"], rf'--{name}: "2\.6" is given; a whole number is expected')
            for name in WHOLE
        ),
        (["prove", "rnn"], r"prove.*verify"),
    ],
    ids=str,
)
def test_usage_errors_end_with_two(capsys, arguments, what):
    code, stdout, stderr = told(capsys, *arguments)
    assert (code, stdout) == (2, "")
    assert re.search(what, " ".join(stderr.split()))
    assert "Traceback" not in stderr
    code, stdout, stderr = told(capsys, *arguments, "--json")
    assert (code, stderr) == (2, "")
    document = json.loads(stdout)
    assert document.keys() == {"version", "error"}
    assert document["version"] == 1
    assert document["error"].keys() == {"kind", "message"}
    assert document["error"]["kind"] == "usage"
    assert re.search(what, " ".join(document["error"]["message"].split()))


def test_a_file_without_the_name_says_which_cells_are_in_it(capsys, file):
    path = file(RIGHT + '"rnn")')
    code, _, stderr = told(capsys, "verify", f"{path}:YOURS")
    assert code == 2
    assert re.search(r"has no 'YOURS'; what can be verified in it: RNN, MINE", stderr)


# What was given cannot be used: 3


def refused(capsys, target, code):
    """The lines on stderr that a target is refused with."""
    ended, stdout, stderr = told(capsys, "verify", target, "--examples", 2)
    assert (ended, stdout) == (code, "")
    assert stderr.startswith("manual-rnn: ")
    return stderr.splitlines()


@pytest.mark.parametrize("name", ["none.py:MINE", "folder/none.py:MINE"])
def test_a_missing_file(capsys, tmp_path, name):
    (line,) = refused(capsys, tmp_path / name, 3)
    assert re.search(r"There is no file .*none\.py\.", line)


def test_a_folder_is_no_file(capsys, tmp_path):
    (tmp_path / "folder.py").mkdir()
    (line,) = refused(capsys, f"{tmp_path / 'folder.py'}:MINE", 3)
    assert "There is no file" in line


@pytest.mark.parametrize(("name", "kind"), [("backward", "function"), ("Cell", "type")])
def test_a_name_that_is_no_cell(capsys, file, name, kind):
    (line,) = refused(capsys, f"{file(WRONG)}:{name}", 3)
    assert re.search(rf"{name} is of the type {kind}; expected a .*Cell .* or a manual_rnn\.testing\.Target", line)


@pytest.mark.parametrize("against", ["None)", '"elman")'])
def test_a_cell_without_a_partner(capsys, file, against):
    (line,) = refused(capsys, f"{file(RIGHT + against)}:MINE", 3)
    assert "has no partner to be compared with" in line


def test_a_cell_and_a_partner_that_do_not_fit(capsys, file):
    content = HEAD.replace('tap("a", FORMULA)', "grad.h") + "MINE = dataclasses.replace(RNN, backward=backward)"
    (line,) = refused(capsys, f"{file(content)}:MINE", 3)
    assert "grad_a is missing" in line


# A user's code fails: 4


FAILS = {
    "raises": ("raise KeyError('mine')", r"could not be loaded: it raised KeyError: 'mine'", "KeyError"),
    "exits": ("import sys\nsys.exit(0)", r"could not be loaded: it called sys\.exit\(\)", "SystemExit"),
    "is no Python": ("def f(:\n", r"could not be loaded: it raised SyntaxError", "SyntaxError"),
    "imports what is not there": (
        "import no_such_package", r"could not be loaded: it raised ModuleNotFoundError: .*no_such_package", "ModuleNot",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FAILS)
def test_a_file_that_fails_when_it_is_loaded(capsys, file, what):
    content, sentence, raised = FAILS[what]
    first, *rest = refused(capsys, f"{file(content)}:MINE", 4)
    assert re.search(sentence, first)
    assert any(raised in line for line in rest), "its own traceback stands below"
    assert not any("manual_rnn" in line or "<frozen" in line for line in rest), "and nothing of ours"


def failing_cell(file, failure):
    body = f"def fails(node, prev, grad, tap):\n    {failure}\n\nMINE = dataclasses.replace(RNN, backward=fails)\n"
    return f"{file(WRONG + body)}:MINE"


@pytest.mark.parametrize("raised", ["KeyError", *only_thorough("ValueError")])
def test_a_cell_that_raises_is_told_in_a_sentence_with_its_own_traceback_below(capsys, file, raised):
    first, *rest = refused(capsys, failing_cell(file, f"raise {raised}('of mine')"), 4)
    assert re.search(r"The cell 'rnn' .*of mine", first)
    assert re.search(r"T=\d+ B=\d+", first), "for which sizes"
    assert rest[0].startswith("Traceback")
    assert any(re.search(r"File \".*cell_\d+\.py\", line \d+, in fails", line) for line in rest)
    assert rest[-1].startswith(raised)
    assert sum(line.startswith("Traceback") for line in rest) == 1, "none of our own above it"


def test_a_failure_is_one_document_too(capsys, file):
    code, stdout, _ = told(capsys, "verify", failing_cell(file, "raise KeyError('of mine')"), *FEW, "--json")
    assert code == 4
    error = json.loads(stdout)["error"]
    assert error["kind"] == "failed"
    assert "raised KeyError" in error["message"]
    assert "Traceback" not in error["message"]


def test_a_cell_that_exits_is_a_failure_and_not_the_end(capsys, file):
    assert "sys.exit()" in refused(capsys, failing_cell(file, "import sys; sys.exit(0)"), 4)[0]


def test_a_cell_that_writes_in_place_is_told_so(capsys, file):
    content = HEAD.replace("    return", "    grad.h *= 1 - node.h**2\n    return").replace("FORMULA", "grad.h")
    target = f"{file(content + 'MINE = dataclasses.replace(RNN, backward=backward)')}:MINE"
    assert "writes into an array that it was handed" in refused(capsys, target, 4)[0]


def test_what_a_users_file_prints_is_no_result(capsys, file):
    body = HEAD.replace("FORMULA", "(1 - node.h**2) * grad.h")
    body = body.replace("    return", "    SAID or SAID.append(print('when run'))\n    return")
    path = file('print("when loaded")\nSAID = []\n' + body + "MINE = dataclasses.replace(RNN, backward=backward)")
    code, stdout, stderr = told(capsys, "verify", f"{path}:MINE", *FEW, "--json")
    assert code == 0
    assert json.loads(stdout)["agree"]
    assert stderr == "when loaded\nwhen run\n", "it was loaded once"
