"""``new-cell``: what it writes passes as it is, and it never takes a name or a file that is taken."""

import shlex

import pytest

from manual_rnn.cli.app import main
from manual_rnn.cli.new_cell import taken_names


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_skeleton_passes_and_the_next_command_is_told(capsys, here):
    assert main(["new-cell", "my_cell"]) == 0
    output = capsys.readouterr()
    assert output.out == "my_cell.py\n"
    next_command = output.err.strip().removeprefix("Next: ")
    assert next_command == "manual-rnn verify my_cell.py:my_cell"
    assert main([*shlex.split(next_command)[1:], "--examples", "8"]) == 0
    table = capsys.readouterr().out
    assert "grad_s" in table
    assert "All equations agree" in table


def test_a_mistake_in_the_skeleton_is_found(capsys, here):
    main(["new-cell", "my_cell"])
    file = here / "my_cell.py"
    text = file.read_text(encoding="utf-8")
    assert text.count("LEAK * grad.h") == 1
    file.write_text(text.replace("LEAK * grad.h", "grad.h"), encoding="utf-8")
    assert main(["verify", "my_cell.py:my_cell", "--examples", "8"]) == 1
    assert "grad_s (B5) is wrong" in capsys.readouterr().out


def test_out_names_the_file(capsys, here):
    (here / "cells of mine").mkdir()
    assert main(["new-cell", "my_cell", "--out", "cells of mine/first.py"]) == 0
    output = capsys.readouterr()
    assert output.out == "cells of mine/first.py\n"
    assert output.err == "Next: manual-rnn verify 'cells of mine/first.py:my_cell'\n"
    assert "first.py:my_cell" in (here / "cells of mine/first.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["my-cell"], 2, "must be a Python identifier"),
        (["3d"], 2, "must be a Python identifier"),
        (["lambda"], 2, "must be a Python identifier"),
        (["forward"], 2, "the file itself needs"),
        (["there"], 2, "is there already"),
        (["mine", "--out", "there.py"], 2, "is there already"),
        (["mine", "--out", "mine.txt"], 2, "ends in .py"),
        (["mine", "--out", "nowhere/mine.py"], 3, "could not be written"),
        ([], 2, "requires an argument"),
    ],
)
def test_what_cannot_be_made_is_told(capsys, here, arguments, code, said):
    (here / "there.py").write_text("precious")
    assert main(["new-cell", *arguments]) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert said in output.err
    assert [file.name for file in here.iterdir()] == ["there.py"]
    assert (here / "there.py").read_text() == "precious"


def test_the_names_that_are_taken_are_those_of_the_file():
    assert taken_names() == {"np", "jnp", "Cell", "LEAK", "forward", "backward", "reference"}
