"""``manual-rnn verify FILE:NAME`` where NAME is a whole backward pass: the contract's keys, exit codes, bad code."""

import csv
import json
import re
import subprocess
import sys

import pytest

from manual_rnn.cli.app import main

FORWARD = """
def forward(x, h0, Wx, Wh, b):
    h, out = h0, np.zeros((x.shape[0], x.shape[1], h0.shape[1]))
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ Wx + h @ Wh + b)
        out[:, t] = h
    return out

"""
BACKWARD = """
def backward(*, x, h0, Wx, Wh, b, dh):
    h = [h0]
    for t in range(x.shape[1]):
        h.append(np.tanh(x[:, t] @ Wx + h[-1] @ Wh + b))
    dx, dWx, dWh, db, dnext = (np.zeros_like(v) for v in (x, Wx, Wh, b, h0))
    for t in reversed(range(x.shape[1])):
        da = (1 - h[t + 1] ** 2) * (dh[:, t] + dnext)
        dWx, dWh, db = dWx + x[:, t].T @ da, dWh + h[t].T @ da, db + da.sum(axis=0)
        dx[:, t], dnext = da @ Wx.T, da @ Wh.T
    return {"Wx": dWx, "Wh": dWh, "b": db, "h0": dnext, "x": dx}

"""
NUMPY = "import numpy as np\nfrom manual_rnn.testing import Layout, Target, complex_step\n" + FORWARD
JAX = """
import jax
import jax.numpy as jnp
import numpy as np
from manual_rnn.testing import Layout, Target
from reference import autodiff, autodiff_of


def forward(x, h0, Wx, Wh, b):
    def step(h, now):
        h = jnp.tanh(now @ Wx + h @ Wh + b)
        return h, h

    return jnp.swapaxes(jax.lax.scan(step, h0, jnp.swapaxes(x, 0, 1))[1], 0, 1)

"""
LAYOUT = 'layout = Layout(axes="BT", transposed=True, names={"Wx": "U", "Wh": "W"})\n'
ORACLES = {
    "complex step": (NUMPY, "complex_step(forward)", "the complex step of your own forward pass"),
    "built-in cell": (JAX, 'autodiff("rnn")', "autodiff of rnn"),
    "forward in JAX": (JAX, "autodiff_of(forward)", "autodiff of your own forward pass"),
}
MISTAKE = ("dWh + h[t].T", "dWh + h[t + 1].T")
FEW = ("--examples", 6)
NAMES = ["grad_Wx", "grad_Wh", "grad_b", "grad_h0", "grad_x"]
LABELS = ["B8", "B7", "B6", "B10", "B9"]


def source(oracle="complex step", change=("", ""), backward=BACKWARD):
    head, against, _ = ORACLES[oracle]
    assert change[0] in backward
    target = f'mine = Target(backward=backward, against={against}, loss="random", layout=layout)\n'
    return head + backward.replace(*change) + LAYOUT + target


def wrapped(line):
    """A backward pass that does something else first."""
    return f"{BACKWARD}\nright = backward\n\n\ndef backward(**arrays):\n    {line}\n    return right(**arrays)\n\n"


def told(capsys, *arguments):
    """(exit code, stdout, stderr) of ``manual-rnn verify``."""
    code = main(["verify", *map(str, arguments)])
    output = capsys.readouterr()
    return code, output.out, output.err


@pytest.fixture
def target(tmp_path):
    """A function that writes a file and gives what names the target in it."""

    def write(text, name="passes.py"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return f"{tmp_path / name}:mine"

    return write


def document(capsys, *arguments):
    code, stdout, _ = told(capsys, *arguments, "--json")
    return code, json.loads(stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


# Right and wrong, by each of the three oracles


@pytest.mark.parametrize("oracle", ORACLES)
def test_a_right_pass_agrees(capsys, target, oracle):
    code, stdout, stderr = told(capsys, target(source(oracle)), *FEW)
    assert (code, stderr) == (0, "")
    for name in NAMES:
        assert re.search(rf"{name} +agrees +\d\.\de-1\d ", stdout), name
    assert f"All gradients agree with {ORACLES[oracle][2]}" in stdout
    assert "6 cases in 4 shapes of up to 50 steps: ordinary 3, long 1, vanished 1, exploding 1." in stdout


@pytest.mark.parametrize("oracle", ORACLES)
def test_a_wrong_pass_is_told_with_its_place_and_the_lines_that_show_it(capsys, target, oracle, tmp_path, monkeypatch):
    name = target(source(oracle, MISTAKE))
    code, stdout, _ = told(capsys, name, *FEW)
    assert code == 1
    assert re.search(r"grad_Wh +WRONG", stdout)
    assert re.search(r"grad_Wx +agrees", stdout)
    assert "First divergence on the way back: grad_Wh" in stdout
    assert "passes.py:mine: WRONG" in stdout
    assert "Diagnosis: your ∇W is Σ_t ∇a(t) h(t)ᵀ" in stdout
    lines = stdout.partition("To see it again:\n")[2].splitlines()[:3]
    monkeypatch.chdir(tmp_path)
    scope = {}
    exec("\n".join(line.strip() for line in lines), scope)
    shown, case = capsys.readouterr().out, scope["case"]
    assert shown == f"{case.yours['Wh']}\n{case.right['Wh']}\n"
    assert (case.yours["Wh"] != case.right["Wh"]).any()


# The JSON document


@pytest.mark.parametrize("change", [("", ""), MISTAKE], ids=["right", "wrong"])
def test_the_document_has_the_contracts_keys_and_what_a_pass_has_besides(capsys, target, change):
    name = target(source("built-in cell", change))
    code, whole = document(capsys, name, "--examples", 8, "--seed", 5)
    right = change == ("", "")
    assert (code, whole["agree"]) == ((0, True) if right else (1, False))
    (found,) = whole["targets"]
    assert list(found)[:11] == [
        "name", "agree", "examples", "shapes", "max_length", "ill_conditioned", "undecided", "families", "equations",
        "blame", "diagnosis",
    ]  # fmt: skip
    assert {"preflight", "notes", "first_divergence", "smallest", "reproduce"} <= found.keys()
    assert [found[key] for key in ("name", "agree", "examples", "shapes", "max_length")] == [name, right, 8, 4, 50]
    counts = {family: count["examples"] for family, count in found["families"].items()}
    assert counts == {"ordinary": 5, "long": 1, "vanished": 1, "exploding": 1}
    assert all(count.keys() == {"examples", "ill_conditioned", "undecided"} for count in found["families"].values())
    assert found["blame"] == ([] if right else ["grad_Wh"])
    assert bool(found["diagnosis"]) != right
    assert bool(found["reproduce"]) != right
    assert [promise["agree"] for promise in found["preflight"]] == [True] * 6


def test_each_gradient_has_its_error_and_where_it_is_largest_in_its_users_array(capsys, target):
    planted = source("built-in cell", ("return {", "dWx[0, 1] *= 2\n    dx[-1, -1, 0] *= 1.5\n    return {"))
    (found,) = document(capsys, target(planted), "--seed", 5)[1]["targets"]
    gradients = {gradient["name"]: gradient for gradient in found["equations"]}
    assert list(gradients) == NAMES
    assert [gradient["label"] for gradient in gradients.values()] == LABELS
    for gradient in gradients.values():
        worst, ulp = gradient["worst"], gradient["max_error_ulp"]
        assert worst.keys() == {"t", "batch", "index", "sizes", "dtype", "family", "seed"}
        assert worst["seed"] in (5, 6)
        assert gradient["max_relative_error"] == pytest.approx(ulp * 2.0**-52)
        assert gradient["agree"] == (ulp < 4500)
    assert found["blame"] == ["grad_Wx", "grad_x"]
    assert gradients["grad_Wx"]["worst"]["index"] == [0, 1]  # the user's array is (n_in, n_hidden)
    assert gradients["grad_Wx"]["worst"]["t"] is None
    worst = gradients["grad_x"]["worst"]
    assert (worst["t"], worst["batch"]) == (worst["sizes"]["T"] - 1, worst["sizes"]["B"] - 1)
    assert worst["index"] == [0]


def test_the_seed_draws_other_cases_and_the_same_again(capsys, target):
    name = target(source())
    one, again, other = (document(capsys, name, "--examples", 4, "--seed", seed)[1]["targets"] for seed in (1, 1, 2))
    assert one == again != other


def test_what_is_not_a_number_or_not_returned_is_valid_json(capsys, target):
    change = ('"Wx": dWx, "Wh": dWh, "b": db, "h0": dnext, "x": dx', '"Wx": dWx * np.nan, "Wh": dWh')
    code, whole = document(capsys, target(source(change=change)), *FEW)
    gradients = {gradient["name"]: gradient for gradient in whole["targets"][0]["equations"]}
    assert code == 1
    assert gradients["grad_Wx"]["max_error_ulp"] is None
    assert not gradients["grad_b"]["agree"]
    assert gradients["grad_b"]["worst"] is None
    assert gradients["grad_x"]["outcome"] == "not returned"
    assert whole["targets"][0]["blame"] == ["grad_Wx", "grad_b"]


def test_right_in_another_convention_is_right(capsys, target):
    name = target(source(change=('"Wx": dWx, "Wh": dWh', '"Wx": dWx.T, "Wh": dWh.T')))
    code, stdout, _ = told(capsys, name, *FEW)
    assert code == 0
    assert "grad_Wx: right, in another convention: transposed" in stdout


# Promises, and code that fails


def test_a_broken_promise_is_wrong_though_every_gradient_agrees(capsys, target):
    name = target(source(change=("    return {", "    dh *= 0\n    return {")))
    code, stdout, _ = told(capsys, name, *FEW)
    assert code == 1
    assert "inputs untouched: backward writes into dh" in stdout
    assert "WRONG" not in stdout.partition("inputs untouched")[0]


FAILS = {
    "raises": ("raise KeyError('mine')", r"failed on every case .* at T=1 .*, raised KeyError: 'mine'", "passes.py"),
    "exits": ("raise SystemExit(0)", r"called sys\.exit\(\)", "SystemExit"),
    "hangs": ("while True: pass", r"did not come back within 1 seconds, at line \d+ of passes\.py, in backward", ""),
    "prints": ("while True: print('x' * 99)", r"did not come back .* while it printed without end", "Where it was"),
    "crashes": ("import ctypes; ctypes.string_at(0)", r"crashed with SIGSEGV, at line \d+ of passes\.py", "Where"),
    "leaves": ("import os; os._exit(3)", r"ended its own process with exit code 3", ""),
    "returns nothing": ("return None", r"backward returned None; expected the gradients by name", ""),
}


@pytest.mark.parametrize("what", FAILS)
def test_code_that_fails_on_every_case_ends_with_four_and_its_own_traceback(capsys, target, what):
    failure, sentence, below = FAILS[what]
    name = target(source(backward=wrapped(failure)))
    code, stdout, stderr = told(capsys, name, "--time-limit", 1)
    assert (code, stdout) == (4, "")
    (line,) = (line for line in stderr.splitlines() if line.startswith("manual-rnn: "))
    assert re.search(sentence, line)
    assert below in stderr
    assert "manual_rnn/" not in stderr
    if what in ("raises", "crashes"):  # what the judge itself has met, and what is left of a process
        code, whole = document(capsys, name, "--time-limit", 1)
        assert (code, whole["error"]["kind"]) == (4, "failed")


RAISES, HANGS = "1 / (arrays['x'].shape[1] != 7)", "while arrays['x'].shape[1] == 7: pass"


@pytest.mark.parametrize("line", [RAISES, HANGS])
def test_code_that_fails_on_some_cases_has_the_verdict_on_the_others(capsys, target, line):
    name = target(source(backward=wrapped(line)))
    code, whole = document(capsys, name, *FEW, "--time-limit", 2)
    (found,) = whole["targets"]
    assert (code, found["agree"], found["blame"]) == (4, False, [])
    assert [gradient["agree"] for gradient in found["equations"]] == [True] * 5
    (runs,) = (promise for promise in found["preflight"] if promise["name"] == "runs")
    assert "T=7" in runs["message"]
    assert 'passes.py", line' in runs["details"]


def test_code_that_fails_on_some_cases_and_is_wrong_on_others_is_wrong(capsys, target):
    wrong = target(source(backward=wrapped(RAISES).replace(*MISTAKE)))
    assert told(capsys, wrong, *FEW)[0] == 1


def test_a_forward_that_hangs_is_held_to_the_time_limit_too(capsys, target):
    text = source("forward in JAX").replace("    def step", "    while True: pass\n\n    def step")
    code, _, stderr = told(capsys, target(text), "--time-limit", 1)
    assert code == 4
    assert re.search(r"forward, at T=1 .*, did not come back within 1 seconds, at line \d+ of passes\.py", stderr)


def test_a_name_that_is_neither_is_told_what_both_are(capsys, target):
    name = target(source()).removesuffix("mine")
    code, _, stderr = told(capsys, f"{name}backward")
    assert code == 3
    assert stderr.count("\n") == 1
    assert re.search(r"is of the type function; expected a .*Cell .* or a manual_rnn\.testing\.Target ", stderr)
    code, _, stderr = told(capsys, f"{name}yours")
    assert code == 2
    assert "what can be verified in it: mine" in stderr


def test_a_target_that_makes_no_sense_is_told_by_its_own_sentence(capsys, target):
    code, _, stderr = told(capsys, target(source().replace('"random"', '"sum"')))
    assert code == 4
    assert "could not be loaded: it raised ValueError: loss is 'sum'; it is one of every" in stderr


# A class, and the page


@pytest.fixture(scope="module")
def of_a_class(tmp_path_factory):
    """(exit code, the document, the rows, the page) of cells and Targets together."""
    folder = tmp_path_factory.mktemp("students")
    files = {
        "a_cell": "from manual_rnn import cells\n\nmine = cells.get('rnn')\n",
        "b_right": source(),
        "c_wrong": source("built-in cell", MISTAKE),
        "d_fails": source(backward=wrapped("1 / 0")),
        "e_some": source(backward=wrapped("1 / (arrays['x'].shape[1] != 7)")),
    }
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    table, page = folder / "verdicts.csv", folder / "page.html"
    command = [sys.executable, "-m", "manual_rnn", "verify", f"{folder}/*.py:mine", "--examples", "12", "--json"]
    done = subprocess.run(
        [*command, "--csv", table, "--report", page], capture_output=True, text=True, timeout=300, check=False
    )
    with table.open(encoding="utf-8", newline="") as file:
        return done.returncode, json.loads(done.stdout), list(csv.DictReader(file)), page.read_text(encoding="utf-8")


def test_cells_and_targets_have_one_row_each(of_a_class):
    code, whole, rows, _ = of_a_class
    assert code == 1
    assert [row["verdict"] for row in rows] == ["agrees", "agrees", "WRONG", "failed", "failed"]
    assert [row["wrong_equations"] for row in rows] == ["", "", "grad_Wh", "", ""]
    assert [row["examples"] for row in rows] == ["12", "12", "12", "0", "10"]
    assert rows[2]["diagnosis"].startswith("your ∇W is Σ_t ∇a(t) h(t)ᵀ")
    assert "failed on every case" in rows[3]["diagnosis"]
    assert "raised ZeroDivisionError" in rows[4]["diagnosis"]
    keys = [set(found) for found in whole["targets"]]
    assert keys[0] < keys[1]
    assert all(keys[0] <= found for found in keys)


def test_the_page_shows_both_kinds(of_a_class):
    page = of_a_class[3]
    assert "2 of 4 targets disagree" in page
    for shown in ("grad_Wh", "inputs untouched", "complex step of your own forward pass", "Error against the length"):
        assert shown in page, shown
    assert "run_path(&#39;" in page
    assert not re.search(r"https?:|url\(|<script", page)


def test_judging_one_does_not_need_jax_for_the_complex_step(target):
    code = (
        "import sys\nfrom manual_rnn.cli.kinds import judge_target\nfrom manual_rnn.cli.task import Task\n"
        f"assert judge_target({target(source())!r}, Task(6, 0, 0.0)).agree\nassert 'jax' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_file_is_run_once(target, tmp_path):
    mark = tmp_path / "runs"
    name = target(f"with open({str(mark)!r}, 'a') as file:\n    file.write('.')\n" + source("built-in cell", MISTAKE))
    assert main(["verify", name, "--examples", "6"]) == 1
    assert mark.read_text() == "."
