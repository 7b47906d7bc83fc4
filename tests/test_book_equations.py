"""The book's equations and their code: none without the other, seen to fail where one is taken away."""

import dataclasses
import shutil
import sys
from pathlib import Path

import pytest

from manual_rnn import cells
from manual_rnn.testing import verify
from reference import autodiff

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def equations():
    sys.path.insert(0, str(ROOT / "docs" / "_extensions"))
    import book.equations

    yield book.equations
    sys.path.remove(str(ROOT / "docs" / "_extensions"))


@pytest.fixture(scope="module")
def report():
    return verify(cells.get("rnn"), autodiff("rnn"), examples=6)


@pytest.fixture
def copy(equations, tmp_path):
    """A copy of the files whose lines have numbers, to be spoilt."""
    files = [*equations.SHARED, "src/manual_rnn/losses/softmax.py"]
    files += [f"src/manual_rnn/cells/{name}.py" for name in cells.names()]
    for file in [*files, *(test.partition("::")[0] for test in equations.TESTS.values())]:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def spoil(path, old, new):
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")


def test_every_equation_of_the_rnn_has_its_line(equations, report):
    found, problems = equations.of_cell(cells.get("rnn"), report)
    assert problems == []
    assert {e.name: (e.number, e.lines[0].file.rpartition("/")[2]) for e in found} | {"n": len(found)} == {
        "a": ("F1", "bptt.py"), "h": ("F2", "rnn.py"), "o": ("F3", "readout.py"), "loss": ("F4", "softmax.py"),
        "grad_o": ("B1", "softmax.py"), "grad_c": ("B2", "readout.py"), "grad_V": ("B3", "readout.py"),
        "grad_h": ("B4", "readout.py"), "grad_a": ("B5", "rnn.py"), "grad_b": ("B6", "bptt.py"),
        "grad_W": ("B7", "bptt.py"), "grad_U": ("B8", "bptt.py"), "grad_x": ("B9", "bptt.py"),
        "grad_h0": ("B10", "bptt.py"), "n": 14,
    }  # fmt: skip
    assert [e.name for e in found if len(e.lines) > 1] == ["a", "o", "grad_h"]
    for number, shown in [(equation.number, line) for equation in found for line in equation.lines]:
        line = (ROOT / shown.file).read_text(encoding="utf-8").splitlines()[shown.number - 1].strip()
        assert line.replace(f"({number})", "").replace("#  ", "# ").removesuffix("  # ") == shown.code


@pytest.mark.parametrize("name", cells.names())
def test_every_number_in_a_cells_code_is_one_of_its_labels_or_makes_a_weight(equations, name):
    labels = set(cells.get(name).labels.values())
    made = {number for number in equations.own_lines(cells.get(name)) if number.partition(".")[0] in ("F0", "B7")}
    assert set(equations.own_lines(cells.get(name))) - made <= labels


def test_an_equation_without_code_is_missed(equations, report, copy):
    spoil(copy / "src/manual_rnn/cells/rnn.py", "# (B5)", "")
    _, (problem,) = equations.of_cell(cells.get("rnn"), report, root=copy)
    assert problem == "rnn.grad_a (B5) is an equation, and no line of code has its number."


def test_code_without_an_equation_is_missed(equations, report, copy):
    spoil(copy / "src/manual_rnn/cells/rnn.py", 'return {"h": h}', 'return {"h": h}  # (F2.9)')
    _, (problem,) = equations.of_cell(cells.get("rnn"), report, root=copy)
    assert problem.endswith("has the number F2.9, and rnn has no such equation.")


def test_a_node_without_latex_is_missed(equations, report):
    bare = [dataclasses.replace(e, latex=None) if e.name == "grad_a" else e for e in report.equations]
    spoilt = dataclasses.replace(report, equations=tuple(bare))
    _, (problem,) = equations.of_cell(cells.get("rnn"), spoilt)
    assert problem == "rnn.grad_a (B5) is computed, and there is no equation for it."


def test_a_gradient_that_disagrees_does_not_get_into_the_book(equations, report):
    wrong = [dataclasses.replace(e, local_agree=False) if e.name == "grad_a" else e for e in report.equations]
    spoilt = dataclasses.replace(report, equations=tuple(wrong))
    _, problems = equations.of_cell(cells.get("rnn"), spoilt)
    assert problems == ["rnn.grad_a (B5) does not agree with jax.grad."]


@pytest.mark.parametrize(("old", "new", "sentence"), [("# (B7)\n", "\n", "number B7"), ("# (B7)\n", "# (B77)\n", "B7")])
def test_a_shared_equation_without_its_line_is_missed(equations, copy, old, new, sentence):
    spoil(copy / "src/manual_rnn/bptt.py", old, new)
    with pytest.raises(equations.Missing, match=sentence):
        equations.shared_lines(copy)


@pytest.mark.parametrize(("file", "old"), [
    ("bptt.py", "# (F1) b + U x(t)"), ("bptt.py", "# (F1) + W h(t − 1)"), ("readout.py", "# (F3) V h(t)"),
    ("readout.py", "# (F3) + c"), ("readout.py", "# (B4)"), ("bptt.py", "carried[first])  # (B4)"),
])  # fmt: skip
def test_half_an_equation_is_missed(equations, copy, file, old):
    spoil(copy / "src/manual_rnn" / file, old, old.partition("#")[0])
    with pytest.raises(equations.Missing, match="not two have the number"):
        equations.shared_lines(copy)


def test_a_test_that_is_gone_is_missed(equations, copy):
    assert set(equations.where_tested(copy)) == set(equations.TESTS)
    spoil(copy / "tests/test_cli_verify.py", "test_without_a_target_all_built_in_cells_are_judged", "test_other")
    with pytest.raises(equations.Missing, match=r"tests/test_cli_verify\.py has no test test_without_a_target"):
        equations.where_tested(copy)
