"""Cases of your own choice, and what they leave untested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from manual_rnn.cell import Array, Cell, of_input
from manual_rnn.check import check_targets
from manual_rnn.network import parameter_shapes
from manual_rnn.testing.passes.commuting import is_linear, order_shows
from manual_rnn.testing.passes.lengths import mask_of, weights_of
from manual_rnn.testing.passes.regimes import Drawn
from manual_rnn.testing.passes.target import Target
from manual_rnn.testing.problem import Sizes


def as_drawn(target: Target, cell: Cell, case: Mapping[str, Array], number: int) -> Drawn:
    """A case that was handed over by your names and in your layout.

    Raises:
        ValueError: an array that your backward pass is to be handed is missing, or has other sizes than the rest.
    """
    ours: dict[str, Array] = {}
    for yours, array in case.items():
        name, theirs = target.layout.ours(yours), np.asarray(array)
        try:
            part = target.layout.to_ours(yours, theirs)
        except (ValueError, IndexError):
            raise ValueError(
                f"{yours} of case {number} has the shape {theirs.shape}, which is not as the layout says it lies."
            ) from None
        ours[name] = ours[name] + part if name in ours else part
    ours = target.layout.unpacked(ours)
    params = list(target.layout.shapes) or list(parameter_shapes(cell, n_in=1, n_hidden=1, n_out=1))
    params = [n for n in params if n not in ("V", "c") or target.has_readout or target.layout.shapes]
    states = target.layout.step or (("h",) if target.layout.shapes else cell.states)
    above = ["y"] if target.has_readout else [f"grad_{name}" for name in states]
    wanted = [*params, "x", *(f"{name}0" for name in states), *above, *([target.ragged] if target.ragged else [])]
    missing = [yours for n in wanted if n not in (*ours, *target.layout.absent) for yours in target.layout.yours(n)]
    if missing or "x" not in ours or "W" in target.layout.without:
        raise ValueError(f"Case {number} has no {', '.join(missing)}; it needs every array that backward is handed.")
    T, B = ours["x"].shape[:2]
    recurrent = next((m.W for m in cell.maps if m.W in ours), None)
    n_hidden = ours[recurrent].shape[0] if recurrent else ours["h0"].shape[-1]
    n_in = ours[of_input(cell)].shape[1] if of_input(cell) in ours else ours["x"].shape[-1]
    sizes = Sizes(T, B, n_in, n_hidden, ours["V"].shape[0] if "V" in ours else 2)
    if not target.layout.shapes:
        shapes = parameter_shapes(cell, n_in=n_in, n_hidden=n_hidden, n_out=sizes.n_out)
        shapes |= {f"{name}0": (B, n_hidden) for name in states}
        ours |= {n: np.zeros(shapes[n]) for n in target.layout.absent if n in shapes}
        held = [*params, *(f"{name}0" for name in states)]
        wrong = [f"{n} is {ours[n].shape}, expected {shapes[n]}" for n in held if ours[n].shape != shapes[n]]
        if wrong:
            raise ValueError(f"The arrays of case {number} do not fit together, in our layout: {'; '.join(wrong)}.")
        if target.has_readout:
            try:
                check_targets(target.step_loss, ours["y"], (T, B, sizes.n_out))
            except ValueError as error:
                raise ValueError(f"In case {number}, as our layout has it, {error}") from None
    y = ours.get("y", np.zeros((T, B), int))
    beside = {n: ours[n] for n in (*above[1:], target.ragged) if n}
    initial = {name: ours[f"{name}0"] for name in states}
    drawn = Drawn("given", sizes, number, {n: ours[n] for n in params}, initial, ours["x"], y, np.ones((T, B)),
                  ours.get("grad_h"), beside, target.step_loss)  # fmt: skip
    if drawn.upstream is not None:
        if drawn.upstream[mask_of(drawn.lengths, T) == 0].any():
            raise ValueError(f"The upstream gradient of case {number} is not zero past the end of its sequences.")
        return drawn
    return replace(drawn, weights=weights_of(target.loss, drawn.lengths, T))


def untested(target: Target, cases: Sequence[Drawn], cell: Cell | None) -> list[str]:
    """What no case of these can show, a sentence each; ``cell`` is the built-in one whose derivation is held against
    yours, if it is one.
    """
    found: list[str] = []

    def none_has(shows: list[bool], sentence: str) -> None:
        if not any(shows):
            found.append(sentence)

    if not target.layout.step:
        none_has(
            [d.sizes.T > 1 for d in cases], "Every case has T = 1: nothing is carried back, so the carry is untested."
        )
    if target.ragged:
        none_has(
            [bool((d.lengths < d.sizes.T).any()) for d in cases],
            "Every sequence has all T steps: nothing is masked.",
        )
    none_has(
        [bool(h.any()) for d in cases for h in d.initial.values()],
        "h0 is zero in every case: at the first step, ∇W has no term to be wrong in.",
    )
    W = [d.params["W"] for d in cases if "W" in d.params]
    if W:
        none_has(
            [not np.allclose(M, M.T, rtol=1e-9, atol=0) for M in W],
            "W is symmetric in every case: W for Wᵀ cannot be seen.",
        )
    carried = [d for d in cases if d.sizes.T > 1 and "W" in d.params]
    if carried:
        none_has(
            [_order_shows(cell, d) for d in carried],
            "The Jacobians of the steps commute in every case (one unit, a diagonal W, or all of them alike): "
            "multiplied in the wrong order of time they give the same.",
        )
    none_has(
        [d.upstream is None or np.ptp(d.upstream) > 0 for d in cases],
        "The upstream gradient is the same number everywhere: exchanged steps, sequences or units cannot be seen.",
    )
    return found + _saturation(cases)


def _order_shows(cell: Cell | None, d: Drawn) -> bool:
    """Whether it matters in which order the steps are gone back; of a forward of your own, only W is known."""
    if cell is None or len(cell.states) > 1:
        W = d.params["W"]
        return bool((W - np.diag(np.diag(W))).any())
    return order_shows(cell, d.case) or is_linear(cell)


def _saturation(cases: Sequence[Drawn]) -> list[str]:
    dense = [d for d in cases if {"U", "b"} <= d.params.keys() and d.x.ndim == 3]
    if dense and all(np.abs(d.x @ d.params["U"].T + d.params["b"]).min() > 10 for d in dense):
        return ["All pre-activations are beyond ±10: 1 − h² has lost half of its digits, and right code differs too."]
    return []
