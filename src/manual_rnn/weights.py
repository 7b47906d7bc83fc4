r"""Weights on disk: safetensors under PyTorch's names, which ``torch.nn.RNN``, ``LSTM`` and ``GRU`` take as they are.

====================  ==================================  =====================================
in the file           here                                shape
====================  ==================================  =====================================
weight_ih_l0          U of each map, in the cell's order  (gates · n_hidden, n_in)
weight_hh_l0          W of each map                       (gates · n_hidden, n_hidden)
bias_ih_l0            b of each map                       (gates · n_hidden,)
bias_hh_l0            zeros; the GRU's d_n                (gates · n_hidden,)
decoder.weight        V                                   (n_out, n_hidden)
decoder.bias          c                                   (n_out,)
====================  ==================================  =====================================

The order of the blocks is that of the cell's maps: i, f, g, o for the LSTM, r, z, n for the GRU, as in PyTorch. PyTorch
has two biases where the derivation has their sum b; what is read is added up, so weights that PyTorch has trained mean
the same here. A cell that PyTorch has not (peepholes, a made weight, a map of a node of its own step) keeps its own
names, and only the readout has PyTorch's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from manual_rnn.cell import Affine, Array, Cell
from manual_rnn.network import parameter_shapes

READOUT = {"V": "decoder.weight", "c": "decoder.bias"}


def to_torch(cell: Cell, params: Mapping[str, Array], *, of_gradients: bool = False) -> dict[str, Array]:
    """The parameters of a network by PyTorch's names; or their gradients, which both biases share."""
    readout = {tensor: np.ascontiguousarray(params[name]) for name, tensor in READOUT.items()}
    gates = _gates(cell)
    if gates is None:
        own = {name: np.ascontiguousarray(params[name]) for name in _own_names(cell)}
        return own | readout

    def second_bias(outer: Affine, inner: Affine) -> Array:
        if inner is not outer or of_gradients:
            return params[str(inner.b)]
        return np.zeros_like(params[str(outer.b)])

    return {
        "weight_ih_l0": np.concatenate([params[str(outer.U)] for outer, _ in gates]),
        "weight_hh_l0": np.concatenate([params[str(inner.W)] for _, inner in gates]),
        "bias_ih_l0": np.concatenate([params[str(outer.b)] for outer, _ in gates]),
        "bias_hh_l0": np.concatenate([second_bias(outer, inner) for outer, inner in gates]),
    } | readout


def from_torch(cell: Cell, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The parameters of a network. Raises ValueError, naming what is missing or does not fit."""
    gates = _gates(cell)
    recurrent = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0") if gates else tuple(_own_names(cell))
    if missing := [name for name in (*recurrent, *READOUT.values()) if name not in tensors]:
        raise ValueError(f"the tensors {', '.join(missing)} are missing.")
    params = {name: tensors[tensor] for name, tensor in READOUT.items()}
    if gates is None:
        return {name: tensors[name] for name in recurrent} | params
    b_ih, b_hh = tensors["bias_ih_l0"], tensors["bias_hh_l0"]
    if b_ih.shape != b_hh.shape:
        raise ValueError(f"bias_ih_l0 has the shape {b_ih.shape}, bias_hh_l0 {b_hh.shape}: they must agree.")
    uneven = [f"{name} {tensors[name].shape}" for name in recurrent if len(tensors[name]) % len(gates)]
    if uneven:
        raise ValueError(f"{', '.join(uneven)} cannot be cut into the {len(gates)} gates of the cell {cell.name!r}.")
    blocks = {name: np.split(tensors[name], len(gates)) for name in recurrent}
    for i, (outer, inner) in enumerate(gates):
        params |= {str(outer.U): blocks["weight_ih_l0"][i], str(inner.W): blocks["weight_hh_l0"][i]}
        first, second = blocks["bias_ih_l0"][i], blocks["bias_hh_l0"][i]
        params |= {str(outer.b): first + second} if inner is outer else {str(outer.b): first, str(inner.b): second}
    return params


def _gates(cell: Cell) -> list[tuple[Affine, Affine]] | None:
    """The map of the input and the map of the state of each gate, often one; None for a cell that PyTorch has not."""
    outer, inner = [m for m in cell.maps if m.U], [m for m in cell.maps if m.W]
    plain = all(m.b and not m.more and not m.now and m.of == cell.states[0] for m in cell.maps)
    if cell.weights or not plain or len(outer) != len(inner):
        return None
    return list(zip(outer, inner, strict=True))


def _own_names(cell: Cell) -> list[str]:
    return [name for name in parameter_shapes(cell, n_in=1, n_hidden=1, n_out=1) if name not in READOUT]
