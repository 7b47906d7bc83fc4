"""The natural scale of every equation: the sum of the magnitudes of its terms, at the reference's values.

For the equations that all cells share these are the same sums of products, taken of absolute values. For a cell's
own equations the scale comes from magnitude arithmetic on the cell's own code.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np

from manual_rnn import affine
from manual_rnn.anew import Anew
from manual_rnn.cell import Array, Cell, Nodes, Tap, Term
from manual_rnn.network import INITIAL, Network, side_by_side
from manual_rnn.testing import losses
from manual_rnn.testing.magnitude import Magnitude, scale_of
from manual_rnn.testing.problem import Answer, Case


@dataclass(frozen=True)
class Scale:
    """The scale of each number of an equation, and how many terms the longest sum in it has."""

    of: Array
    terms: int


Scales = tuple[Mapping[str, Scale], Mapping[str, Scale]]
"""Those of the forward nodes and those of the gradients, by the names that the tapes use."""


def previous_states(model: Cell | Network, case: Case, nodes: Mapping[str, Array]) -> dict[str, Array]:
    """What each step starts from, (T, B, n), by the state's name on the tape: the initial state, then the reference's
    of the step before, and where a sequence begins the fresh one."""
    network = Network.of(model)
    return {
        cell.full(name): rows
        for cell in network.cells
        for name, rows in _before(cell, case, nodes, Anew.of(network, cell, case.params, case.begins)).items()
    }


def _before(cell: Cell, case: Case, nodes: Mapping[str, Array], anew: Anew | None) -> dict[str, Array]:
    """By the cell's own name of each state."""
    found: dict[str, Array] = {}
    for name in cell.states:
        first, rows = case.initial[f"{cell.prefix}{name}"][None], nodes[cell.full(name)]
        before = np.concatenate([rows[1:], first] if cell.reverse else [first, rows[:-1]])
        found[name] = np.where(anew.starts[..., None], anew.fresh[name], before) if anew else before
    return found


def natural_scales(model: Cell | Network, case: Case, answer: Answer) -> Scales:
    """The scales of every equation of a case, at the values of the reference's answer."""
    network, (nodes, grads) = Network.of(model), answer
    s = case.spec.sizes
    forward: dict[str, Scale] = {}
    backward: dict[str, Scale] = {}
    shown = np.abs(side_by_side(nodes[cell.full(cell.states[0])] for cell in network.layers[-1]))
    size = {name: np.abs(case.params[name]) for name in ("V", "c")}
    forward["o"] = Scale(affine.forward(size["V"], size["c"], shown), shown.shape[-1] + 1)
    forward["loss"], backward["o"] = _of_loss(case, nodes["o"])
    grad_o = np.abs(grads["o"])
    backward["c"] = Scale(affine.bias_gradient(grad_o), s.T * s.B)
    backward["V"] = Scale(affine.weight_gradient(grad_o, shown, shown.shape[-1]), s.T * s.B)
    from_above = Scale(affine.input_gradient(size["V"], grad_o), s.n_out)
    for k in reversed(range(len(network.layers))):
        layer = network.layers[k]
        for cell, part in zip(layer, np.split(from_above.of, len(layer), axis=-1), strict=True):
            rows = nodes[f"{cell.prefix}x"] if k else case.x
            anew = Anew.of(network, cell, case.params, case.begins)
            exact = _Exact(cell, case, nodes, grads, rows, anew, network.learned_initial)
            of_forward, of_backward = _of_cell(cell, exact, Scale(part, from_above.terms), case)
            forward, backward = {**forward, **of_forward}, {**backward, **of_backward}
            if k:
                forward[f"{cell.prefix}x"] = Scale(np.abs(rows), 1)
        below = [_masked(cell, case, grads[f"{cell.prefix}x"]) for cell in layer]
        from_above = Scale(sum(below[1:], start=below[0]), len(layer))
    backward.setdefault("x", from_above)
    return forward, backward


def _masked(cell: Cell, case: Case, grad_x: Array) -> Array:
    """What a cell's ∇x is to the layer below, in size."""
    mask = case.masks.get(f"{cell.prefix}x")
    return np.abs(grad_x) if mask is None else np.abs(mask * grad_x)


class _Exact:
    """The reference's values at one cell of a case, under the cell's own names."""

    def __init__(
        self,
        cell: Cell,
        case: Case,
        nodes: Mapping[str, Array],
        grads: Mapping[str, Array],
        x: Array,
        anew: Anew | None,
        learned: bool,
    ) -> None:
        self.nodes = {own: nodes[name] for name in nodes if (own := cell.own(name)) is not None}
        self.grads = {own: grads[cell.full(own)] for own in self.nodes}
        self.made = {w.name: (nodes[w.name], grads[w.name], grads[w.of]) for w in cell.weights}
        self.params = {**case.params, **{name: made for name, (made, _, _) in self.made.items()}}
        self.before = _before(cell, case, nodes, anew)
        self.x = x
        self.learned = learned
        self._reverse, self._anew = cell.reverse, anew

    def of(self, term: Term) -> Array:
        """What a product of a map is taken of, at every step."""
        return self.nodes[term.of] if term.now else self.before[term.of]

    def arriving(self, handed_back: Array) -> Array:
        """Of what each step hands back, (T, B, n), what arrives at each: nothing at the last one, and none of what
        goes to a fresh state."""
        going = self._to_the_step_before(handed_back)
        nothing = np.zeros_like(going[:1])
        return np.concatenate([nothing, going[:-1]] if self._reverse else [going[1:], nothing])

    def to_initial(self, handed_back: Array) -> Array:
        """What goes to the initial state, (B, n)."""
        return np.asarray(self._to_the_step_before(handed_back)[-1 if self._reverse else 0])

    def to_fresh(self, handed_back: Array) -> Array:
        """What goes to the state that all sequences begin with, (n,)."""
        if self._anew is None:
            return np.zeros_like(handed_back[0, 0])
        return np.asarray(np.where(self._anew.starts[..., None], handed_back, 0).sum(axis=(0, 1)))

    def _to_the_step_before(self, handed_back: Array) -> Array:
        return handed_back if self._anew is None else np.where(self._anew.starts[..., None], 0, handed_back)


def _of_cell(cell: Cell, exact: _Exact, from_above: Scale, case: Case) -> tuple[dict[str, Scale], dict[str, Scale]]:
    """The scales of all that one cell has in a network, under the network's names."""
    params, dtype = exact.params, case.dtype
    size = {name: np.abs(params[name]) for m in cell.maps for name in (m.U, m.b, *(t.weight for t in m.terms)) if name}
    x = exact.x if affine.is_tokens(exact.x) else np.abs(exact.x)
    n_in = next(len(size[m.U][0]) for m in cell.maps if m.U)
    steps = case.spec.sizes.T * case.spec.sizes.B
    n_hidden = case.spec.sizes.n_hidden

    forward, backward = _own_equations(cell, exact, params)
    for m in cell.maps:
        a = np.broadcast_to(size[m.b] if m.b else np.zeros((), dtype), exact.nodes[m.node].shape)
        if m.U:
            a = a + affine.forward(size[m.U], np.zeros((), dtype), x)
        for term in m.terms:
            a = a + affine.product(size[term.weight], np.abs(exact.of(term)), diagonal=term.diagonal)
        forward[cell.full(m.node)] = Scale(a, n_in + n_hidden * len(m.terms) + 1)
    arriving = backward[cell.full(cell.states[0])]
    backward[cell.full(cell.states[0])] = Scale(arriving.of + from_above.of, arriving.terms + from_above.terms)
    inputs, ways = np.zeros((*from_above.of.shape[:2], n_in), dtype), 0
    for m in cell.maps:
        grad_a = np.abs(exact.grads[m.node])
        if m.b:
            backward[m.b] = Scale(affine.bias_gradient(grad_a), steps)
        for term in m.terms:
            rows = np.abs(exact.of(term))
            of_weight = affine.product_weight_gradient(grad_a, rows, diagonal=term.diagonal)
            backward[term.weight] = Scale(of_weight, steps)
        if m.U:
            backward[m.U] = Scale(affine.weight_gradient(grad_a, x, n_in), steps)
            inputs, ways = inputs + affine.input_gradient(size[m.U], grad_a), ways + 1
    backward[f"{cell.prefix}x"] = Scale(inputs, n_hidden * ways)
    for w in cell.weights:
        of, (W, grad_W, grad_of) = params[w.of], exact.made[w.name]
        forward[w.name] = _of_function(w.forward, of, W, least=1.0)
        # A weight that does not change with the length of a row has a gradient of zero along it, made by cancellation.
        shortest = np.abs(of).max(axis=1).min()
        least = float(np.abs(grad_W).max() * np.abs(W).max() / shortest) if shortest else 0.0
        back = partial(w.backward, of, W)
        backward[w.of] = _of_function(back, grad_W, grad_of, least=least)
    return forward, backward


def _own_equations(
    cell: Cell, exact: _Exact, params: Mapping[str, Array]
) -> tuple[dict[str, Scale], dict[str, Scale]]:
    """The cell's own equations under magnitude arithmetic, all steps at once, each fed with exact values.

    With them, what arrives at each state: for the first by itself, for others as a term of the cell's own equation.
    Code that cannot be run so (it indexes, or calls what is no ufunc) has the largest number of each row for scale.
    """
    nodes, grads = exact.nodes, exact.grads
    # What flows into the cell at each unit: the largest gradient of its nodes.
    flow = reduce(np.maximum, [np.abs(array) for array in grads.values()])
    forward = {name: _largest_of_row(array) for name, array in nodes.items()}
    backward = {name: Scale(np.maximum(_largest_of_row(grads[name]).of, 2 * flow), 1) for name in nodes}
    prev = Nodes(**{name: Magnitude(array) for name, array in exact.before.items()})
    node = Nodes(**{name: Magnitude(array) for name, array in nodes.items()})
    maps = Nodes(**{m.node: Magnitude(nodes[m.node]) for m in cell.maps})
    states: Any = dict.fromkeys(cell.states)
    # Whatever is raised: if the code itself is at fault, the pass with plain arrays says so.
    with contextlib.suppress(Exception):
        states = cell.forward(maps, prev, _tap_into(forward, nodes))
    _check_returned("forward", states, "each state", cell.states)
    direct: Any = dict.fromkeys(m.node for m in cell.maps)
    first, *others = cell.states
    for _ in range(2 if others else 1):  # what a further state receives directly is known after a first run only
        with contextlib.suppress(Exception):
            grad = Nodes(**_within(cell, params, grads))
            for name in others:
                arrived = _arriving(cell, name, params, exact, direct)
                setattr(grad, name, arrived + getattr(grad, name) if hasattr(grad, name) else arrived)
            setattr(grad, first, Magnitude(grads[first]))
            direct = cell.backward(node, prev, grad, _tap_into(backward, grads))
        _check_returned("backward", direct, "the gradient of each map", [m.node for m in cell.maps])
    known = {m.node for m in cell.maps} | {f"{name}_prev" for name in cell.states}
    if unknown := [name for name in direct if name not in known]:
        raise ValueError(f"backward returned {_list(unknown)}; it may return {_list(sorted(known))}.")
    backward = {name: _rounded_derivative(scale, flow) for name, scale in backward.items()}
    n = flow.shape[-1] * sum(not term.now for m in cell.maps for term in m.terms)
    backward[first] = Scale(_arriving(cell, first, params, exact, direct).scale, n)
    for name in others:
        backward[name] = Scale(backward[name].of, n + 1)
    forward = {cell.full(name): scale for name, scale in forward.items()}
    backward = {cell.full(name): scale for name, scale in backward.items()}
    for name in cell.states:
        handed_back = _carried(cell, name, params, exact, direct).scale
        backward[cell.initial_name(name)] = Scale(exact.to_initial(handed_back), n)
        if exact.learned:
            fresh = exact.to_fresh(handed_back)
            backward[f"{cell.prefix}{INITIAL}{name}"] = Scale(fresh, n + handed_back[..., 0].size)
        if direct.get(f"{name}_prev") is not None:
            backward[f"{cell.prefix}{name}_prev"] = Scale(scale_of(direct[f"{name}_prev"]), 1)
    return forward, backward


def _within(cell: Cell, params: Mapping[str, Array], grads: Mapping[str, Array]) -> dict[str, Magnitude]:
    """What maps of nodes of their own step hand back to these."""
    found: dict[str, Magnitude] = {}
    for m in cell.maps:
        for term in m.terms:
            if term.now:
                part = _handed_back(params, term, grads[m.node])
                found[term.of] = found[term.of] + part if term.of in found else part
    return found


def _arriving(
    cell: Cell, state: str, params: Mapping[str, Array], exact: _Exact, direct: Mapping[str, Any]
) -> Magnitude:
    """What comes to ∇state(t) from the step after."""
    carried = _carried(cell, state, params, exact, direct)
    return Magnitude(exact.arriving(carried.value), exact.arriving(carried.scale))


def _carried(
    cell: Cell, state: str, params: Mapping[str, Array], exact: _Exact, direct: Mapping[str, Any]
) -> Magnitude:
    """What step t hands to ∇state(t−1): through the maps, and directly where the cell does so."""
    found = direct.get(f"{state}_prev")
    if found is None:
        found = np.zeros_like(exact.grads[state])
    total = found if isinstance(found, Magnitude) else Magnitude(found)
    for m in cell.maps:
        for term in m.terms:
            if term.of == state and not term.now:
                total = total + _handed_back(params, term, exact.grads[m.node])
    return total


def _handed_back(params: Mapping[str, Array], term: Term, grad_a: Array) -> Magnitude:
    """Wᵀ ∇a with its scale."""
    weight = params[term.weight]
    value = affine.product_input_gradient(weight, grad_a, diagonal=term.diagonal)
    return Magnitude(value, affine.product_input_gradient(np.abs(weight), np.abs(grad_a), diagonal=term.diagonal))


def _of_function(function: Callable[[Any], Any], argument: Array, value: Array, *, least: float) -> Scale:
    """The scale of a weight that is made of a parameter, or of the parameter's gradient.

    Of code that magnitude arithmetic cannot run (products of matrices), one for the whole array: its largest number,
    or that of the same code with random signs in its argument, where nothing cancels, and ``least`` at least.
    """
    n = len(value)
    with contextlib.suppress(Exception):
        found = function(Magnitude(argument))
        if isinstance(found, Magnitude):
            return Scale(np.broadcast_to(found.scale, value.shape), 1)
    rng, largest = np.random.default_rng(0), max(np.abs(value).max(), least)
    for _ in range(4):
        signs = rng.choice([-1.0, 1.0], argument.shape).astype(value.dtype)
        with contextlib.suppress(Exception):
            largest = max(largest, np.abs(function(argument * signs)).max())
    return Scale(np.full(value.shape, largest, value.dtype), n * n)


def _check_returned(what: str, given: Any, content: str, names: Iterable[str]) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(f"{what} returned a {type(given).__name__}; expected a dict with {content}, {_list(names)}.")
    if missing := [name for name in names if name not in given]:
        raise ValueError(f"{what} returned {_list(given) or 'nothing'}; {_list(missing)} is missing in it.")


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _rounded_derivative(scale: Scale, flow: Array) -> Scale:
    """The scale, or twice what flows into the cell where that is more and anything is passed on at all.

    The oracle rounds the derivative in a form of its own: 1 − h² has a scale of up to two where g / cosh² a has
    next to none, and both are right. A true zero, of a dead unit, is the same in every form.
    """
    coarse = ~(scale.of >= flow) & ~(scale.of == 0)
    return Scale(np.where(coarse, 2 * flow, scale.of), scale.terms)


def _tap_into(scales: dict[str, Scale], exact: Mapping[str, Array]) -> Tap:
    """A tap that notes each equation's scale and goes on with the exact value."""

    def tap(name: str, value: Any) -> Any:
        if name in exact:
            scales[name] = Scale(np.broadcast_to(scale_of(value), exact[name].shape), 1)
        return Magnitude(exact.get(name, value))

    return tap


def _largest_of_row(array: Array) -> Scale:
    return Scale(np.broadcast_to(np.abs(array).max(axis=-1, keepdims=True), array.shape), 1)


def _of_loss(case: Case, o: Array) -> tuple[Scale, Scale]:
    """Scales of the loss and of ∇o, as the loss's own file in :mod:`manual_rnn.testing.losses` has them."""
    value, gradient = losses.get(case.spec.loss).scales(o, case.y, np.abs(case.weights))
    return Scale(value, o.shape[-1]), Scale(gradient, o.shape[-1])
