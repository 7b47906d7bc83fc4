"""Every equation of every cell, beside the line of code that computes it and the tests that hold it.

Each side is found by itself: the equations from what a cell declares and its run leaves on the tape, the lines from
the numbers in their comments. What has no partner on the other side is a mistake of the book, and ends its build.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from manual_rnn import cells
from manual_rnn.cell import Cell
from manual_rnn.testing import verify
from manual_rnn.testing.report import Report
from reference import autodiff

ROOT = Path(__file__).parents[3]
EXAMPLES = 12
"""Cases in which each cell is judged while the book is built."""
SHARED = ("src/manual_rnn/bptt.py", "src/manual_rnn/readout.py", "src/manual_rnn/losses/softmax.py")
"""What all cells share: the walk over the steps, the readout, the loss."""
SHARED_NUMBERS = ("F1", "F3", "F4", "B1", "B2", "B3", "B4", "B6", "B7", "B8", "B9", "B10")
HANDED_ON = ("F0", "F2", "B5")
"""Numbers in the shared files whose line calls the cell's own code, where the equation stands."""
NUMBERED = re.compile(r"# \((?P<number>[FB]\d+(?:\.\d+)?)\)(?P<more>.*)$")

AS_SHOWN = "the equation, as it is shown"
TESTS = {
    "its code, against jax.grad": "tests/test_cli_verify.py::test_without_a_target_all_built_in_cells_are_judged",
    AS_SHOWN: "tests/test_derivations.py::test_every_equation_as_it_is_shown_holds_of_the_references_values",
}
"""What each test shows, and which it is. The second leaves out the loss, and weights that are made of parameters."""


class Missing(Exception):
    """An equation without code, code without an equation, or either without a test."""


@dataclass(frozen=True)
class Line:
    """A line of code, as it stands in its file."""

    file: str
    number: int
    code: str

    @property
    def target(self) -> str:
        return f"{self.file}#line-{self.number}"


@dataclass(frozen=True)
class Equation:
    """One equation of one cell, and all that the book knows of it."""

    cell: str
    name: str
    number: str
    latex: str
    line: Line
    error_ulp: float
    """The largest error of its code alone, fed with right values, in units in the last place, in this build."""
    examples: int

    @property
    def tests(self) -> dict[str, Line]:
        """The tests that hold it, by what they show."""
        left_out = self.name in ("loss", "grad_o") or self.number in ("F0", "B7.1", "B7.2")
        return {shows: test for shows, test in where_tested().items() if not (left_out and shows == AS_SHOWN)}

    @property
    def key(self) -> str:
        return f"{self.cell}.{self.name}"

    @property
    def anchor(self) -> str:
        return "equation-" + re.sub(r"[^a-z0-9]+", "-", self.key.lower().replace("_", "-").replace(".", "--"))


@cache
def all_equations() -> dict[str, Equation]:
    """Those of all built-in cells by CELL.NAME, each cell judged against ``jax.grad`` here and now.

    Raises Missing, with all that is missing, where an equation has no code or no LaTeX, or code no equation.
    """
    found: dict[str, Equation] = {}
    problems: list[str] = []
    for name in cells.names():
        report = verify(cells.get(name), autodiff(name), examples=EXAMPLES)
        equations, missing = of_cell(cells.get(name), report)
        found |= {equation.key: equation for equation in equations}
        problems += missing
    if problems:
        raise Missing(" ".join(problems))
    return found


def of_cell(cell: Cell, report: Report, *, root: Path = ROOT) -> tuple[list[Equation], list[str]]:
    """The equations of a cell that was judged, and a sentence for each that lacks something."""
    own, shared = own_lines(cell, root), shared_lines(root)
    examples = report.total.examples
    equations, problems = [], []
    for judged in report.equations:
        key = f"{cell.name}.{judged.name}"
        line = (shared if judged.label in SHARED_NUMBERS else own).get(judged.label)
        if judged.latex is None:
            problems.append(f"{key} ({judged.label}) is computed, and there is no equation for it.")
        elif line is None:
            problems.append(f"{key} ({judged.label}) is an equation, and no line of code has its number.")
        else:
            equations.append(
                Equation(cell.name, judged.name, judged.label, judged.latex, line, judged.max_error_ulp, examples)
            )
        if not judged.agree:
            problems.append(f"{key} ({judged.label}) does not agree with jax.grad.")
    told = {judged.label for judged in report.equations}
    for number, line in own.items():
        # F0 and B7.x make a weight of others, in as many lines as that takes; the tape has the weight and the whole.
        if number not in told and number.partition(".")[0] not in ("F0", "B7"):
            problems.append(f"{line.file}:{line.number} has the number {number}, and {cell.name} has no such equation.")
    return equations, problems


def own_lines(cell: Cell, root: Path = ROOT) -> dict[str, Line]:
    """The numbered lines of a cell's own code, by number: of its functions, and of what makes its weights."""
    functions = [cell.forward, cell.backward]
    functions += [function for weight in cell.weights for function in (weight.forward, weight.backward)]
    files = dict.fromkeys(_relative(inspect.getsourcefile(function)) for function in functions)
    return _numbered(root, [file for file in files if file.startswith("src/manual_rnn/cells/")])


def shared_lines(root: Path = ROOT) -> dict[str, Line]:
    """The numbered lines of what all cells share. Raises Missing where a shared equation has no line."""
    lines = {number: line for number, line in _numbered(root, SHARED).items() if number not in HANDED_ON}
    if lacking := [number for number in SHARED_NUMBERS if number not in lines]:
        raise Missing(f"No line of {', '.join(SHARED)} has the number {', '.join(lacking)}.")
    if unknown := [line.target for number, line in lines.items() if number not in SHARED_NUMBERS]:
        raise Missing(f"{', '.join(unknown)} has a number that no equation has.")
    return lines


def _numbered(root: Path, files: Iterable[str]) -> dict[str, Line]:
    lines: dict[str, Line] = {}
    for file in files:
        for number, code in enumerate((root / file).read_text(encoding="utf-8").splitlines(), start=1):
            if (found := NUMBERED.search(code)) and not found["more"].startswith(", through"):
                lines.setdefault(found["number"], Line(file, number, code[: found.start()].strip()))
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
