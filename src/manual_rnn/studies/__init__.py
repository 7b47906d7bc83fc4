"""Studies: one function over many configurations and seeds, on any number of processes, resumed after any end.

``study`` says what is run, ``store`` what lies on the disk, ``run`` brings the two together by an executor.
"""

from manual_rnn.studies.configurations import choice, grid, log_uniform, sample, uniform
from manual_rnn.studies.intervals import Interval
from manual_rnn.studies.medians import Median
from manual_rnn.studies.run import Ran, run
from manual_rnn.studies.shares import Share
from manual_rnn.studies.study import Study
from manual_rnn.studies.summary import Summary, summarise
from manual_rnn.studies.survey import Survey, survey
from manual_rnn.studies.trial import Trial

__all__ = [
    "Interval", "Median", "Ran", "Share", "Study", "Summary", "Survey", "Trial",
    "choice", "grid", "log_uniform", "run", "sample", "summarise", "survey", "uniform",
]  # fmt: skip
