r"""LSTM with peepholes (Gers, Schmidhuber 2000): the gates see what is in the cell, each unit its own.

All equations are those of :mod:`manual_rnn.cells.lstm`, under the same numbers, but the maps of the gates, with p a
vector that is taken by element. Input and forget gate see the state before, the output gate the new one, so that its
map waits for c(t):

.. math::
    a_i(t) &= b_i + W_i h(t-1) + U_i x(t) + p_i \circ c(t-1)     && \text{F1} \\
    a_f(t) &= b_f + W_f h(t-1) + U_f x(t) + p_f \circ c(t-1)     && \text{F1} \\
    a_o(t) &= b_o + W_o h(t-1) + U_o x(t) + p_o \circ c(t)       && \text{F1} \\
    \nabla c(t) &= \nabla s(t) \circ (1 - s(t)^2) + \nabla c(t+1) \circ f(t+1) + p_o \circ \nabla a_o(t) \\
                &\quad + p_i \circ \nabla a_i(t+1) + p_f \circ \nabla a_f(t+1)    && \text{B5.4} \\
    \nabla p_i &= \sum_t \nabla a_i(t) \circ c(t-1) \qquad \nabla p_f = \sum_t \nabla a_f(t) \circ c(t-1) \qquad
    \nabla p_o = \sum_t \nabla a_o(t) \circ c(t)                  && \text{B7}
"""

from __future__ import annotations

from dataclasses import replace

from manual_rnn.cell import Affine, Term
from manual_rnn.cells import lstm


def _seeing(k: str, *, now: bool) -> Affine:
    peephole = Term(weight=f"p_{k}", of="c", now=now, diagonal=True)
    return Affine(node=f"a_{k}", W=f"W_{k}", U=f"U_{k}", b=f"b_{k}", more=(peephole,))


CELL = replace(
    lstm.CELL,
    name="lstm_peephole",
    maps=(
        _seeing("i", now=False),
        _seeing("f", now=False),
        Affine(node="a_g", W="W_g", U="U_g", b="b_g"),
        _seeing("o", now=True),
    ),
    latex={
        **lstm.CELL.latex,
        "grad_cell.c": r"\nabla c(t) = \nabla s(t) \circ (1 - s(t)^2) + \nabla c(t+1) \circ f(t+1) "
        r"+ p_o \circ \nabla a_o(t) + p_i \circ \nabla a_i(t+1) + p_f \circ \nabla a_f(t+1)",
    },
)
