"""``manual-rnn export``: a trained model as one ONNX file."""

from __future__ import annotations

import json
from pathlib import Path

from manual_rnn.errors import InputError, UsageError


def export(run: Path, file: Path, /) -> int:
    """Write a trained model as an ONNX file, which onnxruntime and others run without this package.

    It takes character ids and states and gives logits and states; the characters, in the order of their ids, stand in
    the file's metadata under "characters", as JSON.

    Args:
        run: The run folder that 'manual-rnn train' made.
        file: The file to write, FILE.onnx; one that is there is replaced.
    """
    if file.suffix != ".onnx":
        raise UsageError(f"{file} does not end with .onnx; the file to write does.")

    from manual_rnn.files import write_whole
    from manual_rnn.onnx_export import to_onnx
    from manual_rnn.runs import load

    model = load(run)
    metadata = {"characters": json.dumps(list(model.vocabulary.characters))}
    try:
        graph = to_onnx(model.network, model.params, metadata=metadata)
    except (ModuleNotFoundError, ValueError) as error:
        raise InputError(str(error)) from None
    try:
        write_whole(file, graph.SerializeToString())
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}.") from None
    opset = graph.opset_import[0].version
    print(f"{file}: {model.network.name}, {len(model.vocabulary)} characters, ONNX opset {opset}.")
    return 0
