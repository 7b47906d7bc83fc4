"""Every equation of every cell and loss, beside the lines of code that compute it and the tests that hold it.

Each side is found by itself: the equations from what a cell declares and its run leaves on the tape, the lines from
the numbers in their comments. What has no partner on the other side is a mistake of the book, and ends its build.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from manual_rnn import cells, losses
from manual_rnn.cell import Cell
from manual_rnn.testing import verify
from manual_rnn.testing.report import Report
from reference import autodiff

ROOT = Path(__file__).parents[3]
EXAMPLES = 12
"""Cases in which each cell is judged while the book is built."""
TAUGHT = ["rnn", "lstm", "gru"]
"""The cells that have a chapter; the index begins with them."""
SHARED = ("src/manual_rnn/readout.py", "src/manual_rnn/bptt.py")
"""What all cells share beside the loss: the readout, the walk over the steps."""
SHARED_NUMBERS = ("F1", "F3", "F4", "B1", "B2", "B3", "B4", "B6", "B7", "B8", "B9", "B10")
IN_TWO = ("F1", "F3", "B4")
"""What comes from two places is computed in two lines; that both have the number is held."""
HANDED_ON = ("F0", "F2", "B5")
"""Numbers in the shared files whose line calls the cell's own code, where the equation stands."""
NUMBERED = re.compile(r"# \((?P<number>[FB]\d+(?:\.\d+)?)\)(?P<more>.*)$")

CODE, CODE_OF_LOSS = "its code, against jax.grad", "its code in every kind of cell, against jax.grad"
AS_SHOWN = "the equation, as it is shown"
TESTS = {
    CODE: "tests/test_cli_verify.py::test_without_a_target_all_built_in_cells_are_judged",
    CODE_OF_LOSS: "tests/test_losses.py::test_every_equation_of_every_cell_agrees_in_every_family",
    AS_SHOWN: "tests/test_derivations.py::test_every_equation_as_it_is_shown_holds_of_the_references_values",
}
"""What each test shows, and which it is. The last leaves out losses, and weights that are made of parameters."""


class Missing(Exception):
    """An equation without code, code without an equation, or either without a test."""


@dataclass(frozen=True)
class Line:
    """A line of code as it stands in its file, without the number in its comment."""

    file: str
    number: int
    code: str

    @property
    def target(self) -> str:
        return f"{self.file}#line-{self.number}"


@dataclass(frozen=True)
class Equation:
    """One equation of one cell or loss, and all that the book knows of it."""

    of: str
    name: str
    number: str
    latex: str
    lines: tuple[Line, ...]
    """Mostly one. F1 is two: what comes from outside is made for all steps at once."""
    error_ulp: float
    """The largest error of its code alone, fed with right values, in units in the last place, in this build."""
    examples: int

    @property
    def tests(self) -> dict[str, Line]:
        """The tests that hold it, by what they show."""
        left_out = self.name in ("loss", "grad_o") or self.number in ("F0", "B7.1", "B7.2")
        code = CODE_OF_LOSS if self.of in losses.names() else CODE
        return {shows: where_tested()[shows] for shows in ((code,) if left_out else (code, AS_SHOWN))}

    @property
    def key(self) -> str:
        return f"{self.of}.{self.name}"

    @property
    def anchor(self) -> str:
        return "equation-" + re.sub(r"[^a-z0-9]+", "-", self.key.lower().replace("_", "-").replace(".", "--"))


@cache
def all_equations() -> dict[str, Equation]:
    """Those of all cells by CELL.NAME, then of the other losses by LOSS.NAME, judged by ``jax.grad`` here and now.

    Raises Missing, with all that is missing, where an equation has no code or no LaTeX, or code no equation.
    """
    found: dict[str, Equation] = {}
    problems: list[str] = []
    for name in [*TAUGHT, *(name for name in cells.names() if name not in TAUGHT)]:
        report = verify(cells.get(name), autodiff(name), examples=EXAMPLES)
        equations, missing = of_cell(cells.get(name), report)
        found |= {equation.key: equation for equation in equations}
        problems += missing
    for loss in [name for name in losses.names() if name != "softmax"]:
        report = verify(cells.get("rnn"), autodiff("rnn"), examples=EXAMPLES, loss=loss)
        equations, missing = of_cell(cells.get("rnn"), report, loss=loss)
        own = [replace(equation, of=loss) for equation in equations if equation.name in ("loss", "grad_o")]
        found |= {equation.key: equation for equation in own}
        problems += missing
    if problems:
        raise Missing(" ".join(problems))
    return found


def of_cell(
    cell: Cell, report: Report, *, loss: str = "softmax", root: Path = ROOT
) -> tuple[list[Equation], list[str]]:
    """The equations of a cell that was judged with a loss, and a sentence for each that lacks something."""
    own, shared = own_lines(cell, root), shared_lines(root, loss)
    examples = report.total.examples
    equations, problems = [], []
    for judged in report.equations:
        key = f"{cell.name}.{judged.name}"
        lines = (shared if judged.label in SHARED_NUMBERS else own).get(judged.label)
        if judged.latex is None:
            problems.append(f"{key} ({judged.label}) is computed, and there is no equation for it.")
        elif lines is None:
            problems.append(f"{key} ({judged.label}) is an equation, and no line of code has its number.")
        else:
            equations.append(
                Equation(cell.name, judged.name, judged.label, judged.latex, lines, judged.max_error_ulp, examples)
            )
        if not judged.agree:
            problems.append(f"{key} ({judged.label}) does not agree with jax.grad.")
    told = {judged.label for judged in report.equations}
    for number, (line, *_) in own.items():
        # F0 and B7.x make a weight of others, in as many lines as that takes; the tape has the weight and the whole.
        if number not in told and number.partition(".")[0] not in ("F0", "B7"):
            problems.append(f"{line.file}:{line.number} has the number {number}, and {cell.name} has no such equation.")
    return equations, problems


def own_lines(cell: Cell, root: Path = ROOT) -> dict[str, tuple[Line, ...]]:
    """The numbered lines of a cell's own code, by number: of its functions, and of what makes its weights."""
    functions = [cell.forward, cell.backward]
    functions += [function for weight in cell.weights for function in (weight.forward, weight.backward)]
    files = dict.fromkeys(_relative(inspect.getsourcefile(function)) for function in functions)
    return _numbered(root, [file for file in files if file.startswith("src/manual_rnn/cells/")])


def shared_lines(root: Path = ROOT, loss: str = "softmax") -> dict[str, tuple[Line, ...]]:
    """The numbered lines of what all cells share, with a loss. Raises Missing where a shared equation has no line."""
    files = (*SHARED, f"src/manual_rnn/losses/{loss}.py")
    lines = {number: of for number, of in _numbered(root, files).items() if number not in HANDED_ON}
    if lacking := [number for number in SHARED_NUMBERS if number not in lines]:
        raise Missing(f"No line of {', '.join(files)} has the number {', '.join(lacking)}.")
    if halved := [number for number in IN_TWO if len(lines[number]) != 2]:
        raise Missing(f"Two lines of {', '.join(files)} make {', '.join(halved)}, and not two have the number.")
    if unknown := [of[0].target for number, of in lines.items() if number not in SHARED_NUMBERS]:
        raise Missing(f"{', '.join(unknown)} has a number that no equation has.")
    return lines


def _numbered(root: Path, files: Iterable[str]) -> dict[str, tuple[Line, ...]]:
    lines: dict[str, tuple[Line, ...]] = {}
    for file in files:
        for number, code in enumerate((root / file).read_text(encoding="utf-8").splitlines(), start=1):
            if (found := NUMBERED.search(code)) and not found["more"].startswith(", through"):
                words = f"  # {found['more'].strip()}" if found["more"] else ""
                line = Line(file, number, code[: found.start()].strip() + words)
                lines[found["number"]] = (*lines.get(found["number"], ()), line)
    return lines


def _relative(file: str | None) -> str:
    assert file is not None
    path = Path(file).resolve()
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()


def where_tested(root: Path = ROOT, wanted: Mapping[str, str] = TESTS) -> dict[str, Line]:
    """Where each test stands, by what it shows. Raises Missing where there is no such test."""
    found = {}
    for shows, test in wanted.items():
        file, _, name = test.partition("::")
        tree = ast.parse((root / file).read_text(encoding="utf-8"))
        here = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name]
        if not here:
            raise Missing(f"{file} has no test {name}, which is to hold every equation.")
        found[shows] = Line(file, here[0], f"def {name}")
    return found
