"""A folder in which something else has been at work: what is left of it counts, and no command ends in a traceback."""

import pytest

from manual_rnn.studies import Study, grid, run, survey
from manual_rnn.studies.run_log import seconds_by_key
from manual_rnn.studies.store import Store

CODE = "00000001"


def inverse(configuration, seed):
    return {"x": 1 / configuration["i"]}


STUDY = Study(name="inverse", function=inverse, configurations=grid(i=range(3)))


@pytest.fixture
def folder(tmp_path):
    """Two results and a failure."""
    run(STUDY, tmp_path, code=CODE)
    return tmp_path


@pytest.mark.parametrize("part", ["trials", "failed"])
def test_a_file_that_vanishes_while_the_folder_is_read_takes_no_other_with_it(part, folder):
    """Another run moves a file between the listing and the look at it; a link to nowhere stands still for that."""
    (folder / part / f"{'0' * 32}-{CODE}.json").symlink_to(folder / "nowhere")
    found = survey(STUDY, Store(folder), CODE)
    assert (len(found.done), len(found.failed), len(found.missing)) == (2, 1, 0)


DEEP = "[" * 200_000
"""JSON's reader gives up on it with another error than on what is no JSON."""


def test_a_result_that_is_too_deep_to_read_is_corrupt(folder):
    first = min((folder / "trials").iterdir())
    whole = first.read_bytes()
    first.write_text(DEEP)
    again = run(STUDY, folder, code=CODE)
    assert (again.computed, len(again.set_aside)) == (1, 1)
    assert first.read_bytes() == whole


@pytest.mark.parametrize("content", ['{"error": 3, "traceback": 4}', DEEP, "[1]", ""])
def test_a_failure_says_something_whatever_its_file_holds(content, folder):
    (path,) = (folder / "failed").iterdir()
    path.write_text(content)
    store = Store(folder)
    (entry,) = survey(STUDY, store, CODE).failed.values()
    found = store.read_failure(entry)
    assert all(isinstance(found[name], str) for name in ("error", "traceback"))
    assert found["error"]


def test_a_failure_that_cannot_be_removed_does_not_count_beside_a_result(folder):
    (path,) = (folder / "failed").iterdir()
    path.unlink()
    path.mkdir()
    right = Study(name="inverse", function=lambda c, s: {"x": 1}, configurations=STUDY.configurations)
    again = run(right, folder, code=CODE, redo_failed=True)
    assert (again.computed, len(again.survey.done), len(again.survey.failed)) == (1, 3, 0)


@pytest.mark.parametrize("line", ['{"key": [1], "seconds": 2}', '{"key": "a", "seconds": "long"}', DEEP, '"key"'])
def test_times_that_cannot_be_read_are_left_out(line, folder):
    whole = seconds_by_key(folder)
    (folder / "runs" / "1.jsonl").write_text(line)
    (folder / "runs" / "2.jsonl").mkdir()
    assert seconds_by_key(folder) == whole
    assert len(whole) == 3


def test_a_name_of_the_study_that_is_too_deep_to_read_is_none(folder):
    (folder / "study.json").write_text(DEEP)
    assert Store(folder).holds() is None
