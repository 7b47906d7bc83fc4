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
the same here. In a network of several layers the names end with l1, l2 and so on, and with ``_reverse`` for the cell
that goes back in time. A cell that PyTorch has not (peepholes, a made weight, a map of a node of its own step) keeps
its own names, as a learned initial state does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from manual_rnn.cell import Affine, Array, Cell, shapes_of_cell
from manual_rnn.network import Network

Gates = list[tuple[Affine, Affine]]
TENSORS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
READOUT = {"V": "decoder.weight", "c": "decoder.bias"}


def to_torch(model: Cell | Network, params: Mapping[str, Array], *, of_gradients: bool = False) -> dict[str, Array]:
    """The parameters of a network by PyTorch's names; or their gradients, which both biases share."""
    network = Network.of(model)
    found: dict[str, Array] = {}
    for cell, suffix in _placed(network):
        gates = _gates(cell)
        if gates is None:
            found |= {name: np.ascontiguousarray(params[name]) for name in _own_names(cell)}
        else:
            found |= _to_torch(gates, params, suffix, of_gradients=of_gradients)
    own = {name: params[name] for name in network.learned.values()}
    return found | own | {tensor: np.ascontiguousarray(params[name]) for name, tensor in READOUT.items()}


def _to_torch(
    gates: Gates, params: Mapping[str, Array], suffix: str, *, of_gradients: bool
) -> dict[str, Array]:
    def second_bias(outer: Affine, inner: Affine) -> Array:
        if inner is not outer or of_gradients:
            return params[str(inner.b)]
        return np.zeros_like(params[str(outer.b)])

    return {
        f"weight_ih_{suffix}": np.concatenate([params[str(outer.U)] for outer, _ in gates]),
        f"weight_hh_{suffix}": np.concatenate([params[str(inner.W)] for _, inner in gates]),
        f"bias_ih_{suffix}": np.concatenate([params[str(outer.b)] for outer, _ in gates]),
        f"bias_hh_{suffix}": np.concatenate([second_bias(outer, inner) for outer, inner in gates]),
    }


def from_torch(model: Cell | Network, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The parameters of a network. Raises ValueError, naming what is missing, unknown or does not fit."""
    network = Network.of(model)
    same = {name: name for name in network.learned.values()} | READOUT
    of_torch: list[tuple[Cell, Gates, list[str]]] = []
    for cell, suffix in _placed(network):
        if gates := _gates(cell):
            of_torch.append((cell, gates, [f"{tensor}_{suffix}" for tensor in TENSORS]))
        else:
            same |= {name: name for name in _own_names(cell)}
    wanted = [*(name for *_, names in of_torch for name in names), *same.values()]
    if missing := [name for name in wanted if name not in tensors]:
        raise ValueError(f"the tensors {', '.join(missing)} are missing.")
    if unknown := sorted(set(tensors) - set(wanted)):
        raise ValueError(
            f"the tensors {', '.join(unknown)} are none of the parameters of {network.name}; "
            "they may be those of more layers, of both directions, or of a learned initial state."
        )
    params = {name: tensors[tensor] for name, tensor in same.items()}
    for cell, gates, names in of_torch:
        params |= _from_torch(cell, gates, {name: tensors[name] for name in names})
    return params


def _from_torch(cell: Cell, gates: Gates, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """One cell's parameters from its four tensors, in the order of PyTorch."""
    (ih, b_ih), (hh, b_hh) = list(tensors.items())[2:]
    if b_ih.shape != b_hh.shape:
        raise ValueError(f"{ih} has the shape {b_ih.shape}, {hh} {b_hh.shape}: they must agree.")
    uneven = [f"{name} {array.shape}" for name, array in tensors.items() if len(array) % len(gates)]
    if uneven:
        raise ValueError(f"{', '.join(uneven)} cannot be cut into the {len(gates)} gates of the cell {cell.name!r}.")
    params: dict[str, Array] = {}
    blocks = (np.split(array, len(gates)) for array in tensors.values())
    for (outer, inner), U, W, first, second in zip(gates, *blocks, strict=True):
        params |= {str(outer.U): U, str(inner.W): W}
        params |= {str(outer.b): first + second} if inner is outer else {str(outer.b): first, str(inner.b): second}
    return params


def _placed(network: Network) -> Iterable[tuple[Cell, str]]:
    """Each cell with what PyTorch's names end with: l0, l0_reverse, l1."""
    for k, layer in enumerate(network.layers):
        for cell in layer:
            yield cell, f"l{k}_reverse" if cell.reverse else f"l{k}"


def _gates(cell: Cell) -> Gates | None:
    """The map of the input and the map of the state of each gate, often one; None for a cell that PyTorch has not."""
    outer, inner = [m for m in cell.maps if m.U], [m for m in cell.maps if m.W]
    plain = all(m.b and not m.more and not m.now and m.of == cell.states[0] for m in cell.maps)
    if cell.weights or not plain or len(outer) != len(inner):
        return None
    return list(zip(outer, inner, strict=True))


def _own_names(cell: Cell) -> list[str]:
    return list(shapes_of_cell(cell, n_in=1, n_hidden=1))
