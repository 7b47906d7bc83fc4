r"""The gradients of your own NumPy forward pass, by the complex step: you need nothing but the forward.

    check_backward(my_backward, against=complex_step(my_forward), loss="random")

.. math:: \nabla_v L = \operatorname{Im} L(v + i\eta) / \eta

It is exact to rounding even where the gradient has vanished (:mod:`manual_rnn.testing.oracles.complex_step`). Code
that makes its result with ``np.zeros`` would cut the imaginary part off as it is written there; so the function is
run as a copy whose ``np`` makes complex arrays instead. The functions that it calls by their own name are copied with
it. What it cannot reach, NumPy warns of, and what is not analytic differs from the finite differences that are
taken beside it, of every number in the first case and along one direction in each: then, and this is said, finite
differences take over, with their measured error.

What it cannot see: a mistake in the forward itself, whose derivative this is; a gradient below 1e-280.
"""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.testing.oracles import complex_step as imaginary
from manual_rnn.testing.oracles import finite_differences as differences
from manual_rnn.testing.oracles.estimate import Estimate, norm
from manual_rnn.testing.passes.calling import UserFailure, as_array, call

Upstream = Array | Sequence[Array] | None
NOT_ANALYTIC = (
    "forward is not analytic (the complex step and finite differences differ {}), so finite differences with their "
    "measured error take the place of the complex step."
)
LIBRARIES = frozenset({"numpy", "scipy", *sys.stdlib_module_names})
"""Whose functions are left as they are."""


@dataclass(frozen=True)
class OwnForward:
    """The oracle: what :func:`complex_step` returns."""

    forward: Callable[..., Any]
    notes: list[str] = field(default_factory=list)
    """Sentences on what had to be done otherwise; empty where the complex step serves."""
    source = "the complex step of your own forward pass"

    def gradients(
        self, arrays: Mapping[str, Array], upstream: Upstream, names: Sequence[str]
    ) -> dict[str, Estimate]:
        """The gradient of ⟨upstream, forward(**arrays)⟩ for each name; of what forward returns where there is none.

        Several upstream gradients belong to the first arrays that forward returns: ⟨grad_h, h⟩ + ⟨grad_c, c⟩.

        Raises:
            UserFailure: the forward raises with real numbers, or returns an array of another shape.
        """
        if not hasattr(self, "_serves"):
            object.__setattr__(self, "_serves", self._try(arrays, upstream, names))
        if self._serves:  # type: ignore[attr-defined]
            exact = self._imaginary(arrays, upstream, names)
            if self._as_differences(exact, arrays, upstream, names):
                return exact
            self.notes.append(NOT_ANALYTIC.format("along one direction"))
            object.__setattr__(self, "_serves", False)
        return self._differences(arrays, upstream, names)

    def values(self, arrays: Mapping[str, Array], count: int) -> list[Array]:
        """The first arrays that forward returns, from real numbers.

        Raises:
            UserFailure: the forward raises, or returns fewer.
        """
        copies = {name: array.copy() for name, array in arrays.items()}
        return _first(call(self.forward, copies, what="forward", time_limit=None).value, count)

    def _try(self, arrays: Mapping[str, Array], upstream: Upstream, names: Sequence[str]) -> bool:
        """Whether complex numbers go through, and give what finite differences give."""
        slopes = self._differences(arrays, upstream, names)  # real numbers must go through in any case
        try:
            exact = self._imaginary(arrays, upstream, names)
        except UserFailure as error:
            self.notes.append(
                "forward breaks under complex numbers, so finite differences with their measured error take the place "
                f"of the complex step: {str(error).splitlines()[0]}."
            )
            return False
        for name in names:
            off = norm(exact[name].value - slopes[name].value)
            if not off <= 1e-6 * norm(slopes[name].value) + 8 * norm(slopes[name].error):
                self.notes.append(NOT_ANALYTIC.format(f"in {name}"))
                return False
        return True

    def _as_differences(
        self, exact: Mapping[str, Estimate], arrays: Mapping[str, Array], upstream: Upstream, names: Sequence[str]
    ) -> bool:
        """Whether all gradients, along one direction, are what finite differences give there: what is not analytic
        may begin at the second step, where the first case had but one."""
        at, fixed = _split(arrays, names)
        rng = np.random.default_rng(0)
        along = {name: float(_scale(a)) * rng.standard_normal(a.shape) for name, a in at.items()}
        losses = self._losses(self.forward, fixed, upstream)

        def slope() -> Estimate:
            def moved(s: Mapping[str, Array]) -> Array:
                return losses({name: a + s["s"][0] * along[name] for name, a in at.items()})

            with np.errstate(all="ignore"):
                noise = differences.noise_of(losses, at, np.ones(1))
                return differences.estimate_of(moved, {"s": np.zeros(1)}, "s", noise, np.inf)

        found: Estimate = call(slope, {}, what="forward", time_limit=None).value
        with np.errstate(all="ignore"):
            parts = [float((exact[name].value * along[name]).sum()) for name in names]
            allowed = 1e-6 * sum(map(abs, parts)) + 8 * norm(found.error)
            return not abs(sum(parts) - found.value.item()) > allowed

    def _imaginary(
        self, arrays: Mapping[str, Array], upstream: Upstream, names: Sequence[str]
    ) -> dict[str, Estimate]:
        at, fixed = _split(arrays, names)
        signs = {name: np.where(np.arange(a.size) % 3, 1, -1).reshape(a.shape) for name, a in at.items()}
        nudged = {name: a + np.spacing(np.abs(a)) * signs[name] for name, a in at.items()}
        losses = self._losses(with_complex_arrays(self.forward), fixed, upstream)
        eta = imaginary.step_for(np.dtype(np.float64))

        def all_entries() -> dict[str, Estimate]:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                return {n: imaginary.estimate_of(n, losses, at, nudged, eta * _scale(at[n]), np.inf) for n in names}

        found: dict[str, Estimate] = call(all_entries, {}, what="forward", time_limit=None).value
        return found

    def _differences(
        self, arrays: Mapping[str, Array], upstream: Upstream, names: Sequence[str]
    ) -> dict[str, Estimate]:
        at, fixed = _split(arrays, names)
        losses = self._losses(self.forward, fixed, upstream)

        def all_entries() -> dict[str, Estimate]:
            with np.errstate(all="ignore"):
                noise = differences.noise_of(losses, at, np.ones(1))
                return {n: differences.estimate_of(losses, at, n, noise, np.inf) for n in names}

        found: dict[str, Estimate] = call(all_entries, {}, what="forward", time_limit=None).value
        return found

    @staticmethod
    def _losses(
        forward: Callable[..., Any], fixed: Mapping[str, Array], upstream: Upstream
    ) -> Callable[[Mapping[str, Array]], Array]:
        def losses(at: Mapping[str, Array]) -> Array:
            returned = forward(**{name: array.copy() for name, array in {**fixed, **at}.items()})
            if upstream is None:
                (loss,) = _first(returned, 1)
                if loss.size != 1:
                    raise UserFailure(f"forward returned an array of the shape {loss.shape}; expected its loss.")
                return loss.reshape(1)
            above = [upstream] if isinstance(upstream, np.ndarray) else upstream
            products = []
            for grad, h in zip(above, _first(returned, len(above)), strict=True):
                if h.shape != grad.shape:
                    raise UserFailure(
                        f"forward returned an array of the shape {h.shape}; expected h at every step, {grad.shape}."
                    )
                products.append((grad * h).reshape(-1))
            return np.concatenate(products)

        return losses


def complex_step(forward: Callable[..., Any]) -> OwnForward:
    """The oracle of your own NumPy forward pass.

    ``forward`` takes the arrays by keyword under your names and returns h at every step, in your layout (or a tuple
    that begins with it, as ``(h, cache)``); with a loss that has a readout, the loss.

    Raises:
        ValueError: forward is no function.
    """
    if not callable(forward):
        raise ValueError(f"forward is of the type {type(forward).__name__}; expected a function.")
    return OwnForward(forward)


def _first(returned: Any, count: int) -> list[Array]:
    """The first arrays of what a forward returned: (h, cache) begins with one, (h, c, cache) with two.

    Raises:
        UserFailure: there are fewer.
    """
    parts = returned if isinstance(returned, tuple) else (returned,)
    if len(parts) < count:
        raise UserFailure(f"forward returned {len(parts)} of the {count} arrays that have an upstream gradient.")
    return [as_array(np.stack(p) if isinstance(p, list) else p, "what forward returns") for p in parts[:count]]


def _split(arrays: Mapping[str, Array], names: Sequence[str]) -> tuple[dict[str, Array], dict[str, Array]]:
    """What has a gradient, in float64, and what stands still: tokens, targets, a mask."""
    at = {name: arrays[name].astype(np.float64) for name in names}
    return at, {n: a for n, a in arrays.items() if n not in at}


def _scale(array: Array) -> np.floating:
    """η goes with the array's numbers: where states of 1e-100 grow to one, 1e-20 would be no small step."""
    return np.float64(np.max(np.abs(array), initial=0) or 1.0)


MAKERS = ("zeros", "ones", "empty", "full", "zeros_like", "ones_like", "empty_like", "full_like")


def _complex(maker: Callable[..., Any]) -> Callable[..., Any]:
    def make(*arguments: Any, **options: Any) -> Any:
        made = maker(*arguments, **options)
        return made.astype(complex) if np.issubdtype(made.dtype, np.floating) else made

    return make


class _ComplexNumPy(types.ModuleType):
    """NumPy whose new arrays are complex."""

    def __getattr__(self, name: str) -> Any:
        return _complex(getattr(np, name)) if name in MAKERS else getattr(np, name)


def with_complex_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """A copy of a Python function, and of those it can name, whose NumPy makes complex arrays."""
    makers = {id(getattr(np, name)): _complex(getattr(np, name)) for name in MAKERS}
    scopes: dict[int, dict[str, Any]] = {}

    def copy(f: types.FunctionType) -> types.FunctionType:
        again = types.FunctionType(f.__code__, scope(f.__globals__), f.__name__, f.__defaults__, f.__closure__)
        again.__kwdefaults__ = f.__kwdefaults__
        return again

    def scope(theirs: dict[str, Any]) -> dict[str, Any]:
        if id(theirs) not in scopes:
            copied = scopes[id(theirs)] = dict(theirs)
            for name, value in theirs.items():
                if value is np:
                    copied[name] = _ComplexNumPy("numpy")
                elif id(value) in makers:
                    copied[name] = makers[id(value)]
                elif isinstance(value, types.FunctionType) and str(value.__module__).partition(".")[0] not in LIBRARIES:
                    copied[name] = copy(value)
        return scopes[id(theirs)]

    return copy(function) if isinstance(function, types.FunctionType) else function
