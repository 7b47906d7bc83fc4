"""What only a thorough run does: the full product where in every run some of it stands for the rest."""

import pytest

from manual_rnn import cells

KINDS = ("rnn", "gru", "lstm_peephole", "rnn_orthogonal")
"""A cell of each kind: one map; a map that waits for a node of its own step, and a way past the maps; two states, and
products by element; a weight that is made of parameters."""


def only_thorough(*values, **options):
    """These values of a parametrisation, left to the thorough run."""
    return [pytest.param(value, marks=pytest.mark.thorough, **options) for value in values]


def in_every_run(some, values):
    """Values of several parameters at once: those that are among ``some`` in every run, the others left as above."""
    return [value if value in some else pytest.param(*value, marks=pytest.mark.thorough) for value in values]


def of_each_kind(names=None):
    """Names of cells to parametrise by: one of each kind in every run, all of them in the thorough one."""
    names = cells.names() if names is None else names
    return [name if name in KINDS else only_thorough(name)[0] for name in names]


def cells_of_each_kind(names=None):
    """The cells of those names, each under its name."""
    names = cells.names() if names is None else names
    return [
        pytest.param(cells.get(name), id=name, marks=[] if name in KINDS else pytest.mark.thorough) for name in names
    ]
