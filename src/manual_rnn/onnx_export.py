r"""A trained network as an ONNX graph, which onnxruntime and others run without this package.

=====================  ================================================================================
in the graph           what it is
=====================  ================================================================================
input ``ids``          (T, B) int64, token ids; or ``x``, (T, B, n_in), where the network takes rows
inputs ``h0``, ...     the states to start from by our names (``layer2.h0``), (B, n_hidden) each
output ``logits``      o(t), (T, B, n_out)
outputs ``h``, ...     the states after each cell's last step, (B, n_hidden) each: the next call's inputs
=====================  ================================================================================

T and B are free. The layers are the operators RNN, LSTM and GRU of ONNX, whose gates lie in another order than
PyTorch's: i, o, f, c for the LSTM (c is our g) and z, r, h for the GRU (h is our n). What has no such operator is
refused. All is float32, the one format that onnxruntime computes these operators in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from manual_rnn.cell import Array, Cell
from manual_rnn.network import Network, widths

OPSET, IR = 17, 8
"""Of 2022, so that runtimes which are some years old read it."""

SIMPLE = {
    "rnn": "Tanh", "rnn_orthogonal": "Tanh", "rnn_relu": "Relu", "rnn_sigmoid": "Sigmoid", "rnn_identity": "Affine",
}  # fmt: skip
"""The cells that are the operator RNN, with its activation."""
GATES = {"lstm": "iofg", "lstm_peephole": "iofg", "gru": "zrn", "gru_reset_before": "zrn"}
"""Those of LSTM and GRU, with the order of the gates, by our names."""


def to_onnx(
    model: Cell | Network,
    params: Mapping[str, Array],
    *,
    tokens: bool = True,
    metadata: Mapping[str, str] | None = None,
) -> Any:
    """The ``onnx.ModelProto`` of a network; ``metadata`` is kept in it as it is.

    Raises ValueError for a cell that ONNX has no operator for, ModuleNotFoundError without the extra "onnx".
    """
    onnx = _onnx()
    network = Network.of(model)
    for cell in network.cells:
        if cell.name not in SIMPLE | GATES:
            raise ValueError(
                f"ONNX has no operator for the cell {cell.name!r}; it has them for {', '.join(SIMPLE | GATES)}."
            )
    graph = _Graph(onnx)
    n_in, n_hidden, n_out = widths(network, params)
    if tokens:
        graph.input("ids", onnx.TensorProto.INT64, ("T", "B"))
        depth, values = graph.constant("n_in", n_in), graph.constant("off_on", [0.0, 1.0])
        rows = graph.node("OneHot", ["ids", depth, values])
    else:
        rows = graph.input("x", onnx.TensorProto.FLOAT, ("T", "B", n_in))
    params = {**params, **{w.name: w.forward(params[w.of]) for c in network.cells for w in c.weights}}
    for layer in network.layers:
        rows = _layer(graph, layer, params, rows, n_hidden)
    V, c = graph.constant("decoder.weight", params["V"].T), graph.constant("decoder.bias", params["c"])
    graph.node("Add", [graph.node("MatMul", [rows, V]), c], to="logits")
    graph.output("logits", ("T", "B", n_out))
    for cell in network.cells:
        for state in cell.states:
            graph.output(cell.prefix + state, ("B", n_hidden))
    return graph.finished(network.name, metadata or {})


def _layer(graph: _Graph, layer: tuple[Cell, ...], params: Mapping[str, Array], rows: str, n: int) -> str:
    """Adds one operator for the cells of a layer, forward first; returns what the layer above sees, (T, B, n · k)."""
    first, directions = layer[0], len(layer)
    tensors = {name: np.stack([of_cell[name] for of_cell in (_tensors(cell, params) for cell in layer)])
               for name in _tensors(first, params)}  # fmt: skip
    place = first.prefix or "layer1."
    weights = [graph.constant(f"{place}{name}", array) for name, array in tensors.items()]
    initial = [
        graph.node("Concat", [graph.unsqueezed(graph.state(f"{cell.prefix}{state}0", n)) for cell in layer], axis=0)
        for state in first.states  # h, then c
    ]
    peepholes, weights = weights[3:], weights[:3]
    made = graph.several(
        _operator(first), [rows, *weights, "", *initial, *peepholes], outputs=1 + len(first.states),
        hidden_size=n, direction="forward" if directions == 1 else "bidirectional", **_settings(first, directions),
    )  # fmt: skip
    for state, last in zip(first.states, made[1:], strict=True):
        for k, cell in enumerate(layer):
            graph.node("Gather", [last, graph.constant(f"{k}", k)], to=cell.prefix + state, axis=0)
    beside = graph.node("Transpose", [made[0]], perm=[0, 2, 1, 3])  # (T, k, B, n) to (T, B, k, n)
    return graph.node("Reshape", [beside, graph.constant(f"{place}shape", [0, 0, directions * n])])


def _operator(cell: Cell) -> str:
    return "RNN" if cell.name in SIMPLE else cell.name.partition("_")[0].upper()


def _settings(cell: Cell, directions: int) -> dict[str, Any]:
    if cell.name == "rnn_identity":
        return {"activations": ["Affine"] * directions, "activation_alpha": [1.0] * directions,
                "activation_beta": [0.0] * directions}  # fmt: skip
    if cell.name in SIMPLE:
        return {"activations": [SIMPLE[cell.name]] * directions}
    return {"linear_before_reset": int(cell.name == "gru")} if "gru" in cell.name else {}


def _tensors(cell: Cell, params: Mapping[str, Array]) -> dict[str, Array]:
    """W, R, B and, with peepholes, P of ONNX: of the input, the state, both biases, and by element."""

    def of(name: str) -> Array:
        return params[f"{cell.prefix}{name}"]

    if cell.name in SIMPLE:
        return {"W": of("U"), "R": of("W"), "B": np.concatenate([of("b"), np.zeros_like(of("b"))])}
    gates = GATES[cell.name]
    second = {k: np.zeros_like(of(f"b_{k}")) for k in gates} | ({"n": of("d_n")} if cell.name == "gru" else {})
    found = {
        "W": np.concatenate([of(f"U_{k}") for k in gates]),
        "R": np.concatenate([of(f"W_{k}") for k in gates]),
        "B": np.concatenate([*(of(f"b_{k}") for k in gates), *(second[k] for k in gates)]),
    }
    return found | ({"P": np.concatenate([of(f"p_{k}") for k in "iof"])} if cell.name == "lstm_peephole" else {})


class _Graph:
    """The parts of a graph as they are added, each under a name of its own."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.constants: dict[str, Any] = {}

    def input(self, name: str, kind: int, shape: tuple[Any, ...]) -> str:
        self.inputs.append(self.onnx.helper.make_tensor_value_info(name, kind, shape))
        return name

    def state(self, name: str, n: int) -> str:
        return self.input(name, self.onnx.TensorProto.FLOAT, ("B", n))

    def output(self, name: str, shape: tuple[Any, ...]) -> None:
        self.outputs.append(self.onnx.helper.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, shape))

    def constant(self, name: str, value: Any) -> str:
        array = np.asarray(value)
        array = np.ascontiguousarray(array, np.int64 if array.dtype.kind == "i" else np.float32).reshape(array.shape)
        self.constants.setdefault(name, self.onnx.numpy_helper.from_array(array, name))
        return name

    def unsqueezed(self, name: str) -> str:
        return self.node("Unsqueeze", [name, self.constant("first_axis", [0])])

    def node(self, operator: str, inputs: list[str], to: str | None = None, **settings: Any) -> str:
        to = to or f"{operator.lower()}_{len(self.nodes)}"
        return self._add(operator, inputs, [to], settings)[0]

    def several(self, operator: str, inputs: list[str], outputs: int, **settings: Any) -> list[str]:
        """A node with several outputs."""
        names = [f"{operator.lower()}_{len(self.nodes)}_{k}" for k in range(outputs)]
        return self._add(operator, inputs, names, settings)

    def _add(self, operator: str, inputs: list[str], names: list[str], settings: dict[str, Any]) -> list[str]:
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, names, **settings))
        return names

    def finished(self, name: str, metadata: Mapping[str, str]) -> Any:
        from manual_rnn import __version__

        helper = self.onnx.helper
        graph = helper.make_graph(self.nodes, name, self.inputs, self.outputs, [*self.constants.values()])
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="manual-rnn",
            producer_version=__version__,
        )  # fmt: skip
        helper.set_model_props(model, dict(metadata))
        self.onnx.checker.check_model(model, full_check=True)
        return model


def _onnx() -> Any:
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ModuleNotFoundError:
        raise ModuleNotFoundError('The export needs ONNX: pip install "manual-rnn[onnx]".') from None
    return onnx
