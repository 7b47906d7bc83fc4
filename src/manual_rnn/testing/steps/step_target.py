"""One step to be checked: forward and backward, and which of their arguments is what."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from manual_rnn.network import parameter_shapes
from manual_rnn.testing.passes.layout import STATES, Layout
from manual_rnn.testing.passes.target import ForwardOracle, Target
from manual_rnn.testing.passes.truth import cell_of
from manual_rnn.testing.problem import Oracle
from manual_rnn.testing.steps.one_step import one_step


@dataclass(frozen=True, kw_only=True)
class StepTarget:
    """A step forward and a step backward. Raises ValueError, naming the field, where one makes no sense."""

    forward: Callable[..., Any]
    """``step_forward(x, prev_h, Wx, Wh, b) -> next_h, cache``; with two states ``-> next_h, next_c, cache``. Its
    arguments are handed over by keyword; Layout(names=...) says which array each is."""
    backward: Callable[..., Any]
    """``step_backward(dnext_h, cache)``, or ``step_backward(dnext_h, dnext_c, cache)``: gets the upstream gradients in
    the order of the states, then the cache. Returns the gradients as a tuple in the order of forward's arguments,
    as in CS231n, or by name."""
    against: Oracle | ForwardOracle
    """The truth: ``autodiff("rnn")`` or ``autodiff_of(step_forward)`` from ``reference``, or
    ``complex_step(step_forward)``."""
    layout: Layout = field(default_factory=Layout)
    """Your names, which side the matrices stand on, whether there is a batch axis; no array has a time axis."""
    returns: tuple[str, ...] = ()
    """The names of forward's arguments in the order of backward's tuple, where that is another order than forward's."""
    dtype: str = "float64"

    def __post_init__(self) -> None:
        for name, function in (("forward", self.forward), ("backward", self.backward)):
            if not callable(function):
                raise ValueError(f"{name} is of the type {type(function).__name__}; expected a function.")
        arrays = self.arrays
        takes = parameters(self.forward)
        unknown = [p for p, needed in takes.items() if needed and p not in arrays]
        if unknown:
            raise ValueError(
                f"The step forward takes {', '.join(unknown)}, which none of the arrays {', '.join(arrays)} is called: "
                f"say which of our arrays it is, Layout(names={{{unknown[0]!r}: 'h0'}}), say."
            )
        missing = [name for name in arrays if name not in takes]
        if takes and missing:
            raise ValueError(
                f"The step forward does not take {', '.join(missing)}: say what it is called there, "
                f"Layout(names=...), or that there is none, Layout(without=({self.layout.ours(missing[0])!r},))."
            )
        wrong = [name for name in self.returns if name not in arrays]
        if wrong:
            raise ValueError(f"returns has {', '.join(wrong)}; the arrays are {', '.join(arrays)}.")
        _ = self.as_pass  # what is wrong with the rest is said now, not when the check runs

    @property
    def states(self) -> tuple[str, ...]:
        """The states in the order in which they go in and come out: ("h",) or ("h", "c")."""
        cell = cell_of(self._bare)
        ours = [*(self.layout.ours(p) for p in parameters(self.forward)), *self.layout.names.values()]
        named = [name.removesuffix("0") for name in dict.fromkeys(ours) if name in STATES]
        listed = [name for name in cell.states if not self.layout.shapes]
        return tuple(dict.fromkeys([*named, *listed])) or ("h",)

    @property
    def arrays(self) -> list[str]:
        """Your names of all that the step forward takes, in its own order as far as that can be read."""
        layout = self.layout
        shapes = layout.shapes or parameter_shapes(cell_of(self._bare), n_in=1, n_hidden=1, n_out=1)
        weights = [name for name in shapes if layout.shapes or name not in ("V", "c")]
        ours = ["x", *(f"{name}0" for name in self.states), *weights]
        yours = [y for n in dict.fromkeys(ours) if n not in layout.without for y in layout.yours(n)]
        takes = list(parameters(self.forward))
        return sorted(yours, key=lambda name: takes.index(name) if name in takes else len(takes))

    @property
    def above(self) -> list[str]:
        """What the upstream gradients are called: as backward's first arguments are."""
        takes = [name for name in parameters(self.backward) if name not in self.arrays]
        names = takes if len(takes) > len(self.states) else [f"dnext_{name}" for name in self.states]
        return names[: len(self.states)]

    @property
    def as_pass(self) -> Target:
        """The same as a whole pass over one step: what is checked. ``report.target`` is this."""
        above = {yours: f"grad_{name}" for yours, name in zip(self.above, self.states, strict=True)}
        layout = replace(self.layout, step=self.states, names={**self.layout.names, **above})
        return replace(self._bare, backward=one_step(self), layout=layout)

    @property
    def _bare(self) -> Target:
        return Target(
            backward=self.backward, against=self.against, loss="random", layout=self.layout, dtype=self.dtype
        )


def parameters(function: Callable[..., Any]) -> dict[str, bool]:
    """What a function takes by name, and whether it must be given; nothing where that cannot be read."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    if any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in found):
        return {}
    return {p.name: p.default is p.empty for p in found}
