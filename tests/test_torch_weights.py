"""Weights between a run folder and PyTorch, by safetensors files alone: values and outputs are equal, both ways."""

import numpy as np
import pytest

from manual_rnn import cells, initialise, layers, readout, stack, training
from manual_rnn.network import Network, start_states
from manual_rnn.options import TrainingOptions
from manual_rnn.run_folder import RunFolder
from manual_rnn.runs import load
from manual_rnn.sampling import Choice, sample_texts
from manual_rnn.tape import Tape
from manual_rnn.text import Vocabulary
from manual_rnn.weights import from_torch, to_torch
from manual_rnn.windows import Windows

torch = pytest.importorskip("torch")
files = pytest.importorskip("safetensors.torch")
from safetensors.numpy import load_file as load_arrays  # noqa: E402
from safetensors.numpy import save_file as save_arrays  # noqa: E402

MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
VOCABULARY = Vocabulary("\n abcdé")
N, H = len(VOCABULARY), 9
IDS = np.random.default_rng(0).integers(0, N, 400)
ROUNDING = {"rtol": 100 * np.finfo(np.float32).eps, "atol": 100 * np.finfo(np.float32).eps}


class Model(torch.nn.Module):
    """What a user of PyTorch has: a recurrent module and a decoder, float32."""

    def __init__(self, name, *, layers=1, bidirectional=False):
        super().__init__()
        self.recurrent = MODULES[name](N, H, num_layers=layers, bidirectional=bidirectional)
        self.decoder = torch.nn.Linear(H * (1 + bidirectional), N)

    def forward(self, ids, state=None):
        h, state = self.recurrent(torch.nn.functional.one_hot(ids, N).float(), state)
        return self.decoder(h), state

    def named(self):
        """The tensors as the file names them: a recurrent module's as its own state_dict does."""
        return {name.removeprefix("recurrent."): tensor for name, tensor in self.state_dict().items()}

    def take(self, path):
        tensors = files.load_file(path)
        own = {"decoder": {}, "recurrent": {}}
        for name, tensor in tensors.items():
            own["decoder" if name.startswith("decoder.") else "recurrent"][name.removeprefix("decoder.")] = tensor
        self.recurrent.load_state_dict(own["recurrent"])
        self.decoder.load_state_dict(own["decoder"])


def run_folder(path, name, *, layers=1):
    """A run folder of some updates, and its path."""
    options = TrainingOptions(cell=name, layers=layers, hidden=H, seq_len=10, batch=3, steps=20).filled()
    model = training.start(options, N)
    config = {"version": 1, "options": options.to_json(), "text": {"sha256": "none"}}
    windows = Windows.of(IDS, T=10, B=3)
    with RunFolder.create(path, config, model, VOCABULARY) as made:
        for k in range(20):
            training.one_update(model, windows[k], lr=0.02, clip=1.0)
        made.save(model)
    return path


def our_logits(model, params, x):
    network = Network.of(model)
    shown, _ = layers.up(network, params, x, start_states(network, params, x.shape[1]), Tape(len(x)))
    return readout.forward(params["V"], params["c"], shown)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("name", MODULES)
def test_a_run_is_pytorchs_and_comes_back_the_same(name, depth, tmp_path):
    path = run_folder(tmp_path / "run", name, layers=depth)
    run, x = load(path), IDS[:60].reshape(20, 3)
    model = Model(name, layers=depth)
    model.take(path / "weights.safetensors")
    with torch.no_grad():
        logits, _ = model(torch.from_numpy(x))
    np.testing.assert_allclose(our_logits(run.network, run.params, x), logits.numpy(), **ROUNDING)

    files.save_file(model.named(), path / "weights.safetensors")
    again = load(path).params
    assert again.keys() == run.params.keys()
    for key, array in run.params.items():
        np.testing.assert_array_equal(again[key], array, err_msg=key)
        assert again[key].dtype == np.float32


@pytest.mark.parametrize("name", MODULES)
def test_both_directions_travel_in_a_file(name, tmp_path):
    network = stack(cells.get(name), layers=2, bidirectional=True)
    params = initialise(network, n_in=N, n_hidden=H, n_out=N, dtype=np.float32)
    params = {key: array + np.float32(0.01) for key, array in params.items()}  # no bias is zero
    save_arrays(to_torch(network, params), tmp_path / "ours.safetensors")
    model, x = Model(name, layers=2, bidirectional=True), IDS[:60].reshape(20, 3)
    model.take(tmp_path / "ours.safetensors")
    with torch.no_grad():
        logits, _ = model(torch.from_numpy(x))
    np.testing.assert_allclose(our_logits(network, params, x), logits.numpy(), **ROUNDING)

    files.save_file(model.named(), tmp_path / "theirs.safetensors")
    again = from_torch(network, load_arrays(tmp_path / "theirs.safetensors"))
    for key, array in params.items():
        np.testing.assert_array_equal(again[key], array, err_msg=key)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("name", MODULES)
def test_weights_of_pytorch_put_into_a_run_folder_sample_as_pytorch_does(name, depth, tmp_path):
    path = run_folder(tmp_path / "run", name, layers=depth)
    torch.manual_seed(1)
    model = Model(name, layers=depth)  # as PyTorch starts it: both biases are drawn
    with torch.no_grad():
        model.decoder.weight *= 5  # so that the likeliest character is far from the next
    assert all(model.named()[f"bias_{kind}_l0"].abs().min() > 0 for kind in ("ih", "hh"))
    files.save_file(model.named(), path / "weights.safetensors")
    run, x = load(path), IDS[:60].reshape(20, 3)

    expected, ids, state = "", torch.from_numpy(VOCABULARY.encode("bad"))[:, None], None
    with torch.no_grad():
        logits, _ = model(torch.from_numpy(x))
        for _ in range(50):
            last, state = model(ids, state)
            ids = last[-1:].argmax(-1)
            expected += VOCABULARY.characters[ids.item()]
    np.testing.assert_allclose(our_logits(run.network, run.params, x), logits.numpy(), **ROUNDING)
    rngs = [np.random.default_rng(0)]
    drawn = sample_texts(run.network, run.params, VOCABULARY, prime="bad", length=50, choice=Choice(0), rngs=rngs)
    assert "".join(character for (character,) in drawn) == expected
