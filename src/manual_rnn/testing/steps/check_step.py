"""The check of a single step, as CS231n's assignments have it: forward with a cache, backward from the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from manual_rnn.testing.passes.backward_report import BackwardReport
from manual_rnn.testing.passes.check_backward import check_target
from manual_rnn.testing.passes.given import as_drawn
from manual_rnn.testing.passes.layout import Layout
from manual_rnn.testing.passes.regimes import draw, sizes_for
from manual_rnn.testing.passes.target import ForwardOracle
from manual_rnn.testing.passes.truth import cell_of
from manual_rnn.testing.problem import Oracle
from manual_rnn.testing.steps.promises import promises_of
from manual_rnn.testing.steps.step_target import StepTarget


def check_step(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    *,
    against: Oracle | ForwardOracle,
    layout: Layout | None = None,
    returns: Sequence[str] = (),
    dtype: str = "float64",
    regimes: Sequence[str] | None = None,
    cases: Sequence[Mapping[str, Any]] | None = None,
    examples: int | None = None,
    seed: int = 0,
    time_limit: float | None = 60.0,
) -> BackwardReport:
    """Checks one step of a recurrent network: ``next_h, cache = forward(x, prev_h, …)``, ``backward(dnext_h, cache)``.

    A step is a sequence of one step whose upstream gradient is random::

        layout = Layout(transposed=True, names={"Wx": "U", "Wh": "W", "prev_h": "h0"})
        check_step(rnn_step_forward, rnn_step_backward, against=autodiff("rnn"), layout=layout).raise_if_wrong()

    With two states, ``next_h, next_c, cache = forward(…)`` and ``backward(dnext_h, dnext_c, cache)``, each has an
    upstream gradient of its own.

    Args:
        forward: takes its arrays by keyword, under your names: x (B, n_in), the states (B, n_hidden), parameters.
            Returns the states, in the order in which it takes them, and the cache.
        backward: takes the upstream gradients in the same order, and the cache. Returns the gradients as a tuple in
            the order of forward's arguments, or by name (``Wx``, ``dWx`` or ``grad_Wx``).
        against: ``autodiff("rnn")`` or ``autodiff_of(a_step_in_jax)`` from ``reference``, or ``complex_step(forward)``.
        layout: your names and conventions. prev_h is "h0", prev_c is "c0"; for a cell that is not built in, ``shapes``
            has the shapes of the parameters. There is no time axis: x is (B, n_in), or (n_in,) with axes "T".
        returns: forward's names in the order of backward's tuple, where that is another order than forward's.
        dtype: what your arrays come in.
        regimes: some of "ordinary", "vanished" and "exploding": what comes from above is 1, 1e-200 or 1e+100.
        cases: cases of your own in place of those that are drawn: all arrays by your names, upstream gradients too.
        examples: how many cases are drawn; two of each shape by default.
        seed: the same seed draws the same cases.
        time_limit: seconds for one call of your functions; None: no limit.

    The report is that of :func:`manual_rnn.testing.check_backward`, with two more checks: "next_h" (and "next_c"),
    forward's values against the oracle's, where that is not the same forward; and "cache untouched".

    What it cannot see: how steps are joined. That what is carried is added to each step's own upstream gradient, and
    the parameters' gradients over steps, is what :func:`manual_rnn.testing.check_backward` checks, of the whole pass.
    With ``complex_step(forward)``, a mistake in forward.

    Raises:
        ValueError: an argument makes no sense; the sentence names it. Whatever your functions do is reported.
    """
    step = StepTarget(
        forward=forward, backward=backward, against=against, layout=layout or Layout(), returns=tuple(returns),
        dtype=dtype,
    )  # fmt: skip
    return check_step_target(
        step, regimes=regimes, cases=cases, examples=examples, seed=seed, time_limit=time_limit
    )


def check_step_target(
    step: StepTarget,
    *,
    regimes: Sequence[str] | None = None,
    cases: Sequence[Mapping[str, Any]] | None = None,
    examples: int | None = None,
    seed: int = 0,
    time_limit: float | None = 60.0,
    progress: Callable[[int], None] = lambda count: None,
    named: str = "report.target",
) -> BackwardReport:
    """The same check of a :class:`StepTarget`; see :func:`check_step`, and ``check_target`` for the rest."""
    target = step.as_pass
    report = check_target(
        target, regimes=regimes, cases=cases, examples=examples, seed=seed, time_limit=time_limit, progress=progress,
        named=named,
    )  # fmt: skip
    if not report.cases:  # it never ran
        return report
    cell = cell_of(target)
    given = [as_drawn(target, cell, case, number) for number, case in enumerate(cases or ())]
    drawn = given or [draw(target, cell, "ordinary", sizes, seed) for sizes in sizes_for(target, "ordinary")]
    return replace(report, preflight=(*report.preflight, *promises_of(step, drawn, time_limit)))
