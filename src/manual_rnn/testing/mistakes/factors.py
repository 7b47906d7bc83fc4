"""Numbers that a term may be multiplied with by mistake, and what each means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from manual_rnn.testing.problem import Sizes


@dataclass(frozen=True)
class Factor:
    """A factor that depends on the sizes of a case, and the words for it."""

    value: Callable[[Sizes], float]
    words: str


NAMED = (
    Factor(lambda s: 1.0, ""),
    Factor(lambda s: -1.0, "right up to the sign"),
    Factor(lambda s: 1 / s.B, "averaged over the batch (factor 1/B)"),
    Factor(lambda s: 1 / s.T, "averaged over time (factor 1/T)"),
    Factor(lambda s: 1 / (s.T * s.B), "averaged over time and batch (factor 1/(T B))"),
    Factor(lambda s: float(s.B), "multiplied by the size of the batch (factor B)"),
    Factor(lambda s: float(s.T), "multiplied by the number of steps (factor T)"),
    Factor(lambda s: 2.0, "counted twice (factor 2)"),
    Factor(lambda s: 0.5, "halved (factor 1/2)"),
    Factor(lambda s: 0.0, "zero"),
)


def constant(value: float) -> Factor:
    """A factor that is the same number in every case."""
    return Factor(lambda s: value, f"multiplied by {value:.10g}")


def candidates(measured: float) -> tuple[Factor, ...]:
    """The named factors, and the measured number itself as a constant."""
    return (*NAMED, constant(measured))
