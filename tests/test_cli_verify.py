"""``manual-rnn verify`` and ``info`` as the contract has them: exit codes, one JSON document, every wrong target."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from manual_rnn import cells
from manual_rnn.cli.app import main

FEW = ["--examples", "20"]
"""Two or three cases of each family."""
EQUATIONS = {
    "a": "F1", "h": "F2", "o": "F3", "loss": "F4", "grad_o": "B1", "grad_c": "B2", "grad_V": "B3", "grad_h": "B4",
    "grad_a": "B5", "grad_b": "B6", "grad_W": "B7", "grad_U": "B8", "grad_x": "B9", "grad_h0": "B10",
}  # fmt: skip
HEAD = """
import dataclasses
import numpy as np
from manual_rnn import Cell, cells

RNN = cells.get("rnn")


def backward(node, prev, grad, tap):
    return {"a": tap("a", FORMULA)}

"""
RIGHT = HEAD.replace("FORMULA", "(1 - node.h**2) * grad.h") + 'MINE = Cell("mine", RNN.forward, backward, against='
WRONG = HEAD.replace("FORMULA", "(1 + node.h**2) * grad.h")
STEP = """
import jax.numpy as jnp


def step(p, prev, x, tap):
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", jnp.tanh(a))}

"""


def told(capsys, *arguments):
    """(exit code, stdout, stderr) of a command."""
    code = main([str(argument) for argument in arguments])
    output = capsys.readouterr()
    return code, output.out, output.err


@pytest.fixture
def file(tmp_path, request):
    """A function that writes Python to a file of its own name and gives its path."""

    def write(content, name=None):
        # A name of its own: a module of the same name would be found in place of it.
        path = tmp_path / (name or f"cell_{abs(hash(request.node.nodeid)) % 10**9}.py")
        path.write_text(content)
        return path

    return write


def wrong_cell(file):
    return f"{file(WRONG + 'MINE = dataclasses.replace(RNN, backward=backward)')}:MINE"


# What agrees


@pytest.fixture(scope="module")
def of_rnn():
    """(exit code, stdout, stderr) of one run that several tests look at."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        code = main(["verify", "rnn", "--json", *FEW])
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
    assert "20 cases" in stdout
    assert "All equations agree with jax.grad" in stdout


def test_without_a_target_all_built_in_cells_are_judged(capsys):
    code, stdout, _ = told(capsys, "verify", "--json", "--examples", 10)
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
        return json.loads(told(capsys, "verify", "rnn", "--json", "--seed", seed, *FEW)[1])["targets"]

    assert judged(0) == json.loads(of_rnn[1])["targets"]
    assert judged(6) != judged(0)


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


# Usage: 2


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
        (["verify", "rnn", "--seed", "-1"], r"seed"),
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
    ended, stdout, stderr = told(capsys, "verify", target, *FEW)
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
    assert re.search(rf"{name} is a {kind}; expected a manual_rnn\.Cell .* or a manual_rnn\.testing\.Target", line)


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


def failing_cell(file, failure):
    body = f"def fails(node, prev, grad, tap):\n    {failure}\n\nMINE = dataclasses.replace(RNN, backward=fails)\n"
    return f"{file(WRONG + body)}:MINE"


@pytest.mark.parametrize("raised", ["KeyError", "ValueError"])
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


# info, help, version


def test_info_says_what_belongs_into_a_bug_report(capsys):
    code, stdout, stderr = told(capsys, "info")
    assert (code, stderr) == (0, "")
    for part in ("python", "manual-rnn", "numpy", "jax", "hypothesis", "blas", "threads", "cache"):
        assert part in stdout.lower()


def test_info_as_one_document(capsys):
    code, stdout, stderr = told(capsys, "info", "--json")
    assert (code, stderr, stdout.count("\n")) == (0, "", 1)
    document = json.loads(stdout)
    assert document["version"] == 1
    assert document["versions"]["numpy"]


def test_help_names_the_commands_and_their_options(capsys):
    code, stdout, _ = told(capsys, "--help")
    assert code == 0
    for command in ("verify", "train", "sample", "info"):
        assert command in stdout
    code, stdout, _ = told(capsys, "verify", "--help")
    assert code == 0
    for option in ("--examples", "--seed", "--json"):
        assert option in stdout


# Real processes


def command(*arguments):
    return [sys.executable, "-m", "manual_rnn", *map(str, arguments)]


def process(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=120)


def test_a_process_writes_its_result_to_stdout_and_nothing_to_stderr():
    done = process("verify", "rnn", *FEW)
    assert (done.returncode, done.stderr) == (0, "")
    assert "All equations agree with jax.grad" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_process_ends_with_the_code_of_the_contract(tmp_path):
    done = process("verify", tmp_path / "none.py:MINE", "--json")
    assert (done.returncode, done.stderr) == (3, "")
    assert json.loads(done.stdout)["error"]["kind"] == "input"


def test_the_installed_command_is_the_same():
    script = Path(sys.executable).parent / "manual-rnn"
    if not script.exists():
        pytest.skip("the package is on the path but not installed")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, process("--version").stdout)


def test_a_reader_that_goes_away_is_no_failure():
    with subprocess.Popen(command("verify", "rnn", *FEW), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.close()
        assert b"Traceback" not in running.stderr.read()


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C reaches a process otherwise there")
@pytest.mark.parametrize("examples", [2000, 20000])
def test_ctrl_c_ends_with_130(examples):
    """In one process, and with one a core, which must go too."""
    with subprocess.Popen(
        command("verify", "rnn", "--examples", examples), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    ) as running:  # fmt: skip
        time.sleep(3)
        assert running.poll() is None, "it must still be at work for this to show anything"
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to all processes of the command
        stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert stdout == b""
    assert b"Traceback" not in stderr
    assert b"interrupted" in stderr
