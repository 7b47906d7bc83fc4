"""What is checked: one function from arrays to the loss, and the gradient that a planted backward pass gives it.

Every checker gets the same: the float64 arrays that are differentiated (parameters, h(0), x), the loss as a function
of them, and the gradients that the pass with the mistake in it returns for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from manual_rnn import bptt, readout
from manual_rnn.cell import Array
from manual_rnn.losses import softmax
from manual_rnn.tape import Tape
from manual_rnn.testing.problem import Case
from peer_checks.regimes import RNN

Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Subject:
    """A case, and the package whose backward pass is on trial: ``manual_rnn`` itself, or a copy with a mistake."""

    case: Case
    package: ModuleType

    @property
    def arrays(self) -> dict[str, Array]:
        """What is differentiated, by name: U, W, b, V, c, h0, x."""
        return {**self.case.params, "h0": self.case.initial["h"], "x": self.case.x}

    def loss(self, arrays: Arrays) -> float:
        """The forward pass alone: the right one, as no mistake of this comparison stands in it."""
        params, tape = {name: arrays[name] for name in self.case.params}, Tape(len(arrays["x"]))
        bptt.unroll(RNN, params, arrays["x"], {"h": arrays["h0"]}, tape)
        o = readout.forward(params["V"], params["c"], tape["h"])
        return float(softmax.forward(o, self.case.y, self.case.weights)[0].sum())

    def gradients(self, arrays: Arrays) -> dict[str, Array]:
        """The gradients by the names of the arrays, float64, as the package on trial gives them."""
        package, params = self.package, {name: arrays[name] for name in self.case.params}
        # A tape of another type is walked step by step, by the lines that mistakes are planted in.
        watched = type("Watched", (package.tape.Tape,), {})
        tape, grads = watched(len(arrays["x"])), watched(len(arrays["x"]))
        package.gradients.forward_and_backward(
            package.cells.get("rnn"), params, arrays["x"], self.case.y, self.case.weights, {"h": arrays["h0"]},
            inputs=True, tape=tape, grads=grads,
        )  # fmt: skip
        return {name: np.asarray(grads[name], np.float64) for name in arrays}

    def central_differences(self, step: float) -> dict[str, Array]:
        """(L(v + step) − L(v − step)) / (2 step) for every number v of every array."""
        arrays = {name: array.copy() for name, array in self.arrays.items()}
        slopes = {name: np.empty_like(array) for name, array in arrays.items()}
        for name, array in arrays.items():
            for i in np.ndindex(array.shape):
                value = array[i]
                array[i] = value + step
                above = self.loss(arrays)
                array[i] = value - step
                below = self.loss(arrays)
                array[i] = value
                slopes[name][i] = (above - below) / (2 * step)
        return slopes
