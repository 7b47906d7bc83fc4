"""A folder in which something else has been at work: what is left of it counts, and no command ends in a traceback."""

import pytest

from manual_rnn.studies import Study, grid, run, survey
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
