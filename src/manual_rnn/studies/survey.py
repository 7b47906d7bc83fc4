"""How far a study is, from the names of the files alone: ten thousand trials take a tenth of a second.

What it does not see: whether a result is corrupt. A run and a report open the files and do.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from manual_rnn.studies.store import Entry, Store
from manual_rnn.studies.study import Study
from manual_rnn.studies.trial import Trial

LATEST = 100
"""Results that the pace is taken of."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Every trial of a study is in one of these."""

    done: dict[Trial, Entry] = field(default_factory=dict)
    """Finished, by the code that the study has now."""
    changed: dict[Trial, Entry] = field(default_factory=dict)
    """Finished by other code, and not by this: the latest such result."""
    failed: dict[Trial, Entry] = field(default_factory=dict)
    """The function raised, as it is now."""
    missing: tuple[Trial, ...] = ()

    @property
    def trials(self) -> int:
        """How many there are."""
        return len(self.done) + len(self.changed) + len(self.failed) + len(self.missing)

    @property
    def results(self) -> dict[Trial, Entry]:
        """All results that count, of this code or of other."""
        return {**self.done, **self.changed}

    def last_result(self) -> float | None:
        """Seconds since the latest result; None where there is none."""
        times = [entry.modified for entry in self.results.values()]
        return max(0.0, time.time() - max(times)) if times else None

    def remaining(self) -> float | None:
        """Seconds for what is missing, at the pace of the latest hundred results; None where that cannot be said."""
        times = sorted(entry.modified for entry in self.results.values())[-LATEST:]
        if len(times) < 2 or times[-1] == times[0]:
            return None
        return len(self.missing) * (times[-1] - times[0]) / (len(times) - 1)


def survey(study: Study, store: Store, code: str) -> Survey:
    """Looks through the folder, for a version of the study's function."""
    results, failures = store.results(), store.failures()
    found, missing = Survey(), []
    for trial in study.trials():
        key = trial.key
        if entry := _of(results.get(key, []), code):
            found.done[trial] = entry
        elif entry := _of(failures.get(key, []), code):
            found.failed[trial] = entry
        elif key in results:
            found.changed[trial] = results[key][-1]
        else:
            missing.append(trial)
    return Survey(done=found.done, changed=found.changed, failed=found.failed, missing=tuple(missing))


def _of(entries: list[Entry], code: str) -> Entry | None:
    return next((entry for entry in entries if entry.code == code), None)
