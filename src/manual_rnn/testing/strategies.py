"""Hypothesis strategies for cases: public, for your own property tests.

    @given(cases(manual_rnn.cells.get("rnn")))
    def test_something(case): ...

Hypothesis draws the family, the dimensions, the dtype, a severity and a seed; NumPy fills the arrays from them.
Shapes come from a pool, because a compiled oracle pays for each new one; lengths vary inside a shape by the mask in
the weights. Shrinking goes towards the first family, the smaller shapes and the lower severities.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from manual_rnn import losses
from manual_rnn.cell import Cell
from manual_rnn.network import Network
from manual_rnn.testing.families import FAMILIES, build, families_for
from manual_rnn.testing.problem import Case, Sizes, Spec
from manual_rnn.testing.sequences import check_dropout

SMALLEST = (Sizes(1, 1, 1, 1, 2),)

POOL = tuple(
    Sizes(*dimensions)
    for dimensions in [
        (1, 1, 1, 1, 2), (1, 3, 2, 4, 3), (2, 1, 1, 1, 2), (2, 2, 3, 5, 4), (3, 1, 4, 2, 3), (3, 5, 2, 3, 2),
        (4, 2, 1, 6, 5), (5, 1, 3, 1, 2), (5, 3, 7, 4, 3), (6, 2, 2, 7, 4), (7, 1, 5, 3, 6), (7, 4, 3, 2, 2),
        (8, 2, 3, 8, 5), (9, 1, 2, 5, 3), (10, 3, 4, 3, 7), (11, 2, 6, 5, 2), (13, 1, 3, 7, 4), (16, 2, 5, 4, 5),
        (17, 1, 2, 3, 3), (20, 2, 3, 6, 4), (29, 1, 4, 5, 3), (40, 2, 3, 8, 5),
    ]
)  # fmt: skip
"""Corner cases (one step, one sequence, one unit), primes, and no two widths alike."""

CHAOTIC = (*POOL[12:], Sizes(100, 1, 3, 16, 4), Sizes(200, 1, 2, 16, 3))
LONG = (Sizes(500, 1, 2, 3, 3), Sizes(521, 2, 3, 5, 4))
SINGLE = (POOL[1], POOL[11], POOL[19], LONG[0])
"""The shapes that are drawn in float32 too."""


def pool_for(family: str) -> Sequence[Sizes]:
    """The shapes that a family's cases are drawn in."""
    return {"smallest": SMALLEST, "long": LONG, "chaotic": CHAOTIC}.get(family, POOL)


@st.composite
def specs(
    draw: st.DrawFn,
    model: Cell | Network,
    *,
    families: Sequence[str] | None = None,
    sizes: Sequence[Sizes] | None = None,
    dtypes: Sequence[str] = ("float64", "float32"),
    loss: str = "softmax",
    resets: bool = False,
    dropout: bool = False,
) -> Spec:
    """What decides a case. ``families``, ``sizes`` and ``dtypes`` narrow the choice; each defaults to all there are.
    ``loss`` is the name of the loss that targets are drawn for. With ``resets``, sequences begin in mid-array and have
    lengths of their own; with ``dropout``, what the layers above the first see is masked.

    Raises:
        ValueError: a family or a loss of that name does not exist; there is no layer above the first to be masked.
    """
    check_dropout(model, dropout)
    if isinstance(families, str) or isinstance(dtypes, str):
        raise ValueError(f"families and dtypes are lists of names; families is {families!r}, dtypes is {dtypes!r}.")
    losses.get(loss)
    names = families_for(model) if families is None else families
    if not names or (sizes is not None and not sizes) or not dtypes:
        raise ValueError("There is nothing to draw from: families, sizes and dtypes must not be empty.")
    if wrong := [d for d in dtypes if d not in ("float64", "float32")]:
        raise ValueError(f"dtypes has {', '.join(map(str, wrong))}; a reference has float64 and float32.")
    if wrong_sizes := [s for s in sizes or () if not isinstance(s, Sizes)]:
        raise ValueError(f"sizes has {wrong_sizes[0]!r}; expected Sizes(T, B, n_in, n_hidden, n_out).")
    unknown = [name for name in names if name not in FAMILIES]
    if unknown:
        raise ValueError(f"There is no family {', '.join(unknown)}; the families are {', '.join(FAMILIES)}.")
    family = draw(st.sampled_from(list(names)))
    shape = draw(st.sampled_from(list(sizes if sizes is not None else pool_for(family))))
    wanted = [d for d in dtypes if d != "float32" or sizes is not None or len(dtypes) == 1 or shape in SINGLE]
    return Spec(
        family=family,
        sizes=shape,
        dtype=draw(st.sampled_from(wanted)),
        seed=draw(st.integers(0, 2**32 - 1)),
        severity=draw(st.sampled_from(range(101))),
        loss=loss,
        resets=resets,
        dropout=dropout,
    )


def cases(
    model: Cell | Network,
    *,
    families: Sequence[str] | None = None,
    sizes: Sequence[Sizes] | None = None,
    dtypes: Sequence[str] = ("float64", "float32"),
    loss: str = "softmax",
    resets: bool = False,
    dropout: bool = False,
) -> st.SearchStrategy[Case]:
    """Cases with their arrays; see :func:`specs` for what narrows the choice."""
    drawn = specs(
        model, families=families, sizes=sizes, dtypes=dtypes, loss=loss, resets=resets, dropout=dropout
    )
    return drawn.map(lambda spec: build(model, spec))


def draw_specs(
    model: Cell | Network,
    examples: int,
    seed_: int,
    loss: str = "softmax",
    *,
    resets: bool = False,
    dropout: bool = False,
) -> list[Spec]:
    """``examples`` specs drawn by Hypothesis outside of a test, every family of the model with its even share."""
    names = families_for(model)
    drawn: list[Spec] = []
    for i, family in enumerate(names):
        share = examples // len(names) + (i < examples % len(names))
        of_family = specs(model, families=[family], loss=loss, resets=resets, dropout=dropout)
        drawn += _collect(of_family, share, seed_ + i)
    return drawn


def _collect(strategy: st.SearchStrategy[Spec], examples: int, seed_: int) -> list[Spec]:
    collected: list[Spec] = []
    if examples == 0:
        return collected

    @seed(seed_)
    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(spec: Spec) -> None:
        collected.append(spec)

    collect()
    return collected
