"""What may import what: the library is NumPy alone, and the two packages that are compared never meet in code."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import manual_rnn
import reference
from manual_rnn import cells
from reference import autodiff
from reference.network import weights_of

MANUAL = Path(manual_rnn.__file__).parent
REFERENCE = Path(reference.__file__).parent
HEAVY = {"jax", "jaxlib", "hypothesis", "matplotlib", "scipy", "numba", "reference"}
MEET = "cli"
"""The folder of manual_rnn that composes both packages."""


def modules_of(package, *, leave_out=()):
    """The dotted name of each module of a package but those in the folders that are left out."""
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        if parts[0] not in leave_out and parts != ("__main__",):
            yield ".".join([package.name, *parts]).removesuffix(".__init__")


def heavy_after(statements):
    """The heavy packages that a fresh interpreter has loaded after these statements."""
    code = f"{statements}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return HEAVY & set(done.stdout.split())


def imports_of(file):
    """The top packages that a file imports anywhere in it, also by name in a string."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0] if not node.level else file.parents[node.level - 1].name
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            text = node.args[0] if node.args else None
            yield text.value.partition(".")[0] if isinstance(text, ast.Constant) else ""


def meetings(manual, other):
    """The files of either package that import the other, but for those where they may meet."""
    for package, stranger in ((manual, other), (other, manual)):
        for file in sorted(package.rglob("*.py")):
            may = package is manual and file.relative_to(package).parts[0] == MEET
            if not may and stranger.name in set(imports_of(file)):
                yield f"{package.name}/{file.relative_to(package).as_posix()} imports {stranger.name}"


def without_partner(cell_files, steps):
    """A sentence for each cell that has no step of its name in the reference, and the other way round."""
    for name in sorted(set(cell_files) ^ set(steps)):
        here, there = f"src/manual_rnn/cells/{name}.py", f"src/reference/cells.py:{name}"
        yield f"{here} has no partner {there}" if name in cell_files else f"{there} has no partner {here}"


STEP = ["p", "prev", "x", "tap"]
"""What a step is told by; a function from parameters to made weights takes ``p`` alone."""


def functions_of(file):
    """The public functions that a file defines, each with the names of its arguments."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    functions = [node for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    return {function.name: [argument.arg for argument in function.args.args] for function in functions}


def steps_of(file):
    """The steps that a file defines."""
    return {name for name, arguments in functions_of(file).items() if arguments == STEP}


def test_importing_the_package_loads_nothing_heavy():
    assert heavy_after("import manual_rnn; manual_rnn.cells.get('rnn')") == set()


def test_importing_any_module_outside_the_checker_and_the_command_line_loads_nothing_heavy():
    # kernels is what numba compiles; diagnostics, and over_widths upon them, return arrays of xarray, which loads what
    # it finds: scipy, in its older versions.
    names = list(modules_of(MANUAL, leave_out=("testing", "cli", "kernels", "diagnostics", "over_widths")))
    assert {"manual_rnn", "manual_rnn.bptt", "manual_rnn.cells.rnn", "manual_rnn.training"} <= set(names)
    assert heavy_after("\n".join(f"import {name}" for name in names)) == set()


def test_a_judge_that_is_handed_its_cases_needs_no_hypothesis():
    assert heavy_after("import manual_rnn.testing, manual_rnn.testing.families") == set()


def test_help_answers_without_loading_what_a_command_needs():
    assert heavy_after("from manual_rnn.cli.app import main\nmain(['--help'])") == set()


def test_the_reference_loads_nothing_of_what_it_is_compared_with():
    code = "\n".join(f"import {name}" for name in modules_of(REFERENCE))
    code += "\nimport sys\nassert not any(name.startswith('manual_rnn') for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "JAX_PLATFORMS": "cpu"})


def test_the_two_packages_meet_in_the_command_line_alone():
    assert list(meetings(MANUAL, REFERENCE)) == []


def test_they_do_meet_there():
    """Else the test above would pass on packages that it cannot read."""
    assert any("reference" in set(imports_of(file)) for file in (MANUAL / MEET).rglob("*.py"))


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("manual_rnn/bptt.py", "import reference"),
        ("manual_rnn/testing/judge.py", "def f():\n    from reference.cells import rnn"),
        ("manual_rnn/training.py", "import importlib\nimportlib.import_module('reference')"),
        ("reference/network.py", "import numpy, manual_rnn.loss as loss"),
        ("reference/cells.py", "if True:\n    from manual_rnn import loss"),
    ],
)
def test_a_meeting_elsewhere_is_found_and_named(tmp_path, file, line):
    for folder in ("manual_rnn/testing", "manual_rnn/cli", "reference"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / "manual_rnn/cli/targets.py").write_text("import reference")
    (tmp_path / file).write_text(line)
    (found,) = meetings(tmp_path / "manual_rnn", tmp_path / "reference")
    assert found.startswith(f"{file} imports")


def test_every_cell_has_its_partner():
    assert set(cells.names()) == {file.stem for file in (MANUAL / "cells").glob("*.py")} - {"__init__"}
    assert list(without_partner(cells.names(), steps_of(REFERENCE / "cells.py"))) == []


def test_every_function_of_the_partners_is_a_step_or_makes_the_weights_of_one():
    """So that no step can be left out above by the names of its arguments."""
    others = {n: a for n, a in functions_of(REFERENCE / "cells.py").items() if a != STEP and n != "made_of"}
    made = {f"{name}_weights" for name in cells.names() if cells.get(name).weights}
    assert others == {name: ["p"] for name in made}


@pytest.mark.parametrize("name", cells.names())
def test_a_cell_and_its_partner_make_the_same_weights(name):
    cell, p = cells.get(name), np.random.default_rng(0).standard_normal((3, 3)).astype(np.float32)
    theirs = weights_of(autodiff(name).step, {w.of: p for w in cell.weights})
    assert set(theirs) == {w.name for w in cell.weights}
    for w in cell.weights:
        np.testing.assert_allclose(w.forward(p), theirs[w.name], atol=1e-6)


def test_a_cell_without_its_partner_is_told_by_both_paths():
    assert list(without_partner(["rnn", "lstm"], ["rnn", "gru"])) == [
        "src/reference/cells.py:gru has no partner src/manual_rnn/cells/gru.py",
        "src/manual_rnn/cells/lstm.py has no partner src/reference/cells.py:lstm",
    ]


@pytest.mark.parametrize("name", cells.names())
def test_a_file_of_a_cell_defines_the_cell_of_its_name(name):
    assert cells.get(name).name == name


@pytest.mark.parametrize("package", [MANUAL, REFERENCE])
def test_both_packages_are_typed(package):
    assert (package / "py.typed").is_file()
