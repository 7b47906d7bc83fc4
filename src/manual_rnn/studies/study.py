"""What a study file says: a function, the configurations that it is run with, and how often each is drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from manual_rnn.studies.plain import canonical, configuration_of
from manual_rnn.studies.trial import Trial

Function = Callable[[Any, Any], Any]
"""From (configuration, seed) to named numbers, or lists of numbers: a mapping.

It draws from ``numpy.random.default_rng(seed)``, and from nothing else, so that a trial is the same wherever it runs.
Where a study takes several trials together, from lists of both to a list of such mappings.
"""


@dataclass(frozen=True, kw_only=True)
class Study:
    """A function of (configuration, seed), configurations, seeds; checked when made.

    Every configuration is run with every seed. The function is one of a file's own (``def``), so that other processes
    can load it; whatever it uses of its file counts as its code (:mod:`manual_rnn.studies.version`).

    Raises ValueError, one sentence, for a name that is no file name, no configurations, one that is not JSON, one that
    is there twice, seeds that are not whole numbers from zero on, each there once, and ``together`` below one.
    """

    name: str
    """Of letters, digits, "_", "-" and ".": folders and figures are named after it."""
    function: Function
    configurations: Iterable[Mapping[str, Any]]
    seeds: Iterable[int] = (0,)
    """Numbers of the draws of each configuration, not what the function is given: that is :attr:`Trial.seed`."""
    together: int = 1
    """How many trials the function is given at once, at most; above one, it is given lists. Which trials they are
    hangs on what is missing, so no number may hang on it: :mod:`manual_rnn.studies.batched` keeps to that."""
    alike: tuple[str, ...] = ()
    """The settings in which trials that are taken together have to agree: what makes the shapes."""
    floors: Mapping[str, float | str] = field(default_factory=dict)
    """By the name of a number that the function returns, the value below which it means something, such as the loss of
    whoever remembers nothing: a number, or the name of another that the function returns. It is drawn into the figure.
    """

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"\w[\w.-]*", self.name):
            raise ValueError(f"The study's name is {self.name!r}; expected letters, digits, '_', '-' and '.'.")
        if not callable(self.function):
            raise ValueError(f"The study's function is {self.function!r}; expected one of (configuration, seed).")
        configurations = tuple(map(configuration_of, _many(self.configurations, "configurations")))
        seeds = _many(self.seeds, "seeds")
        if not configurations:
            raise ValueError(f"The study {self.name!r} has no configurations; grid(gain=(0.8, 1.2)) makes two.")
        if wrong := [seed for seed in seeds if not _is_whole(seed)]:
            raise ValueError(f"{wrong[0]!r} is among the study's seeds; they are whole numbers from zero on.")
        numbers = tuple(int(seed) for seed in seeds)
        if not numbers:
            raise ValueError(f"The study {self.name!r} has no seeds; range(5) runs each configuration five times.")
        for told, what in ((list(map(canonical, configurations)), "configuration"), (list(map(str, numbers)), "seed")):
            if len(set(told)) < len(told):
                twice = next(one for i, one in enumerate(told) if one in told[:i])
                raise ValueError(f"The {what} {twice} is in the study {self.name!r} twice; each is run once.")
        if not _is_whole(self.together) or self.together < 1:
            raise ValueError(f"The study takes {self.together!r} trials together; expected a whole number from one on.")
        object.__setattr__(self, "floors", _floors(self.floors))
        object.__setattr__(self, "alike", _many(self.alike, "settings that have to be alike"))
        object.__setattr__(self, "configurations", configurations)
        object.__setattr__(self, "seeds", numbers)

    def trials(self) -> tuple[Trial, ...]:
        """Every configuration with every seed, the seeds of one configuration together."""
        texts = [canonical(configuration) for configuration in self.configurations]
        return tuple(Trial(text, number) for text in texts for number in self.seeds)


def groups(trials: Iterable[Trial], together: int, alike: Sequence[str]) -> Iterator[list[Trial]]:
    """The trials in groups of so many, each of trials that agree in the settings; the last ones are smaller."""
    begun: dict[str, list[Trial]] = {}
    for trial in trials:
        configuration = trial.configuration if alike else {}
        group = begun.setdefault(canonical({name: configuration.get(name) for name in alike}), [])
        group.append(trial)
        if len(group) == together:
            yield list(group)
            group.clear()
    yield from (group for group in begun.values() if group)


def _floors(given: Any) -> dict[str, float | str]:
    if not isinstance(given, Mapping) or not all(isinstance(floor, Real | str) for floor in given.values()):
        raise ValueError(
            f"The study's floors are {given!r}; expected a mapping of the names of numbers to a number, or to the name "
            "of another, such as {'loss': 1.386}."
        )
    return {name: floor if isinstance(floor, str) else float(floor) for name, floor in given.items()}


def _many(given: Any, what: str) -> tuple[Any, ...]:
    if isinstance(given, Mapping | str) or not isinstance(given, Iterable):
        raise ValueError(f"The study's {what} are {given!r}; expected a list of them.")
    return tuple(given)


def _is_whole(seed: Any) -> bool:
    return hasattr(seed, "__index__") and not isinstance(seed, bool) and int(seed) >= 0
