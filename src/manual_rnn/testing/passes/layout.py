"""How your arrays lie, and what they are called: the map between your code's arrays and ours.

Ours are time first, (T, B, n), with weights (n_out of the map, n_in of the map), under the names U, W, b, V, c, h0, x,
y, and ``grad_h`` for the gradient that comes from above where your code has no readout. Where lengths are ragged there
is ``lengths`` (B,) or ``mask`` (T, B) besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.tape import Tape

AXES = ("TB", "BT", "T", "columns")
DEFAULT_NAMES = {"grad_h": "dh"}
UPSTREAM = ("grad_h", "grad_c")
SEQUENCES = ("x", "y", "mask", *UPSTREAM)
STATES = ("h0", "c0")
BIASES = ("b", "c")
STACKED = ("U", "W", "b")
"""What a cell with gates has of each gate."""
CONSTANT = ("y", "mask", "lengths", *UPSTREAM)
"""What is handed over and has no gradient."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The names, the order of axes and the conventions of your code.

    Raises:
        ValueError: ``axes`` is none of the four, or ``names`` is no mapping.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    """Your name → ours: ``{"Wx": "U", "Wh": "W", "Wy": "V", "by": "c", "hprev": "h0", "dout": "grad_h"}``. What is not
    listed keeps our name (the upstream gradient is ``dh``). Two of yours for one of ours is a bias that is split."""
    axes: str = "TB"
    """"TB": x is (T, B, n). "BT": (B, T, n). "T": no batch axis, x is (T, n) and h0 (n,). "columns": as in
    min-char-rnn, x is (T, n, 1), h0 and biases (n, 1)."""
    transposed: bool = False
    """Whether matrices stand on the right: x @ Wx + h @ Wh, with Wx (n_in, n_hidden)."""
    tokens: bool = False
    """Whether x is integer ids, (T, B), in place of rows."""
    without: tuple[str, ...] = ()
    """Our names of what your code does not take: h0 where it starts from zeros, b or c where it has no bias."""
    shapes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For a cell that is not built in, your parameters and further states with their shapes, in place of U, W, b, V
    and c: ``{"Wx": ("n_in", "4 n_hidden"), "c0": ("B", "n_hidden")}``."""
    gates: str = ""
    """For a cell with gates: their order where your arrays hold all of them, one below the other: "ifgo" for PyTorch's
    LSTM, "ifog" for CS231n's, "rzn" for a GRU. Then U, W and b stand for U_i, U_f, … together."""
    step: tuple[str, ...] = ()
    """Set by :func:`manual_rnn.testing.check_step`: the states of a single step, ("h",) or ("h", "c"). No array of a
    step has a time axis, and each state has an upstream gradient of its own, grad_h and grad_c."""

    def __post_init__(self) -> None:
        if self.axes not in AXES:
            raise ValueError(f"axes is {self.axes!r}; it is one of {', '.join(AXES)}.")
        for called, given in (("names", self.names), ("shapes", self.shapes)):
            if not isinstance(given, Mapping):
                raise ValueError(f"{called} is of the type {type(given).__name__}; expected a dict.")

    @property
    def has_batch(self) -> bool:
        return self.axes in ("TB", "BT")

    def yours(self, ours: str) -> list[str]:
        """Your names of one of our arrays: one, or several where a bias is split."""
        found = [name for name, our in self.names.items() if our == ours]
        return found or [DEFAULT_NAMES.get(ours, ours)]

    def ours(self, yours: str) -> str:
        """Our name of one of your arrays."""
        back = {name: our for our, name in DEFAULT_NAMES.items()}
        return self.names.get(yours, back.get(yours, yours))

    @property
    def absent(self) -> set[str]:
        """All names of ours that your code does not take; of a map with gates, those of each gate."""
        return {*self.without, *(f"{name}_{gate}" for name in self.without for gate in self.gates)}

    def packed(self, arrays: Mapping[str, Array] | Tape) -> dict[str, Array]:
        """A cell's arrays, those of all gates one below the other where yours are so."""
        found = {name: arrays[name] for name in arrays}
        for name in STACKED if self.gates else ():
            parts = [f"{name}_{gate}" for gate in self.gates]
            if all(part in found for part in parts):
                found[name] = np.concatenate([found.pop(part) for part in parts])
        return found

    def unpacked(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """The other way round."""
        found = dict(arrays)
        for name in STACKED if self.gates else ():
            if name in found:
                parts = np.split(found.pop(name), len(self.gates))
                found |= {f"{name}_{gate}": part for gate, part in zip(self.gates, parts, strict=True)}
        return found

    def to_yours(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Your arrays by your names from ours; each is a fresh array that may be written to."""
        found: dict[str, Array] = {}
        for ours, array in self.packed(arrays).items():
            if ours in self.absent:
                continue
            names = self.yours(ours)
            for name in names:
                share = array / len(names) if len(names) > 1 else array  # halves are exact
                found[name] = np.array(self.turn(ours, share), order="C")
        return found

    def to_ours(self, yours: str, array: Array) -> Array:
        """One of your arrays, or its gradient, in our shape. Raises ValueError where it has not as many axes."""
        ours = self.ours(yours)
        if self.step and ours in SEQUENCES:
            return (array if self.has_batch else array.reshape(1, -1) if array.ndim else array.reshape(1))[None]
        if self.axes == "BT" and ours in SEQUENCES:
            return array.swapaxes(0, 1)
        if not self.has_batch and ours in SEQUENCES:
            return array[..., 0][:, None] if self.axes == "columns" and array.ndim == 3 else array[:, None]
        if not self.has_batch and ours in STATES:
            return array.reshape(1, -1)
        if self.axes == "columns" and ours in BIASES:
            return array.reshape(-1)
        return array.T if self.transposed and array.ndim == 2 and self._is_matrix(ours) else array

    def turn(self, ours: str, array: Array) -> Array:
        """One of our arrays as it lies in your code."""
        if self.step and ours in SEQUENCES:
            row = array[0]
            if self.has_batch:
                return np.asarray(row)
            return np.asarray(row[0, :, None] if self.axes == "columns" and row.ndim == 2 else row[0])
        if self.axes == "BT" and ours in SEQUENCES:
            return array.swapaxes(0, 1)
        if not self.has_batch and ours in SEQUENCES:
            return array[:, 0, :, None] if self.axes == "columns" and array.ndim == 3 else array[:, 0]
        if not self.has_batch and ours in STATES:
            return array[0, :, None] if self.axes == "columns" else array[0]
        if self.axes == "columns" and ours in BIASES:
            return array[:, None]
        return array.T if self.transposed and array.ndim == 2 and self._is_matrix(ours) else array

    def _is_matrix(self, ours: str) -> bool:
        return ours not in (*SEQUENCES, *STATES) and ours not in self.shapes
