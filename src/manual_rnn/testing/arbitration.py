r"""The arbitration between manual, autodiff, finite differences and more, none trusted above the others.

    print(arbitrate({"manual": …, "autodiff": …, "finite differences": finite_differences(cell, case)}))

    grad_W: manual stands alone: autodiff and finite differences agree to 2e-14, manual is off by 54 %
    grad_h0: manual and autodiff agree to 2e-16; finite differences cannot decide: the error (6.0e-17) exceeds
    …

What it cannot see: parties that are wrong together. Manual, finite differences and complex step share the
NumPy forward pass: where that is not the reference's, *autodiff* stands alone and may be right, so compare
the forward nodes first. Manual and autodiff both take 1 − h² from a rounded h, and lose the same digits where
tanh is saturated: there *complex step* stands alone and is right, unless both are handed in with the error
that this makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.agreement import Verdict, weigh
from manual_rnn.testing.oracles.estimate import Estimate, norm

SEVERITY = ("too small", "agree", "cannot decide", "divided", "no two agree", "stands alone")


@dataclass(frozen=True)
class Arbitration:
    """The verdict for each gradient, by its name."""

    verdicts: Mapping[str, Verdict]

    @property
    def agree(self) -> bool:
        """Whether all who can decide agree, two at least, for every gradient that the format can hold."""
        outcomes = {v.outcome for v in self.verdicts.values()}
        return "agree" in outcomes and outcomes <= {"agree", "too small"}

    @property
    def alone(self) -> dict[str, tuple[str, ...]]:
        """By party, the gradients for which it stands alone."""
        parties = dict.fromkeys(p for v in self.verdicts.values() for p in v.alone)
        return {p: tuple(n for n, v in self.verdicts.items() if p in v.alone) for p in parties}

    def __str__(self) -> str:
        return "\n".join(str(v) for v in self.verdicts.values())


def arbitrate(
    answers: Mapping[str, Mapping[str, Array | Estimate]], *, by_step: Iterable[str] = ("x",)
) -> Arbitration:
    """Sets the gradients of several parties for one problem against each other.

    Args:
        answers: by party ("manual", "autodiff", "finite differences", "complex step", …), its gradients by
        name.
            A plain array is taken to be right to half of its dtype's digits, as right code is on a
            well-conditioned problem; where the error was measured, hand in an :class:`Estimate`.
        by_step: gradients (T, …) that are judged row by row, as one step's part of them may be tiny beside
            another's; the verdict is that of the worst row.

    A gradient that only one party has is not judged.

    Raises:
        ValueError: there are fewer than two parties, or two have the same gradient in different shapes.
    """
    if len(answers) < 2:
        raise ValueError(f"An arbitration needs two parties; there is {', '.join(answers) or 'none'}.")
    rows = tuple(by_step)
    verdicts: dict[str, Verdict] = {}
    for name in dict.fromkeys(n for gradients in answers.values() for n in gradients):
        given = {party: g[name] for party, g in answers.items() if name in g}
        shapes = {party: g.value.shape if isinstance(g, Estimate) else g.shape for party, g in given.items()}
        if len(set(shapes.values())) > 1:
            which = ", ".join(f"{party} has {shape}" for party, shape in shapes.items())
            raise ValueError(f"grad_{name} must have one shape: {which}.")
        if len(given) > 1:
            verdicts[name] = _worst_row(name, given) if name in rows else _judge(name, given)
    return Arbitration(verdicts)


def as_estimate(gradient: Array | Estimate) -> Estimate:
    """A plain array with its error: half of its digits, in norm, and the smallest normal number of its dtype.

    Half, because right code on a well-conditioned problem keeps more and a mistake in an equation leaves
    none; the smallest normal number, because compiled JAX flushes what is below it to zero.
    """
    if isinstance(gradient, Estimate):
        return gradient
    info = np.finfo(gradient.dtype)
    finite = np.where(np.isfinite(gradient), gradient, 0)
    typical = norm(finite) / np.sqrt(np.longdouble(gradient.size))
    return Estimate(gradient, np.full(gradient.shape, np.sqrt(np.longdouble(info.eps)) * typical + info.tiny))


def _judge(name: str, given: Mapping[str, Array | Estimate]) -> Verdict:
    return weigh(name, {party: as_estimate(gradient) for party, gradient in given.items()})


def _worst_row(name: str, given: Mapping[str, Array | Estimate]) -> Verdict:
    """The worst verdict over the rows of axis 0; its sentence says which row."""

    def row(g: Array | Estimate, t: int) -> Array | Estimate:
        return Estimate(g.value[t], g.error[t], g.cannot_decide) if isinstance(g, Estimate) else g[t]

    first = next(iter(given.values()))
    T = len(first.value if isinstance(first, Estimate) else first)
    parts = [_judge(name, {party: row(g, t) for party, g in given.items()}) for t in range(T)]

    def badness(t: int) -> tuple[int, int, float]:
        return SEVERITY.index(parts[t].outcome), len(parts[t].undecided), parts[t].spread

    t = max(range(T), key=badness)
    return replace(parts[t], sentence=f"at t = {t} (the worst of {T} steps) {parts[t].sentence}")
