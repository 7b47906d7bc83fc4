"""A class of files: whatever one does, it is one row, and the others have their verdicts. All files are real."""

import csv
import json
import signal
import subprocess
import sys
import time

import pytest

from manual_rnn.cli import memory
from manual_rnn.cli.app import main

RIGHT = """\
import numpy as np
from manual_rnn import Cell


def forward(node, prev, tap):
    print("a print of a user's")
    return {"h": tap("h", np.tanh(node.a))}


def backward(node, prev, grad, tap):
    return {"a": tap("a", (1 - node.h**2) * grad.h)}


cell = Cell("rnn", forward, backward)
"""
RETURN = '    return {"a": tap("a", (1 - node.h**2) * grad.h)}\n'


def instead(line):
    assert RETURN in RIGHT
    return RIGHT.replace(RETURN, f"    {line}\n" + RETURN)


FILES = {
    "crash": (instead("import ctypes; ctypes.string_at(0)"), "crashed with SIGSEGV, at line 11 of crash.py"),
    "exception": (instead("1 / 0"), "ZeroDivisionError: division by zero at T="),
    "exits": (instead("raise SystemExit(0)"), "called sys.exit()"),
    "hang": (instead("while True: pass"), "came to no end within 3 s, at line 11 of hang.py, in backward"),
    "hang_at_load": ("import time; time.sleep(999)", "came to no end within 3 s, at line 1 of hang_at_load.py"),
    "leaves": (instead("import os; os._exit(3)"), "ended its own process with exit code 3"),
    "nameless": ("x = 1\n", "has no 'cell'"),
    "no_cell": ("cell = 3\n", "expected a manual_rnn.Cell"),
    "prints": (instead("while True: print('x' * 99)"), "while it printed without end, at line 11 of prints.py"),
    "syntax": ("def (\n", "SyntaxError"),
    "wants_input": (instead("input()"), "EOFError"),
    "wrong_type": (instead("return None"), "backward returned a NoneType; expected a dict"),
    "wrong_array": (instead("return {'a': 1.0}"), "backward returns 'a' as a float; expected a NumPy array of shape"),
    "writes": (instead("node.h *= 2"), "writes into an array that it was handed"),
}
SPOILERS = {
    # What one file does to the libraries, no other notices.
    "a_spoiler": "import numpy as np, jax, manual_rnn.affine as affine\nnp.tanh = np.sin\n" + RIGHT,
    "b_right": RIGHT,
    "c_wrong": RIGHT.replace("1 - node.h**2", "1 - node.h"),
}
KEYS = {
    *("name", "agree", "examples", "shapes", "max_length", "ill_conditioned", "undecided", "families", "equations"),
    *("blame", "diagnosis"),
}


def run(*arguments):
    """(exit code, stdout, stderr) of the command in a process of its own, its prints included."""
    command = [sys.executable, "-m", "manual_rnn", "verify", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("students")
    for name, text in {**{name: text for name, (text, _) in FILES.items()}, **SPOILERS}.items():
        (place / f"{name}.py").write_text(text, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def judged(folder):
    """The whole class, judged once: (exit code, the JSON document, the rows of the CSV file, stderr)."""
    table = folder / "verdicts.csv"
    code, out, err = run(f"{folder}/*.py:cell", "--examples", 8, "--time-limit", 3, "--json", "--csv", table)
    document = json.loads(out)  # one document and nothing else: no print of a user's is in it
    with table.open(encoding="utf-8", newline="") as file:
        return code, document, list(csv.DictReader(file)), err


def test_every_file_has_its_place_in_the_order_of_the_names(judged, folder):
    code, document, rows, err = judged
    expected = [f"{file}:cell" for file in sorted(map(str, folder.glob("*.py")))]
    assert [target["name"] for target in document["targets"]] == expected
    assert [row["target"] for row in rows] == expected
    assert code == 1  # a gradient disagrees, whatever else failed
    assert document["agree"] is False
    assert err == ""


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_fails_is_one_row_that_says_what_happened(judged, folder, name):
    target, row = of(judged, folder, name)
    assert FILES[name][1] in target["diagnosis"][0]
    assert FILES[name][1] in row["diagnosis"]
    assert row["verdict"] == "failed"
    assert target["agree"] is False
    assert set(target) == {*KEYS, "error"}
    assert len(target["diagnosis"]) == 1
    assert "\n" not in target["diagnosis"][0]


def test_its_own_traceback_stands_below_the_sentence_and_none_of_ours(judged, folder):
    details = of(judged, folder, "exception")[0]["error"]["details"]
    assert 'exception.py", line 11, in backward' in details
    assert "manual_rnn/" not in details


def test_the_others_are_not_spoilt(judged, folder):
    verdicts = {name: of(judged, folder, name)[1]["verdict"] for name in SPOILERS}
    assert verdicts == {"a_spoiler": "WRONG", "b_right": "agrees", "c_wrong": "WRONG"}
    assert of(judged, folder, "c_wrong")[1]["wrong_equations"] == "grad_a"
    assert set(of(judged, folder, "b_right")[0]) == KEYS


def of(judged, folder, name):
    """The target of the JSON document, and the row of the CSV file."""
    _, document, rows, _ = judged
    where = f"{folder / name}.py:cell"
    (target,) = (target for target in document["targets"] if target["name"] == where)
    (row,) = (row for row in rows if row["target"] == where)
    return target, row


def test_answers_that_are_kept_give_the_same_report_as_the_reference_itself(judged, folder):
    alone = json.loads(run(f"{folder}/c_wrong.py:cell", "--examples", 8, "--json")[1])["targets"][0]
    assert alone == of(judged, folder, "c_wrong")[0]


def test_the_table_has_a_row_a_file_and_four_says_that_code_failed(folder):
    code, out, err = run(f"{folder}/b_right.py:cell", f"{folder}/exception.py:cell", "--examples", 8)
    assert code == 4
    assert "exception.py:cell  failed" in out
    assert "2 targets: 1 agree, 1 failed" in out
    assert err == ""


def test_one_file_alone_has_the_detailed_table_and_its_prints_on_stderr(folder):
    code, out, err = run(f"{folder}/b_right.py:cell", "--examples", 8)
    assert code == 0
    assert "grad_W" in out
    assert "a print of a user's" not in out
    assert "a print of a user's" in err


HUNGRY = {
    "lazy": instead("import numpy; lazy = [numpy.empty(10**9, numpy.uint8) for _ in range(1000)]"),
    "patient": instead("kept = []\n    while True: kept.append(bytearray(10**7))"),
    "at_load": "kept = [bytes(10**7) for _ in range(10**6)]\n",
}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process's memory so")
def test_a_file_that_takes_all_memory_gets_no_more_than_its_share(tmp_path):
    """A terabyte that is never touched costs nothing, and is refused; memory that is touched ends at the limit."""
    for name, text in {**HUNGRY, "right": RIGHT}.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    code, out, _ = run(f"{tmp_path}/*.py:cell", "--examples", 4, "--memory-limit", 1, "--json")
    *hungry, right = json.loads(out)["targets"]
    assert code == 4
    assert right["agree"]
    for name, target in zip(sorted(HUNGRY), hungry, strict=True):
        assert "raised MemoryError" in target["error"]["message"]
        assert target["error"]["message"].endswith("; it may take 1 GB, --memory-limit allows for more.")
        assert f"{name}.py" in target["error"]["details"]


def test_by_default_the_memory_is_shared_and_never_less_than_judging_takes(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "of_the_machine", lambda: 24 * memory.GIGABYTE)
    assert memory.share(1) == 12 * memory.GIGABYTE
    assert memory.share(2) == 8 * memory.GIGABYTE
    assert memory.share(64) == memory.LEAST
    monkeypatch.setattr(memory, "of_the_machine", lambda: 0)
    assert memory.share(1) == 0  # not known: no limit


def test_a_container_has_what_it_was_given(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "OF_THE_CONTAINER", tmp_path / "memory.max")
    all_of_it = memory.of_the_machine()
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.of_the_machine() == all_of_it
    (tmp_path / "memory.max").write_text("1000000\n")
    assert memory.of_the_machine() == 1000000


def test_one_file_alone_is_held_to_the_time_limit_and_its_error_is_one_document(folder):
    code, out, _ = run(f"{folder}/hang.py:cell", "--time-limit", 1, "--json")
    assert code == 4
    error = json.loads(out)["error"]
    assert error["kind"] == "failed"
    assert "came to no end within 1 s" in error["message"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["none/*.py:cell"], 2, "No file matches none/*.py"),
        (["missing.py:cell"], 3, "There is no file missing.py"),
        (["rnn", "--csv", "nowhere/verdicts.csv"], 3, "There is no folder nowhere"),
        (["rnn", "--csv", "."], 3, "is a folder"),
        (["rnn", "--time-limit", "-1"], 2, "time-limit"),
        (["rnn", "--memory-limit", "-1"], 2, "memory-limit"),
    ],
)
def test_what_can_be_said_before_judging_is(capsys, tmp_path, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    assert main(["verify", *arguments]) == code
    output = capsys.readouterr()
    assert said in output.err
    assert output.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_control_c_ends_every_process_that_was_started(folder, tmp_path):
    marks = tmp_path / "pid"
    text = f"import os, time\nopen({str(marks)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    (tmp_path / "sleeps.py").write_text(text)
    command = [sys.executable, "-m", "manual_rnn", "verify", f"{tmp_path}/sleeps.py:cell", "--time-limit", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        try:
            wait_until(lambda: marks.exists() and marks.read_text())
            running.send_signal(signal.SIGINT)
            assert running.wait(timeout=30) == 130
        finally:
            running.kill()  # else the end of "with" waits for what has not heard it
    pid = int(marks.read_text())
    wait_until(lambda: not is_alive(pid))


def is_alive(pid):
    return subprocess.run(["kill", "-0", str(pid)], capture_output=True, check=False).returncode == 0


def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
