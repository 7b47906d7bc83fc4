"""The judge on the weights and the batch of a training: both verdicts, on the very problem of its next update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.gradients import forward_and_backward
from manual_rnn.network import Network, widths, zero_state
from manual_rnn.tape import Tape
from manual_rnn.testing.judge import verdicts
from manual_rnn.testing.problem import Case, Oracle, Sizes, Spec
from manual_rnn.testing.report import Report
from manual_rnn.testing.tally import Tally


def verify_update(
    network: Network,
    params: Mapping[str, Array],
    x: Array,
    y: Array,
    oracle: Oracle,
    *,
    initial: Mapping[str, Array] | None,
    masks: Mapping[str, Array] | None,
    compiled: bool = False,
) -> Report:
    """Judges the pass over token ids x and targets y, (T, B) each, for the mean of the losses.

    Equation by equation, as :func:`manual_rnn.testing.verify` does; end to end it judges the pass in place, lean, and
    compiled if told so, which is what training runs. What is ill-conditioned at these weights is counted, not passed.
    """
    (n_in, n_hidden, n_out), (T, B) = widths(network, params), x.shape
    dtype = np.result_type(*params.values())
    sizes = Sizes(T=T, B=B, n_in=n_in, n_hidden=n_hidden, n_out=n_out)
    case = Case(
        spec=Spec("training", sizes, dtype.name, seed=0, severity=0, dropout=masks is not None),
        params=params, initial=zero_state(network, params, B) if initial is None else initial, x=x, y=y,
        weights=np.full((T, B), 1 / (T * B), dtype), masks=masks or {},
    )  # fmt: skip

    def as_trained(*given: Any, tape: Tape, grads: Tape, **options: Any) -> dict[str, Array]:
        if type(tape) is Tape:  # and none that the judge looks through
            tape.compiled = grads.compiled = compiled
        return forward_and_backward(*given, tape=tape, grads=grads, **options)

    (answer,) = oracle([case.for_oracle()])
    tally = Tally(network, "softmax")
    tally.add(case, *verdicts(network, case, answer, manual=as_trained, in_place=True))
    return tally.report()
