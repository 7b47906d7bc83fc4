r"""Weights on disk: safetensors under the names of PyTorch, which ``torch.nn.RNN`` takes as they are.

========  ====================  =======================
here      in the file           shape
========  ====================  =======================
U         weight_ih_l0          (n_hidden, n_in)
W         weight_hh_l0          (n_hidden, n_hidden)
b         bias_ih_l0            (n_hidden,)
          bias_hh_l0            (n_hidden,), zeros
V         decoder.weight        (n_out, n_hidden)
c         decoder.bias          (n_out,)
========  ====================  =======================

PyTorch has two biases where the derivation has their sum b; what is read is added up, so weights that PyTorch
has trained mean the same here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manual_rnn.cell import Array, Cell


def to_torch(cell: Cell, params: Mapping[str, Array]) -> dict[str, Array]:
    """The parameters of a cell with one affine map by PyTorch's names."""
    (m,) = cell.maps
    return {
        "weight_ih_l0": np.ascontiguousarray(params[m.U]),
        "weight_hh_l0": np.ascontiguousarray(params[m.W]),
        "bias_ih_l0": np.ascontiguousarray(params[m.b]),
        "bias_hh_l0": np.zeros_like(params[m.b]),
        "decoder.weight": np.ascontiguousarray(params["V"]),
        "decoder.bias": np.ascontiguousarray(params["c"]),
    }


def from_torch(cell: Cell, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The parameters of a cell with one affine map. Raises ValueError, naming what is missing."""
    (m,) = cell.maps
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "decoder.weight", "decoder.bias")
    if missing := [name for name in names if name not in tensors]:
        raise ValueError(f"the tensors {', '.join(missing)} are missing.")
    U, W, b_ih, b_hh, V, c = (tensors[name] for name in names)
    if b_ih.shape != b_hh.shape:
        raise ValueError(f"bias_ih_l0 has the shape {b_ih.shape}, bias_hh_l0 {b_hh.shape}: they must agree")
    return {m.U: U, m.W: W, m.b: b_ih + b_hh, "V": V, "c": c}
