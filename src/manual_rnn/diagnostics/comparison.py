"""Vectors of ours against an oracle's, each relative to its own length, with what rounding may do measured there.

The oracle is an argument of a diagnostic, so that this package needs no JAX: ``against=autodiff("rnn")`` of
``reference``. A result that was checked says so: ``attrs["cross_check"]`` is the sentence and
``attrs["worst_relative_error"]`` the number. One that the oracle disagrees with is not returned: :class:`Disagreement`.

Every vector is judged by itself, so that a gradient of 1e-40 counts as much as one of 1. The allowance is measured, not
chosen: every argument and every node of the pass is moved by one unit in its last place, and what this does to the
manual result is what rounding can do to a correct one. Where that is too much (chaos, saturation), or the vector has
all but underflowed, the format cannot decide; such places are counted, never passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from manual_rnn import affine
from manual_rnn.cell import Array, Cell, of_input
from manual_rnn.diagnostics.labelled import xr
from manual_rnn.diagnostics.states import log_norm

Oracle = Callable[[Sequence[Mapping[str, Any]]], Sequence[tuple[Mapping[str, Array], Mapping[str, Array]]]]
"""From problems (params, initial, x, y, weights, loss) to nodes and gradients of each: ``autodiff("rnn")`` is one."""

ROUNDINGS = 16.0
"""How many such moves a correct gradient may be off: a node of n terms rounds n times, not once, and JAX's
tanh is up to 6.5 ulp off. Measured on correct code (n = 4 to 300, gains .02 to 4, T to 60): up to 5.0."""
HOPELESS = 1e-3
"""An allowance above this decides nothing."""

Labelled = TypeVar("Labelled", xr.Dataset, xr.DataArray)


class Disagreement(Exception):
    """The oracle has other numbers than the diagnostic: the cell's forward or backward equations, or the oracle, are
    wrong. ``manual_rnn.testing.verify`` says which equation."""


@dataclass(frozen=True, kw_only=True)
class CrossCheck:
    """The comparison of one vector at each of many places. All arrays have one axis for each of ``places``."""

    error: Array
    """‖manual − autodiff‖ / ‖autodiff‖; zero where both are zero."""
    allowance: Array
    """What rounding may do to it, measured there."""
    decided: npt.NDArray[np.bool_]
    """Where the format can tell."""
    places: Mapping[str, Sequence[Any]]
    """What each axis is, and what stands along it: ``{"step": [0, 1, …], "sequence": [0]}``."""

    @property
    def beyond(self) -> npt.NDArray[np.bool_]:
        """Where it is decided that they differ."""
        return self.decided & ~(self.error <= self.allowance)  # nan is beyond

    @property
    def agree(self) -> bool:
        """Whether something was decided, and nothing decided is beyond its allowance."""
        return bool(self.decided.any() and not self.beyond.any())

    @property
    def worst(self) -> float:
        """The largest relative error of the decided; nan where nothing was."""
        return float(np.max(self.error[self.decided])) if self.decided.any() else float("nan")

    @property
    def undecided(self) -> int:
        """How many places could not be decided."""
        return int((~self.decided).sum())

    @property
    def where(self) -> str:
        """The place of the worst: "step 4, sequence 0"; empty where nothing was decided."""
        if not self.decided.any():
            return ""
        shown = self.beyond if self.beyond.any() else self.decided
        error = np.where(shown, np.nan_to_num(self.error, nan=np.inf), -1.0)
        at = np.unravel_index(np.argmax(error), error.shape)
        return ", ".join(f"{axis} {along[int(i)]}" for (axis, along), i in zip(self.places.items(), at, strict=True))

    def __str__(self) -> str:
        counts = f"{self.undecided} of {self.error.size} undecided"
        if not self.decided.any():
            return f"nothing to decide: the gradients are zero, have underflowed, or rounding may change them; {counts}"
        verdict = "DISAGREE" if self.beyond.any() else "agree"
        return f"manual and autodiff {verdict}: worst relative error {self.worst:.1e} ({self.where}), {counts}"


def ask(
    against: Oracle, problems: Sequence[Mapping[str, Any]]
) -> Sequence[tuple[Mapping[str, Array], Mapping[str, Array]]]:
    """The oracle's answers. Raises ValueError where it is none, or that of a cell with other parameters or states."""
    if not callable(against):
        raise ValueError(f"against is {against!r}; expected an oracle, such as autodiff('rnn') of reference.")
    try:
        return against(problems)
    except KeyError as error:
        raise ValueError(
            f"The oracle looks for {error}, and is given the parameters {', '.join(problems[0]['params'])} and the "
            f"states {', '.join(problems[0]['initial'])}: it is that of another cell. Hand in this cell's."
        ) from error


def compare(
    ours: Array,
    theirs: Array,
    moved: Sequence[Array],
    places: Mapping[str, Sequence[Any]],
    *,
    least: Array | float = 0.0,
) -> CrossCheck:
    """Vectors (..., n) of ours, the oracle's, and ours of runs that were moved. ``least`` is an allowance at least."""
    eps = float(np.finfo(ours.dtype).eps)
    sensitivity = np.max([relative(m, ours) for m in moved], axis=0)
    allowance = np.maximum(ROUNDINGS * np.maximum(sensitivity, eps), least)
    # JAX flushes what is below the smallest normal number; from here up that is less than an ulp.
    floor = np.log(np.finfo(ours.dtype).smallest_normal / eps) + np.log(ours.shape[-1]) / 2
    seen = np.fmax(log_norm(ours), log_norm(theirs)) >= floor
    lost = ~np.isfinite(ours).all(axis=-1) & ~np.isfinite(theirs).all(axis=-1)
    decided = seen & ~lost & ~(allowance > HOPELESS)
    return CrossCheck(error=relative(ours, theirs), allowance=allowance, decided=decided, places=places)


def relative(ours: Array, theirs: Array) -> Array:
    """‖ours − theirs‖ / ‖theirs‖ of each vector, no square underflowing; zero where they are the same, zeros too;
    inf where only theirs is zero."""
    with np.errstate(invalid="ignore", over="ignore"):
        ratio: Array = np.exp(log_norm(ours - theirs) - log_norm(theirs))
    return np.where((ours == theirs).all(axis=-1), 0.0, ratio)


def checked(result: Labelled, checks: Mapping[str, CrossCheck]) -> Labelled:
    """The result, told what was compared and how well it agreed. Raises Disagreement where something did not."""
    if wrong := {what: check for what, check in checks.items() if check.beyond.any()}:
        raise Disagreement("; ".join(f"{what}: {check}" for what, check in wrong.items()) + ".")
    worst = [check.worst for check in checks.values() if check.decided.any()]
    result.attrs["cross_check"] = "; ".join(f"{what}: {check}" for what, check in checks.items())
    result.attrs["worst_relative_error"] = max(worst, default=float("nan"))
    return result


def problem(
    cell: Cell, params: Mapping[str, Array], x: Array, initial: Mapping[str, Array], **rest: Any
) -> dict[str, Any]:
    """What an oracle takes: tokens as one-hot rows; ``rest`` is y, weights and loss, or upstream."""
    dtype = np.result_type(*params.values())
    dense = np.eye(params[of_input(cell)].shape[1], dtype=dtype)[x] if affine.is_tokens(x) else x
    return {"params": dict(params), "initial": dict(initial), "x": dense, **rest}


def sampled(n: int, most: int) -> list[int]:
    """At most so many of 0 … n − 1, the first and the last among them, evenly spread, ascending."""
    return sorted({int(i) for i in np.linspace(0, n - 1, min(n, max(most, 1))).round()[::-1]})
