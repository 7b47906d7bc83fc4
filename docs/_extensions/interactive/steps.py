"""The frames of the page that goes through a short word: every equation at every step, with the numbers of the tape.

The network is the book's vanilla RNN, so small that its matrices can be read, and trained a little. Vectors stand as
columns, as in the equations; frames come in the order in which a pass on paper would write them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from manual_rnn import cells, initialise, loss_and_gradients
from manual_rnn.cell import Array
from manual_rnn.diagnostics.comparison import problem
from manual_rnn.formulas import formula
from manual_rnn.gradients import Result
from manual_rnn.testing.tally import label_of
from reference import autodiff

WORD, ALPHABET, UNITS, UPDATES, RATE, SEED = "hello", "ehlo", 3, 12, 0.1, 4
RNN = cells.get("rnn")
TERMS = {"c": ("o", None), "V": ("o", "h"), "b": ("a", None), "W": ("a", "h_prev"), "U": ("a", "x")}
"""What a step gives to a parameter's gradient: ∇ of the first, times the second transposed."""
WORDS = {
    "a": "What the network remembers, through W, and what it reads, through U, meet in one sum.",
    "h": "Squashed by element into (−1, 1), it is the new state.",
    "o": "From the state, a logit for each character that may come next.",
    "loss": "How surprised the network is by the character that does come.",
    "grad_o": "What it expected, less what came: 1 is taken away at the right character.",
    "grad_c": "The bias was added as it is, so its term is ∇o(t) itself.",
    "grad_V": "V met h(t) here: the term is the outer product of what came back and what had gone in.",
    "grad_h": "Two ways lead back to h(t), from this step's logits and from the next step, and they add.",
    "grad_a": "Back through tanh: where the unit is saturated, little passes.",
    "grad_b": "The bias was added as it is, so its term is ∇a(t) itself.",
    "grad_W": "W met h(t−1) here. The same W is used at every step, so the steps' terms add.",
    "grad_U": "U met x(t) here, which is 1 at one character: only that character's column grows.",
    "grad_x": "What a change of the input would do to the loss; for characters nobody needs it.",
    "grad_h0": "What is left of the gradient at the state that the word began from.",
}


@dataclass(frozen=True)
class Shown:
    """A value under its name in LaTeX; vectors as columns (n, 1), terms of an outer product as they stand in it."""

    latex: str
    value: Array
    role: str = "input"
    """"input", "result" of this frame, or for a parameter's gradient "before", "term" and "after"."""


@dataclass(frozen=True)
class Frame:
    """One equation at one step: what it reads and gives, and which nodes and edges of the graph it concerns."""

    equation: str
    number: str
    t: int
    latex: str
    words: str
    shown: tuple[Shown, ...]
    nodes: tuple[str, ...]
    edges: tuple[str, ...]

    @property
    def backward(self) -> bool:
        return self.equation.startswith("grad_")


@cache
def trained() -> tuple[dict[str, Array], Array, Array, Result]:
    """The parameters after a few updates, inputs and targets (T, 1), and the pass that the page goes through."""
    params = initialise(RNN, n_in=len(ALPHABET), n_hidden=UNITS, n_out=len(ALPHABET), seed=SEED)
    ids = np.array([[ALPHABET.index(character)] for character in WORD])
    for _ in range(UPDATES):
        gradients = loss_and_gradients(RNN, params, ids[:-1], ids[1:]).gradients
        params = {name: value - RATE * gradients[name] for name, value in params.items()}
    return params, ids[:-1], ids[1:], loss_and_gradients(RNN, params, ids[:-1], ids[1:], inputs=True)


def largest_difference() -> float:
    """The largest of ‖ours − jax.grad's‖ / ‖jax.grad's‖, over every gradient of the page."""
    params, x, y, result = trained()
    one_hot = np.eye(len(ALPHABET))[x]
    of_all_steps = problem(RNN, params, one_hot, {"h": np.zeros((1, UNITS))}, y=y, weights=np.ones(y.shape))
    theirs = autodiff("rnn")([of_all_steps])[0][1]
    pairs = [(result.gradients[name], theirs[name]) for name in (*params, "h0", "x")]
    for name in ("o", "h", "a"):
        pairs += list(zip(result.node_gradients[name], theirs[name], strict=True))
    return float(max(np.linalg.norm(ours - found) / np.linalg.norm(found) for ours, found in pairs))


@cache
def frames() -> tuple[Frame, ...]:
    """Forward from the first step to the last, then backward."""
    return (*_forward(), *_backward())


def _forward() -> Iterator[Frame]:
    params, x, _, result = trained()
    for t in range(1, len(x) + 1):
        before, now = at(f"h({t - 1})", state(t - 1)), f"({t})"
        weights = [Shown("b", column(params["b"])), Shown("W", params["W"]), Shown("U", params["U"])]
        a, h, o = (at(name + now, node(name, t), "result") for name in "aho")
        inputs = (*weights, before, at(f"x({t})", one_hot(x, t)))
        yield _frame("a", t, (*inputs, a), (f"h{t - 1}", f"x{t}", f"a{t}"), (f"h{t - 1}-a{t}", f"x{t}-a{t}"))
        yield _frame("h", t, (_as_input(a), h), (f"h{t}",), (f"a{t}-h{t}",))
        readout = (Shown("c", column(params["c"])), Shown("V", params["V"]), _as_input(h))
        yield _frame("o", t, (*readout, o), (f"o{t}",), (f"h{t}-o{t}",))
        loss = at(rf"\ell({t})", np.array([result.tape["loss"][t - 1, 0]]).reshape(1), "result")
        expected = at(rf"\hat{{y}}({t})", softmax(t))
        yield _frame("loss", t, (_as_input(o), expected, loss), (f"l{t}",), (f"o{t}-l{t}",))


def _backward() -> Iterator[Frame]:
    params, x, y, result = trained()
    sums = {name: np.zeros_like(column(value)) for name, value in params.items()}
    for t in range(len(x), 0, -1):
        grad = {name: at(rf"\nabla {name}({t})", gradient(name, t), "result") for name in "oha"}
        target = at(rf"1_{{y({t})}}", np.eye(len(ALPHABET))[y[t - 1, 0]])
        yield _frame("grad_o", t, (at(rf"\hat{{y}}({t})", softmax(t)), target, grad["o"]), (f"o{t}",), (f"o{t}-l{t}",))
        for name in "cV":
            yield _of_parameter(name, t, sums)
        ways, edges = [Shown(r"V^\top", params["V"].T), _as_input(grad["o"])], [f"h{t}-o{t}"]
        if t < len(x):
            ways += [Shown(r"W^\top", params["W"].T), at(rf"\nabla a({t + 1})", gradient("a", t + 1))]
            edges += [f"h{t}-a{t + 1}"]
        yield _frame("grad_h", t, (*ways, grad["h"]), (f"h{t}",), tuple(edges))
        slope = at(f"1 - h({t})^2", (1 - state(t)) * (1 + state(t)))
        yield _frame("grad_a", t, (slope, _as_input(grad["h"]), grad["a"]), (f"a{t}",), (f"a{t}-h{t}",))
        for name in "bWU":
            yield _of_parameter(name, t, sums)
        into = (Shown(r"U^\top", params["U"].T), _as_input(grad["a"]))
        grad_x = at(rf"\nabla x({t})", result.gradients["x"][t - 1, 0], "result")
        yield _frame("grad_x", t, (*into, grad_x), (f"x{t}",), (f"x{t}-a{t}",))
    last = at(r"\nabla h(0)", result.gradients["h0"][0], "result")
    ways = [Shown(r"W^\top", params["W"].T), at(r"\nabla a(1)", gradient("a", 1))]
    yield _frame("grad_h0", 0, (*ways, last), ("h0",), ("h0-a1",))


def _of_parameter(name: str, t: int, sums: dict[str, Array]) -> Frame:
    """The term of step t, and the sum before and after it, which goes into ``sums``."""
    of, times = TERMS[name]
    _, x, _, _ = trained()
    back = at(rf"\nabla {of}({t})", gradient(of, t))
    met = {"h": (f"h({t})", state(t)), "h_prev": (f"h({t - 1})", state(t - 1)), "x": (f"x({t})", one_hot(x, t))}
    factor = [] if times is None else [Shown(met[times][0] + r"^\top", column(met[times][1]).T)]
    term = back.value if times is None else back.value @ factor[0].value
    before = sums[name]
    sums[name] = before + term
    shown = (
        back, *factor,
        Shown(rf"\nabla {name}", before, "before"), Shown("", term, "term"),
        Shown(rf"\nabla {name}", sums[name], "after"),
    )  # fmt: skip
    edge = {"V": f"h{t}-o{t}", "W": f"h{t - 1}-a{t}", "U": f"x{t}-a{t}"}.get(name)
    return _frame(f"grad_{name}", t, shown, () if edge else (f"{of}{t}",), (edge,) if edge else ())


def _frame(equation: str, t: int, shown: tuple[Shown, ...], nodes: tuple[str, ...], edges: tuple[str, ...]) -> Frame:
    latex = formula(RNN, equation)
    assert latex is not None, equation
    return Frame(equation, label_of(RNN, equation), t, latex, WORDS[equation], shown, nodes, edges)


def column(value: Array) -> Array:
    return value[:, None] if value.ndim == 1 else value


def at(latex: str, vector: Array, role: str = "input") -> Shown:
    return Shown(latex, column(vector), role)


def _as_input(shown: Shown) -> Shown:
    return Shown(shown.latex, shown.value)


def node(name: str, t: int) -> Array:
    return np.asarray(trained()[3].tape[name][t - 1, 0])


def state(t: int) -> Array:
    """h(t), h(0) included."""
    return node("h", t) if t else np.zeros(UNITS)


def gradient(name: str, t: int) -> Array:
    return np.asarray(trained()[3].node_gradients[name][t - 1, 0])


def one_hot(ids: Array, t: int) -> Array:
    return np.asarray(np.eye(len(ALPHABET))[ids[t - 1, 0]])


def softmax(t: int) -> Array:
    """ŷ(t), of the tape's logits."""
    powers = np.exp(node("o", t) - node("o", t).max())
    return np.asarray(powers / powers.sum())
