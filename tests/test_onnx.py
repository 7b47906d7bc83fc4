"""A network as an ONNX graph: onnxruntime, and ONNX's own reference where it has the operator, give its numbers."""

import json
import sys

import numpy as np
import pytest

from manual_rnn import cells, initialise, loss_and_gradients, stack
from manual_rnn.cli.app import main
from manual_rnn.onnx_export import GATES, SIMPLE, to_onnx
from manual_rnn.runs import load

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx.reference import ReferenceEvaluator  # noqa: E402 (only where onnx is there)

T, B, N_IN, H, N_OUT = 7, 3, 5, 4, 6
NOT_IN_THE_REFERENCE = {"rnn_relu", "rnn_sigmoid"}
"""Its RNN knows two activations."""


def case(name, tokens=True, **options):
    network, rng = stack(cells.get(name), **options), np.random.default_rng(0)
    params = initialise(network, n_in=N_IN, n_hidden=H, n_out=N_OUT, seed=1, dtype=np.float32)
    params = {n: a + rng.normal(0, 0.3, a.shape).astype(np.float32) for n, a in params.items()}
    x = rng.integers(0, N_IN, (T, B)) if tokens else rng.standard_normal((T, B, N_IN)).astype(np.float32)
    initial = {n: rng.normal(0, 0.5, (B, H)).astype(np.float32) for n in network.states}
    result = loss_and_gradients(network, params, x, np.zeros((T, B), int), initial=initial)
    fed = {"ids" if tokens else "x": x} | {f"{n}0": a for n, a in initial.items()}
    return network, params, fed, {"logits": result.tape["o"], **result.state}


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=2e-6, err_msg=name)


def by_onnxruntime(model, fed):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, fed), strict=True))


@pytest.mark.parametrize("tokens", [True, False], ids=["ids", "rows"])
@pytest.mark.parametrize(
    "options", [{}, {"layers": 2}, {"layers": 2, "bidirectional": True}], ids=["one", "two", "both_ways"]
)
@pytest.mark.parametrize("name", [*SIMPLE, *GATES])
def test_onnxruntime_gives_the_same_logits_and_states(name, options, tokens):
    network, params, fed, expected = case(name, tokens, **options)
    assert_same(by_onnxruntime(to_onnx(network, params, tokens=tokens), fed), expected)


@pytest.mark.parametrize("name", [name for name in [*SIMPLE, *GATES] if name not in NOT_IN_THE_REFERENCE])
def test_the_reference_of_onnx_does_too(name):
    if "lstm" in name and tuple(map(int, onnx.__version__.split(".")[:2])) < (1, 23):
        pytest.skip("the reference evaluator of ONNX gives no state c before 1.23")
    network, params, fed, expected = case(name)
    model = to_onnx(network, params)
    outputs = [output.name for output in model.graph.output]
    assert_same(dict(zip(outputs, ReferenceEvaluator(model).run(None, fed), strict=True)), expected)


def test_its_states_go_on_where_they_ended():
    network, params, fed, expected = case("lstm")
    model = to_onnx(network, params)
    first = by_onnxruntime(model, {**fed, "ids": fed["ids"][:3]})
    rest = by_onnxruntime(model, {"ids": fed["ids"][3:], "h0": first["h"], "c0": first["c"]})
    joined = np.concatenate([first["logits"], rest["logits"]])
    assert_same({**rest, "logits": joined}, expected)


def test_a_mistaken_gate_is_seen():
    """The check itself: with two gates exchanged the numbers are others."""
    network, params, fed, expected = case("gru")
    changed = {**params, "W_r": params["W_z"], "W_z": params["W_r"]}
    with pytest.raises(AssertionError):
        assert_same(by_onnxruntime(to_onnx(network, changed), fed), expected)


@pytest.mark.parametrize("name", sorted(set(cells.names()) - set(SIMPLE) - set(GATES)))
def test_a_cell_without_an_operator_is_refused(name):
    params = initialise(cells.get(name), n_in=2, n_hidden=3, n_out=2, seed=0)
    with pytest.raises(ValueError, match=f"ONNX has no operator for the cell '{name}'; it has them for rnn, "):
        to_onnx(cells.get(name), params)


def test_metadata_is_kept():
    network, params, *_ = case("rnn")
    model = to_onnx(network, params, metadata={"characters": json.dumps(["\n", "ż"])})
    assert json.loads({p.key: p.value for p in model.metadata_props}["characters"]) == ["\n", "ż"]


def test_export_writes_what_the_run_computes(tmp_path, capsys):
    text, run, file = tmp_path / "text.txt", tmp_path / "run", tmp_path / "model.onnx"
    text.write_text("the cat sat on the mat. " * 40, encoding="utf-8")
    assert main(["train", str(text), "--out", str(run), "--cell", "gru", "--layers", "2", "--hidden", "8",
                 "--seq-len", "5", "--batch", "2", "--steps", "3"]) == 0  # fmt: skip
    capsys.readouterr()
    assert main(["export", str(run), str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: 2 layers of gru, 11 characters, ONNX opset 17.\n"
    model, ids = load(run), np.arange(11)[:, None]
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    characters = json.loads(session.get_modelmeta().custom_metadata_map["characters"])
    assert "".join(characters) == model.vocabulary.characters
    zeros = {f"layer{k}.h0": np.zeros((1, 8), np.float32) for k in (1, 2)}
    (logits,) = session.run(["logits"], {"ids": ids, **zeros})
    expected = loss_and_gradients(model.network, model.params, ids, ids).tape["o"]
    np.testing.assert_allclose(logits, expected, rtol=0, atol=2e-6)


def test_export_refuses_in_a_sentence(tmp_path, capsys, monkeypatch):
    text, run = tmp_path / "text.txt", tmp_path / "run"
    text.write_text("the cat sat on the mat. " * 40, encoding="utf-8")
    assert main(["train", str(text), "--out", str(run), "--cell", "minimal_rnn", "--hidden", "8", "--seq-len", "5",
                 "--batch", "2", "--steps", "3"]) == 0  # fmt: skip
    for given, code, sentence in (
        ([run, tmp_path / "model.pt"], 2, "model.pt does not end with .onnx"),
        ([tmp_path / "none", tmp_path / "model.onnx"], 3, "There is no run folder"),
        ([run, tmp_path / "model.onnx"], 3, "ONNX has no operator for the cell 'minimal_rnn'"),
    ):
        assert main(["export", *map(str, given)]) == code
        assert sentence in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", str(run), str(tmp_path / "model.onnx")]) == 3
    assert 'pip install "manual-rnn[onnx]"' in capsys.readouterr().err
    assert not (tmp_path / "model.onnx").exists()
