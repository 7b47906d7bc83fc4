"""What every experiment does around its measurement: the table, the checked figure, the record, the words."""

import json
import math
import os
from pathlib import Path

import pytest

from manual_rnn.errors import InputError
from manual_rnn.experiment import Line, progress, publish, run, table


def draw(theme):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 2))
    figure.add_subplot().plot([0, 1], [0, 1], color=theme.ink)
    return figure


CHECKED = Line(what="slope", measured=1.25, standard_error=0.1, theory=1.0, check="off by 1e-15")


def test_the_table_says_how_far_off_in_standard_errors():
    others = [Line(what="exact", measured=2.0, theory=2.0), Line(what="no theory", measured=3.0)]
    lines = table([CHECKED, *others]).splitlines()
    assert lines[0].split() == ["measured", "theory", "deviation", "cross-check"]
    assert lines[1].split("  ")[0] == "slope"
    assert "1.25 ± 0.1" in lines[1]
    assert "+2.5 s.e." in lines[1]
    assert "s.e." not in lines[2]
    assert lines[3].split() == ["no", "theory", "3"]


def test_a_checked_figure_is_written_with_its_numbers(tmp_path, capsys):
    assert publish("name", [CHECKED], draw, tmp_path / "new", record={"seed": 3, "curve": {"a": [1.5, math.nan]}}) == 0
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["name-dark.svg", "name-light.svg", "name.json", "name.png"]
    record = json.loads((tmp_path / "new" / "name.json").read_text(encoding="utf-8"))
    assert record["seed"] == 3
    assert record["curve"] == {"a": [1.5, None]}
    assert record["table"][0]["in_standard_errors"] == pytest.approx(2.5)
    assert {"versions", "platform", "commit", "libraries"} <= set(record)
    assert "name.json are in" in capsys.readouterr().out


def test_no_figure_where_a_check_disagrees_or_none_was_made(tmp_path, capsys):
    wrong = Line(what="slope", measured=1.0, check="off by 1", agree=False)
    assert publish("name", [CHECKED, wrong], draw, tmp_path / "none", record={}) == 1
    captured = capsys.readouterr()
    assert "off by 1 — DISAGREES" in captured.out
    assert "no figure is written" in captured.err
    with pytest.raises(ValueError, match="No line of the table has a cross-check"):
        publish("name", [Line(what="slope", measured=1.0)], draw, tmp_path / "none", record={})
    assert not (tmp_path / "none").exists()


def test_what_cannot_be_measured_is_a_sentence_and_code_three(capsys):
    def main(*, units: int = 3) -> int:
        raise ValueError(f"units is {units}.")

    assert run(main, "Does it?\n\nMore.", ["--units", "4"]) == 3
    assert capsys.readouterr().err == "This cannot be measured. units is 4.\n"


def test_an_option_or_a_file_that_is_refused_is_a_sentence_and_its_own_code(capsys):
    def main() -> int:
        raise InputError("There is no text file x.")

    assert run(main, "Does it?", []) == InputError.exit_code
    assert capsys.readouterr().err == "This cannot be measured. There is no text file x.\n"


def test_progress_leaves_the_items_alone_and_a_pipe_empty(capsys):
    assert list(progress(iter("abc"), "letters", 3)) == ["a", "b", "c"]
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_what_an_oracle_disagrees_with_is_a_sentence_and_code_one(capsys):
    from manual_rnn.diagnostics import Disagreement

    def main() -> int:
        raise Disagreement("∇W: manual and autodiff DISAGREE.")

    assert run(main, "Does it?", []) == 1
    assert capsys.readouterr().err == "∇W: manual and autodiff DISAGREE. No figure is written.\n"


def quick_main(*, units: int = 3, n_steps: int = 7, out: Path = Path("out/nowhere")) -> int:
    """Measures.

    Args:
        units: How many.
        n_steps: How long.
        out: The folder.
    """
    print(units, n_steps, out.name)
    return 0


QUICK = {"units": 1, "n_steps": 2}


def seeded_main(*, seed: int = 0) -> int:
    return 0


def test_a_seed_below_zero_is_told_by_its_name(capsys):
    assert run(seeded_main, "Does it?", ["--seed", "3"]) == 0
    assert run(seeded_main, "Does it?", ["--seed", "-1"]) == 2
    assert "--seed is -1; it is a whole number, 0 or more." in capsys.readouterr().err


def test_quick_sets_sizes_and_refuses_to_share_them(tmp_path, capsys):
    out = ["--out", str(tmp_path / "new")]
    assert run(quick_main, "Does it?", ["--n-steps", "5", *out], quick=QUICK) == 0
    assert run(quick_main, "Does it?", ["--quick", *out], quick=QUICK) == 0
    assert capsys.readouterr().out == "3 5 new\n1 2 new\n"
    assert run(quick_main, "Does it?", ["--quick", "--n-steps", "5"], quick=QUICK) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "--quick sets --n-steps itself (--units 1 --n-steps 2), and it is given too." in told.err
    run(quick_main, "Does it?", ["--help"], quick=QUICK)
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "A small run of seconds: --units 1 --n-steps 2." in told


def test_a_folder_that_can_be_none_costs_no_measurement(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "under" / "it"):
        assert run(quick_main, "Does it?", ["--out", str(out)], quick=QUICK) == 3
        told = capsys.readouterr()
        assert told.out == ""  # nothing was measured
        assert "there is a file where the folder would be" in told.err
        assert str(tmp_path / "file") in told.err
    (tmp_path / "out" / f"{Path(__file__).stem}.json").mkdir(parents=True)
    assert run(quick_main, "Does it?", ["--out", str(tmp_path / "out")]) == 3
    assert "there is a folder where a file would be" in capsys.readouterr().err
    assert run(quick_main, "Does it?", ["--out", str(tmp_path / "a" / "b")]) == 0
    assert not (tmp_path / "a").exists()  # it is made when there is something to write


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="whoever is root may write anywhere")
def test_a_folder_that_may_not_be_written_costs_no_measurement(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert run(quick_main, "Does it?", ["--out", str(tmp_path / "new")]) == 3
    tmp_path.chmod(0o700)
    assert "nothing may be written there" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")

    def main() -> int:
        return publish("name", [CHECKED], draw, tmp_path / "file", record={})

    assert run(main, "Does it?", []) == 3
    told = capsys.readouterr().err
    assert told.startswith("A file cannot be read or written: ")
    assert told.endswith("Figure and numbers go to --out.\n")
