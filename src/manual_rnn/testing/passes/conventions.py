"""Right, in another convention: what is wrong as it was declared, and right when one reads it otherwise.

A convention holds throughout: all matrices are transposed, every gradient is a mean. Where it holds for some arrays
only, it is a mistake, and stays one. A split bias, as PyTorch's b_ih + b_hh, is two names that both have the
gradient of their sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing import losses
from manual_rnn.testing.mistakes.factors import NAMED, Factor
from manual_rnn.testing.passes.backward_report import Check
from manual_rnn.testing.passes.blocks import blocks
from manual_rnn.testing.passes.gates import of_another_network
from manual_rnn.testing.passes.seen import Seen, block_axes
from manual_rnn.testing.passes.target import Target
from manual_rnn.testing.passes.truth import has_cell

AS_DECLARED = NAMED[0]
OTHERWISE = "right, in another convention"
MEANS = tuple(f for f in NAMED if f.words.startswith("averaged"))


def factors_of(target: Target) -> Iterator[Factor]:
    """What all gradients may be multiplied with by convention: a mean, and what others leave out of the step's loss."""
    of_loss = losses.get(target.step_loss).conventions if target.has_readout else ()
    for mean, other in product((AS_DECLARED, *MEANS), (AS_DECLARED, *of_loss)):
        words = " and ".join(f.words for f in (mean, other) if f is not AS_DECLARED)
        yield Factor(lambda s, mean=mean, other=other: mean.value(s) * other.value(s), words) if words else AS_DECLARED  # type: ignore[misc]


@dataclass(frozen=True)
class Convention:
    """One way to read gradients: matrices transposed, time and batch exchanged, a mean for a sum, no ½."""

    transposed: bool
    exchanged: bool
    mean: Factor

    def read(self, target: Target, s: Seen, name: str) -> Array:
        """A gradient in our shape, as it is when the code has this convention."""
        array = s.answered.returned[name]
        if self.transposed and self.is_matrix(s, target, name):
            array = array.T
        if self.exchanged and target.layout.ours(name) == "x":
            array = array.swapaxes(0, 1)
        if array.shape != s.answered.given[name].shape:
            return np.full_like(s.truth[name].value, np.nan)
        return np.asarray(target.layout.to_ours(name, array) / self.mean.value(s.drawn.sizes))

    def words(self, target: Target, s: Seen, name: str) -> str:
        """What is otherwise with one gradient; empty where nothing is."""
        parts = ["transposed"] if self.transposed and self.is_matrix(s, target, name) else []
        parts += ["time and batch exchanged"] if self.exchanged and target.layout.ours(name) == "x" else []
        return " and ".join(parts + ([self.mean.words] if self.mean is not AS_DECLARED else []))

    @staticmethod
    def is_matrix(s: Seen, target: Target, name: str) -> bool:
        return block_axes(target, name) == 0 and s.truth[name].value.ndim == 2


def in_another_convention(target: Target, seen: Sequence[Seen], gradients: Sequence[Check]) -> list[Check]:
    """The verdicts, those replaced that are right in the one convention that makes all returned gradients right."""
    split = split_biases(target, seen)
    gradients = [_split(check, split) for check in gradients]
    if not any(check.outcome == "wrong" for check in gradients):
        return gradients
    for transposed, exchanged, mean in product((False, True), (False, True), factors_of(target)):
        convention = Convention(transposed, exchanged, mean)
        if (transposed or exchanged or mean is not AS_DECLARED) and _makes_all_right(target, seen, convention):
            return [_renamed(target, seen[0], check, convention) for check in gradients]
    words = of_another_network(target, seen) if has_cell(target) else ""
    return [Check(c.name, OTHERWISE, words) if words and c.outcome == "wrong" else c for c in gradients]


def split_biases(target: Target, seen: Sequence[Seen]) -> dict[str, list[str]]:
    """By the name of a bias, the two or more returned names that have its gradient in every case, undeclared."""
    if not seen:
        return {}
    vectors = [n for n, found in seen[0].truth.items() if block_axes(target, n) == 0 and found.value.ndim == 1]
    biases = [n for n in vectors if not any(n in s.wrong(target) for s in seen)]
    found = {b: [u for u in seen[0].answered.unknown if _is_gradient_of(target, seen, u, b)] for b in biases}
    # One name that is not the bias's own is a wrong name, and no part of a sum.
    named = {b: [*((b,) if b in seen[0].answered.returned else ()), *names] for b, names in found.items() if names}
    return {bias: names for bias, names in named.items() if len(names) > 1}


def _is_gradient_of(target: Target, seen: Sequence[Seen], unknown: str, bias: str) -> bool:
    decided = False
    for s in seen:
        array = s.answered.unknown.get(unknown)
        if array is None or array.shape != s.answered.given[bias].shape:
            return False
        found = blocks(target.layout.to_ours(bias, array), s.truth[bias], 0, target.dtype)
        if found.wrong.any():
            return False
        decided = decided or bool(found.decided.any())
    return decided


def _split(check: Check, split: Mapping[str, Sequence[str]]) -> Check:
    names = split.get(check.name.removeprefix("grad_"))
    if check.outcome != "wrong" or not names:
        return check
    words = f"a split bias: {' and '.join(names)} are each the gradient of their sum"
    return Check(check.name, OTHERWISE, words)


def _makes_all_right(target: Target, seen: Sequence[Seen], convention: Convention) -> bool:
    decided = False
    for s in seen:
        for name in s.answered.returned:
            if s.answered.returned[name].ndim != s.answered.given[name].ndim:
                return False
            axes = block_axes(target, name)
            found = blocks(convention.read(target, s, name), s.truth[name], axes, target.dtype)
            if found.wrong.any():
                return False
            decided = decided or bool(found.decided.any())
    return decided


def _renamed(target: Target, s: Seen, check: Check, convention: Convention) -> Check:
    name = check.name.removeprefix("grad_")
    words = convention.words(target, s, name) if name in s.answered.returned else ""
    if check.outcome != "wrong" or not words:
        return check
    return Check(check.name, OTHERWISE, words)
