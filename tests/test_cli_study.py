"""``manual-rnn study``: exit codes, what stands on which stream, one sentence for what cannot be used, the report."""

import csv
import importlib.util
import json
import sys

import pytest

from cell_files import told
from study_files import DRAWS, process, results

GOOD = DRAWS + '\nOTHER = Study(name="other", function=draws, configurations=[{"gain": 3}])\nNO_STUDY = 3\n'
FAILS = """
from manual_rnn.studies import Study, grid


def fails(configuration, seed):
    print("loud")
    return {"x": 1 / configuration["i"]}


STUDY = Study(name="fails", function=fails, configurations=grid(i=range(3)))
"""
HERE = ("--workers", 1)


def document(capsys, *arguments):
    code, out, err = told(capsys, "study", *arguments, "--json")
    assert out.count("\n") == 1
    return code, json.loads(out), err


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "fails.py").write_text(FAILS)
    return tmp_path


def test_run_status_report(place, capsys):
    code, out, err = told(capsys, "study", "status", "good.py")
    assert (code, out, err) == (0, "draws in out/draws: 0 of 24 trials done, 24 missing.\n", "")
    code, out, err = told(capsys, "study", "run", "good.py", *HERE)
    assert (code, out, err) == (0, "draws in out/draws: 24 of 24 trials done.\n", "")
    assert len(results("out/draws")) == 24
    code, out, err = told(capsys, "study", "report", "good.py", "--no-figures")
    lines = out.splitlines()
    assert (code, err, len(lines)) == (0, "", 9)
    assert lines[0].split() == ["gain", "n", "seeds", "radius"]
    assert lines[1].split()[:3] == ["0.5", "1", "3"]
    assert "±" in lines[1]
    assert not (place / "out/draws/figures").exists()


def test_the_documents(place, capsys):
    code, ran, err = document(capsys, "run", "good.py", *HERE)
    assert (code, err) == (0, "")
    same = {"version": 1, "study": "draws", "folder": "out/draws", "trials": 24, "done": 24, "failed": 0}
    same |= {"changed": 0, "missing": 0, "failures": []}
    assert {**ran, **same, "computed": 24, "set_aside": []} == ran
    code, found, _ = document(capsys, "status", "good.py")
    assert (code, {**found, **same}) == (0, found)
    assert found["seconds_remaining"] == 0
    code, report, _ = document(capsys, "report", "good.py", "--no-figures")
    assert code == 0
    first = report["configurations"][0]
    assert (first["configuration"], first["seeds"], len(first["curves"]["norms"])) == ({"gain": 0.5, "n": 1}, 3, 40)
    assert set(first["values"]["radius"]) == {"mean", "interval"}


def test_another_study_of_the_file_by_its_name(place, capsys):
    code, out, _ = told(capsys, "study", "run", "good.py:OTHER", *HERE, "--out", "elsewhere")
    assert (code, out) == (0, "other in elsewhere: 1 of 1 trials done.\n")


def test_a_study_file_has_the_python_that_it_asks_for(place, capsys):
    """Annotations are values, as in any file without ``from __future__ import annotations``; ours have that."""
    (place / "typed.py").write_text(GOOD + "\ndef f(x: int): pass\nassert f.__annotations__ == {'x': int}\n")
    assert told(capsys, "study", "status", "typed.py")[0] == 0


def test_the_encoding_of_a_study_file_is_what_it_says(place, capsys):
    """Otherwise its code has no version, or letters that change are not seen."""
    codes = []
    for content in (b"\xef\xbb\xbf" + GOOD.encode(), GOOD.encode()):  # marked, as Windows' editor does, and not
        (place / "good.py").write_bytes(content)
        code, found, err = document(capsys, "status", "good.py")
        assert (code, err) == (0, "")
        codes.append(found["code"])
    latin = b"# coding: latin-1\n" + GOOD.encode().replace(b'"radius"', b'"radius \xe9"')
    for content in (latin, latin.replace(b"\xe9", b"\xe8")):
        (place / "good.py").write_bytes(content)
        codes.append(document(capsys, "status", "good.py")[1]["code"])
    assert codes[0] == codes[1]
    assert len(set(codes[1:])) == 3


def test_a_function_that_raises_is_code_4_with_its_traceback(place, capsys):
    code, out, err = told(capsys, "study", "run", "fails.py", *HERE)
    assert code == 4
    assert out.startswith("fails in out/fails: 2 of 3 trials done, 1 failed.\n")
    assert 'The first of the failed, {"i":0} with seed 0: ZeroDivisionError: division by zero.' in out
    assert err.count("loud") == 3
    assert 'return {"x": 1 / configuration["i"]}' in err
    code, found, _ = document(capsys, "run", "fails.py", *HERE)
    assert (code, found["computed"], found["failures"][0]["configuration"]) == (4, 0, {"i": 0})
    assert told(capsys, "study", "status", "fails.py")[0] == 0
    code, out, err = told(capsys, "study", "report", "fails.py", "--no-figures")
    assert (code, err) == (0, "manual-rnn: 1 of 3 trials have no result and are left out.\n")


def test_a_function_that_is_changed_is_told_and_its_failures_are_tried_again(place, capsys):
    told(capsys, "study", "run", "fails.py", *HERE)
    (place / "fails.py").write_text(FAILS.replace('1 / configuration["i"]', '2 / (1 + configuration["i"])'))
    code, out, _ = told(capsys, "study", "run", "fails.py", *HERE)
    assert (code, out.splitlines()[0]) == (0, "fails in out/fails: 3 of 3 trials done.")
    assert "2 of the results were made before the study's function was changed" in out
    assert "2 of the results were made before" in told(capsys, "study", "report", "fails.py", "--no-figures")[2]
    code, out, _ = told(capsys, "study", "run", "fails.py", *HERE, "--redo-changed")
    assert (code, out) == (0, "fails in out/fails: 3 of 3 trials done.\n")


def test_a_corrupt_result_is_told(place, capsys):
    told(capsys, "study", "run", "good.py", *HERE)
    path = min((place / "out/draws/trials").iterdir())
    path.write_bytes(path.read_bytes().replace(b"radius", b"Radius"))
    code, _, err = told(capsys, "study", "report", "good.py", "--no-figures")
    assert code == 0
    assert "its checksum does not fit its content. 'manual-rnn study run good.py' does it anew." in err
    assert "1 of 24 trials have no result" in err
    code, _, err = told(capsys, "study", "run", "good.py", *HERE)
    assert (code, err.count("\n")) == (0, 1)
    assert "It is now in out/draws/set_aside/" in err


BAD = {
    "no file": (["run", "none.py"], 3, "There is no file none.py."),
    "a folder": (["run", "folder.py"], 3, "folder.py cannot be read: Is a directory."),
    "no python file": (["status", "study"], 2, "'study' is no study file; expected FILE.py"),
    "an unknown study": (["run", "good.py:NONE"], 2, "good.py has no study 'NONE'; the studies in it: STUDY, OTHER."),
    "something else": (["run", "good.py:NO_STUDY"], 3, "NO_STUDY in good.py is of the type int; expected a Study."),
    "no STUDY": (["report", "none_in.py"], 3, "none_in.py has no STUDY; expected STUDY = Study(…) in it."),
    "a STUDY by another name": (["run", "other.py"], 3, "other.py has no STUDY; it has MINE: say other.py:MINE."),
    "no JSON": (["run", "set.py"], 3, "set.py, line 3: A configuration['a'] is {1}, of the type set;"),
    "twice": (["run", "twice.py"], 3, 'twice.py, line 3: The configuration {"a":1} is in the study \'x\' twice;'),
    "no seeds": (["run", "seeds.py"], 3, "seeds.py, line 3: 'a' is among the study's seeds; they are whole numbers"),
    "a file that raises": (["run", "raises.py"], 4, "raises.py could not be loaded: it raised KeyError: 'planted'"),
    "a file that panics": (["run", "panics.py"], 4, "panics.py could not be loaded: it raised Panic: planted"),
    "no python": (["run", "syntax.py"], 4, "syntax.py could not be loaded: it raised SyntaxError"),
    "no workers": (["run", "good.py", "--workers", "0"], 2, "Must be >= 1"),
    "half a worker": (["run", "good.py", "--workers", "1.5"], 2, "a whole number is expected"),
    "workers of a scheduler": (["run", "good.py", "--dask", "tcp://h:1", "--workers", "2"], 2, "workers of its own"),
    "an unknown option": (["run", "good.py", "--retry"], 2, "--retry"),
    "no results": (["report", "good.py"], 3, "out/draws has no results of the study 'draws'; 'manual-rnn study run"),
    "a file as a folder": (["status", "good.py", "--out", "good.py"], 3, "good.py is no folder."),
    "a folder in a file": (["run", "good.py", "--out", "good.py/x"], 3, "good.py/x cannot be written: Not a"),
    "a name that is too long": (["status", "good.py", "--out", "n" * 300], 3, "cannot be read: File name too long."),
    "another's folder": (["run", "good.py", "--out", "taken"], 2, "taken holds the study 'else', not 'draws'"),
}
FILES = {
    "none_in.py": "x = 1\n",
    "other.py": "from manual_rnn.studies import Study\nMINE = Study(name='x', function=len, configurations=[{}])\n",
    "raises.py": "{}['planted']\n",
    "panics.py": "class Panic(BaseException): pass\nraise Panic('planted')\n",
    "syntax.py": "def f(:\n",
}
ONE = "\nfrom manual_rnn.studies import Study\nSTUDY = Study(name='x', function=len, configurations={}, seeds={})\n"


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_sentence(what, place, capsys):
    arguments, code, sentence = BAD[what]
    (place / "folder.py").mkdir()
    (place / "taken").mkdir()
    (place / "taken/study.json").write_text('{"version": 1, "study": "else"}')
    made = {
        "set.py": ONE.format([{"a": {1}}], (0,)), "twice.py": ONE.format([{"a": 1}] * 2, (0,)),
        "seeds.py": ONE.format([{"a": 1}], ["a"]),
    }  # fmt: skip
    for name, content in {**FILES, **made}.items():
        (place / name).write_text(content)
    found, out, err = told(capsys, "study", *arguments)
    assert (found, out) == (code, "")
    assert sentence in err
    assert "manual_rnn/" not in err  # no traceback through our own code
    code_of_json, content, _ = document(capsys, *arguments)
    assert code_of_json == code
    assert sentence in content["error"]["message"]


def test_an_address_that_nobody_answers_at(place, capsys, monkeypatch):
    pytest.importorskip("distributed", reason="Dask is not installed")
    monkeypatch.setattr("manual_rnn.studies.executors.ANSWER_SECONDS", 0.2)
    for address in ("tcp://127.0.0.1:1", "nonsense", "abc://h:1"):
        code, out, err = told(capsys, "study", "run", "good.py", "--dask", address)
        assert (code, out) == (3, "")
        assert f"No Dask scheduler answers at '{address}'" in err


@pytest.mark.parametrize(
    ("missing", "arguments", "code", "sentence"),
    [
        ("distributed", ["run", "good.py", "--dask", "local"], 3, 'pip install "manual-rnn[dask]"'),
        ("pyarrow", ["report", "good.py", "--parquet", "a.parquet"], 3, 'pip install "manual-rnn[parquet]"'),
        ("matplotlib", ["report", "good.py"], 0, 'pip install "manual-rnn[figures]". --no-figures leaves them out'),
    ],
)
def test_an_extra_that_is_missing_is_named(missing, arguments, code, sentence, place, capsys, monkeypatch):
    told(capsys, "study", "run", "good.py:OTHER", *HERE)
    told(capsys, "study", "run", "good.py", *HERE)
    monkeypatch.setitem(sys.modules, missing, None)
    found, out, err = told(capsys, "study", *arguments)
    assert found == code
    assert sentence in err
    assert bool(out) == (code == 0)  # the table is printed without figures, too


def test_figures(place, capsys):
    pytest.importorskip("matplotlib")
    told(capsys, "study", "run", "good.py", *HERE)
    code, out, err = told(capsys, "study", "report", "good.py")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "radius: figures in out/draws/figures."
    drawn = {path.name: path.read_bytes() for path in (place / "out/draws/figures").iterdir()}
    assert set(drawn) == {"radius-light.svg", "radius-dark.svg", "radius.png"}
    told(capsys, "study", "report", "good.py")
    assert drawn == {path.name: path.read_bytes() for path in (place / "out/draws/figures").iterdir()}


def test_planes_and_lists_are_drawn(place, capsys):
    pytest.importorskip("matplotlib")
    many = GOOD.replace("gain=(0.5, 1, 1.5, 2), n=(1, 2)", "gain=range(7), n=range(6)").replace("range(3)", "(0,)")
    few = GOOD.replace("gain=(0.5, 1, 1.5, 2), n=(1, 2)", "gain=(0.5, 1)").replace("range(3)", "(0,)")
    for name, content, drawn in (("many.py", many, ["radius"]), ("few.py", few, ["norms", "radius"])):
        (place / name).write_text(content)
        told(capsys, "study", "run", name, *HERE, "--out", name[:-3])
        code, _, err = told(capsys, "study", "report", name, "--out", name[:-3])
        assert (code, err) == (0, "")
        assert sorted({path.name.split("-")[0] for path in (place / name[:-3] / "figures").glob("*.svg")}) == drawn


def test_csv_has_every_trial(place, capsys):
    told(capsys, "study", "run", "good.py", *HERE)
    assert told(capsys, "study", "report", "good.py", "--no-figures", "--csv", "tables/a.csv")[0] == 0
    rows = list(csv.DictReader((place / "tables/a.csv").read_text().splitlines()))
    names = ["configuration.gain", "configuration.n", "seed", "value.norms", "value.radius", "seconds", "code"]
    assert (list(rows[0]), len(rows)) == (names, 24)
    assert [row["seed"] for row in rows[:4]] == ["0", "1", "2", "0"]
    assert len(json.loads(rows[0]["value.norms"])) == 40
    kept = [json.loads(content)["values"]["radius"] for content in results("out/draws").values()]
    assert sorted(float(row["value.radius"]) for row in rows) == sorted(kept)  # to the last bit


def test_parquet_has_the_same(place, capsys):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    mixed = FAILS.replace("grid(i=range(3))", '[{"i": 1}, {"i": 2.5}, {"i": True, "name": "a"}, {"i": 4, "name": 3}]')
    mixed = mixed.replace('{"x": 1 / configuration["i"]}', '{"x": float("nan"), "y": [[1, float("inf")]]}')
    (place / "mixed.py").write_text(mixed)
    told(capsys, "study", "run", "mixed.py", *HERE)
    files = ("--parquet", "a.parquet", "--csv", "a.csv")
    code, _, err = told(capsys, "study", "report", "mixed.py", "--no-figures", *files)
    assert (code, err) == (0, "")
    rows = parquet.read_table(place / "a.parquet").to_pylist()
    assert [row["value.y"] for row in rows] == [[[1, float("inf")]]] * 4
    assert all(row["value.x"] != row["value.x"] for row in rows)
    assert [row["configuration.name"] for row in rows] == [None, None, '"a"', "3"]
    assert (place / "a.csv").read_text().count("\n") == 5


def test_parquet_has_what_no_column_of_one_type_holds_as_json(place, capsys):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    odd = FAILS.replace("grid(i=range(3))", '[{"i": 2**70, "d": {}}, {"i": 1, "d": {"k": 1}, "s": "\\ud800"}]')
    odd = odd.replace("1 / configuration", "3 + configuration")
    (place / "odd.py").write_text(odd)
    told(capsys, "study", "run", "odd.py", *HERE)
    code, _, err = told(capsys, "study", "report", "odd.py", "--no-figures", "--parquet", "a.parquet", "--json")
    assert (code, err) == (0, "")
    rows = parquet.read_table(place / "a.parquet").to_pylist()
    assert [row["configuration.d"] for row in rows] == ["{}", '{"k":1}']
    assert [row["configuration.i"] for row in rows] == [str(2**70), "1"]
    assert [row["value.x"] for row in rows] == [str(2**70 + 3), "4"]
    assert [row["configuration.s"] for row in rows] == [None, '"\\ud800"']


def test_csv_has_letters_that_no_encoding_has_as_their_numbers(place, capsys):
    alone = FAILS.replace("grid(i=range(3))", '[{"i": 1, "s": "\\ud800"}]')
    (place / "alone.py").write_text(alone)
    told(capsys, "study", "run", "alone.py", *HERE)
    assert told(capsys, "study", "report", "alone.py", "--no-figures", "--csv", "a.csv", "--json")[0] == 0
    assert "\\ud800" in (place / "a.csv").read_text()


def test_a_pipe_gets_no_progress(place):
    done = process("run", "good.py", "--workers", 2)
    assert (done.returncode, done.stdout, done.stderr) == (0, "draws in out/draws: 24 of 24 trials done.\n", "")


def test_a_file_that_workers_cannot_load_is_no_trials_failure(place):
    """As where the workers lack a module: the file tells the driver's process from another."""
    lacking = "import multiprocessing\nif multiprocessing.parent_process():\n    import no_such_module\n"
    (place / "lacking.py").write_text(lacking + GOOD)
    done = process("run", "lacking.py", "--workers", 2)
    assert (done.returncode, done.stdout) == (4, "")
    sentence = "A worker cannot run the study's trials. There, lacking.py could not be loaded: it raised ModuleNotFound"
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(process("status", "lacking.py", "--json").stdout)["missing"] == 24


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="Dask is not installed")
def test_a_scheduler_that_stands_gives_the_same_bytes(place, capsys):
    """In process: the scheduler and two workers are threads here; the command finds them by their address."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=2, processes=False, dashboard_address=None, protocol="tcp", silence_logs=50
    ) as cluster:
        done = process("run", "good.py", "--dask", cluster.scheduler_address, "--out", "dask")
    assert (done.returncode, done.stdout) == (0, "draws in dask: 24 of 24 trials done.\n")
    told(capsys, "study", "run", "good.py", *HERE)
    assert results("dask") == results("out/draws")
