r"""The readout from the hidden state to the logits, all steps at once: nothing in it knows of time.

.. math::
    o(t) &= c + V h(t) && \text{(F3)} \\
    \nabla c &= \sum_t \nabla o(t) && \text{(B2)} \\
    \nabla V &= \sum_t \nabla o(t)\, h(t)^\top && \text{(B3)} \\
    \nabla h(t) &= V^\top \nabla o(t) + \dots && \text{(B4), the part that comes from this step's loss}

Equations 10.10, 10.22, 10.24 and 10.19 of Goodfellow, Bengio, Courville, *Deep Learning*.
"""

from __future__ import annotations

from manual_rnn import affine
from manual_rnn.blocks import of_each_step
from manual_rnn.cell import Array, Tap


def forward(V: Array, c: Array, h: Array) -> Array:
    """The logits o (T, B, n_out) of the states h (T, B, n_hidden)."""
    o = of_each_step(h, V.T)  # (F3) V h(t)
    o += c  # (F3) + c
    return o


def backward(V: Array, h: Array, grad_o: Array, tap_all: Tap) -> Array:
    """Taps ∇c and ∇V; returns the readout's part of ∇h (T, B, n_hidden)."""
    tap_all("c", affine.bias_gradient(grad_o))  # (B2)
    tap_all("V", affine.weight_gradient(grad_o, h, h.shape[-1]))  # (B3)
    return of_each_step(grad_o, V)  # (B4)
