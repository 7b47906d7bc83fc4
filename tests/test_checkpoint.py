"""A checkpoint: training goes on from it to the same bits, and what is not what was written is not taken."""

import contextlib
import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from manual_rnn import cells, checkpoint, training
from manual_rnn.evaluation import last_ids
from manual_rnn.options import ADDED, TrainingOptions
from manual_rnn.run_identity import identity
from manual_rnn.sampling import sample_texts
from manual_rnn.sealed import KEY, Corrupt, sealed, unsealed
from manual_rnn.text import Vocabulary, split
from manual_rnn.training_sample import training_sample
from manual_rnn.windows import Windows
from thorough import KINDS, only_thorough

VOCABULARY = Vocabulary("abcde")
IDS = np.random.default_rng(0).integers(0, 5, 400)
STEPS = 14


def options(**changes):
    told = {"hidden": 8, "seq_len": 6, "batch": 3, "steps": STEPS, "eval_every": 5}
    return TrainingOptions(**(told | changes)).filled()


def config_of(told):
    config = {"options": told.to_json(), "text": {"sha256": "of nothing"}}
    return config | {"run": identity(config, VOCABULARY.characters)}


def written(model, told):
    return checkpoint.to_bytes(model, config_of(told), VOCABULARY)


class Killed(BaseException):
    pass


def trains(model, told, *, until=None):
    """Trains to the end, or to the moment at which ``until`` raises Killed."""
    learnt, kept = split(IDS)
    windows = Windows.of(learnt, T=told.seq_len, B=told.batch)

    def stepped(step, done):
        if step.update == until:
            raise Killed

    with contextlib.suppress(Killed):
        training.run(
            model, windows, last_ids(IDS, len(kept)), told, on_step=stepped,
            sample=lambda: training_sample(model, VOCABULARY, seed=told.seed),
        )  # fmt: skip
    return model


def bits(model):
    """All that may not differ: every array and number but the seconds."""
    told = options()
    tensors, document = unsealed(written(model, told))
    arrays = {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in tensors.items()}
    history = [{name: value for name, value in line.items() if name != "seconds"} for line in document["history"]]
    rest = {name: document[name] for name in ("update", "last", "optimiser", "dropout", "samples")}
    rngs = [np.random.default_rng(0)]
    sample = [*sample_texts(model.network, model.params, VOCABULARY, length=30, rngs=rngs)]
    return {"arrays": arrays, "history": history, "sample": sample, **rest}


CASES = [
    {},
    {"optimizer": "adagrad", "dtype": "float64"},
    {"optimizer": "sgd", "schedule": "constant", "clip": np.inf},
    {"layers": 2, "dropout": 0.4, "cell": "lstm", "schedule": "cosine"},
    {"warmup": 6, "min_lr": 0.001, "weight_decay": 0.5},
    {"accumulate": 3, "layers": 2, "dropout": 0.4},
    {"accumulate": 2, "compiled": True},
    {"patience": 2, "eval_every": 3, "lr": 0.3, "schedule": "constant"},
    {"layers": 3, "dropout": 0.4, "cell": "gru", "dtype": "float64", "init": "orthogonal"},
    {"batch": 1, "hidden": 64, "init": "orthogonal"},
    {"batch": 32, "seq_len": 2, "hidden": 64, "cell": "gru"},
    *({"cell": name, "layers": 2, "dropout": 0.2} for name in KINDS),
    {"compiled": True, "cell": "lstm", "layers": 2, "dropout": 0.2},
    *only_thorough(*({"cell": name, "dtype": "float64"} for name in cells.names())),
    *only_thorough(*({"cell": name, "compiled": True} for name in cells.names())),
]


@pytest.mark.parametrize("changes", CASES, ids=lambda case: ",".join(f"{k}={v}" for k, v in case.items()) or "default")
def test_it_goes_on_to_the_same_bits_from_wherever_it_was_left(changes):
    if changes.get("compiled"):
        pytest.importorskip("numba")
    told = options(**changes)
    undisturbed = bits(trains(training.start(told, 5), told))
    model = training.start(told, 5)
    for until in (2, 5, 9, 13, None):  # in the middle, and where an evaluation is due that is not there yet
        model = checkpoint.from_bytes(written(trains(model, told, until=until), told)).training
    assert bits(model) == undisturbed


def test_it_goes_on_from_every_update_there_is():
    told = options(layers=2, dropout=0.3)
    undisturbed = bits(trains(training.start(told, 5), told))
    model = training.start(told, 5)
    for update in range(1, STEPS + 1):
        model = checkpoint.from_bytes(written(trains(model, told, until=update), told)).training
        assert model.update == update
    assert bits(trains(model, told)) == undisturbed


def test_a_training_that_is_not_told_apart_would_be_seen(monkeypatch):
    """That the comparison above can fail: it does without any one part of what is kept."""
    told = options(layers=2, dropout=0.3, patience=3, lr=0.3, schedule="constant")
    undisturbed = bits(trains(training.start(told, 5), told))
    assert undisturbed["history"][0] == min(undisturbed["history"], key=lambda line: line["val_nats"])

    def goes_on(spoilt):
        model = trains(training.start(told, 5), told, until=7)
        found = checkpoint.from_bytes(written(model, told)).training
        spoilt(found)
        return bits(trains(found, told))

    assert goes_on(lambda found: None) == undisturbed
    for spoilt in (
        lambda found: found.params["V"].__imul__(1.5),
        lambda found: found.optimiser.m["V"].fill(0),
        lambda found: setattr(found.optimiser, "k", 1),
        lambda found: found.state["layer1.h"].fill(0),
        lambda found: found.dropout.rng.random(),
        lambda found: found.since.pop(),
        lambda found: found.history.clear(),
        lambda found: found.samples.clear(),
        lambda found: found.trace.lines.pop(),
        lambda found: found.best["V"].__imul__(1.5),
        lambda found: setattr(found, "last", training.Step(6, 1.0, 1.0)),
    ):
        assert goes_on(spoilt) != undisturbed


def test_a_run_that_is_extended_is_the_longer_run():
    short, long = (options(schedule="constant", steps=steps) for steps in (10, 20))
    model = checkpoint.from_bytes(written(trains(training.start(short, 5), short), short)).training
    assert bits(trains(model, long)) == bits(trains(training.start(long, 5), long))


def test_a_finished_training_is_done():
    told = options()
    model = trains(training.start(told, 5), told)
    before = bits(model)
    assert bits(trains(checkpoint.from_bytes(written(model, told)).training, told)) == before


def test_seconds_count_from_the_beginning_of_the_run():
    told = options(steps=None, seconds=0.05)
    model = trains(training.start(told, 5), told)
    assert model.seconds >= 0.05
    found = checkpoint.from_bytes(written(model, told)).training
    updates = found.update
    assert trains(found, told).update == updates
    longer = trains(found, options(steps=None, seconds=0.1))
    assert longer.update > updates
    assert longer.history[-1].seconds >= 0.1


def test_equal_trainings_are_equal_bytes():
    told = options()
    one, other = (trains(training.start(told, 5), told, until=4) for _ in range(2))
    one.seconds = other.seconds = 1.0
    assert len({written(model, told) for model in (one, other) for _ in range(5)}) == 1


def as_before(content):
    """A checkpoint as manual-rnn wrote it before it kept samples and steps, and knew the options of ADDED."""
    tensors, document = unsealed(content)
    tensors = {name: array for name, array in tensors.items() if name != "trace"}
    document = {name: value for name, value in document.items() if name != "samples"} | {"version": 1}
    told = {name: value for name, value in document["config"]["options"].items() if name not in ADDED}
    return sealed(tensors, document | {"config": document["config"] | {"options": told}})


def test_a_run_of_the_version_before_goes_on_to_the_same_bits():
    told = options(layers=2, dropout=0.3)
    undisturbed = bits(trains(training.start(told, 5), told))
    found = checkpoint.from_bytes(as_before(written(trains(training.start(told, 5), told, until=7), told)))
    assert found.options == told
    assert (found.training.samples, found.training.trace.lines) == ([], [])
    goes_on = trains(found.training, told)
    assert [line.update for line in goes_on.trace.lines] == [*range(8, STEPS + 1)]
    now = bits(goes_on)
    assert now["samples"] == undisturbed["samples"][1:]
    for known in (now, undisturbed):
        del known["samples"], known["arrays"]["trace"]
    assert now == undisturbed


def test_an_option_that_came_later_makes_another_run_where_it_is_used():
    plain = config_of(options())
    before = {name: value for name, value in plain["options"].items() if name not in ADDED}
    assert identity(plain | {"options": before}, VOCABULARY.characters) == plain["run"]
    others = ({"accumulate": 2}, {"min_lr": 1e-4}, {"warmup": 1}, {"weight_decay": 0.1}, {"patience": 1})
    assert len({plain["run"], *(config_of(options(**changes))["run"] for changes in others)}) == 1 + len(others)
    assert config_of(options(tensorboard=True))["run"] == plain["run"]


GOOD = written(trains(training.start(options(), 5), options(), until=7), options())


def resealed(change):
    """A checkpoint with a checksum that fits, and something else in it than a training writes."""
    tensors, document = unsealed(GOOD)
    tensors = dict(tensors)
    change(tensors, document)
    return sealed(tensors, document)


SPOILT = {
    "empty": (b"", "."),  # in the words of safetensors, which differ by version
    "a byte short": (GOOD[:-1], "."),
    "half": (GOOD[: len(GOOD) // 2], "."),
    "a bit of a number": (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "its checksum does not fit its content"),
    "a number of the text": (GOOD.replace(b'\\"seconds\\": 0', b'\\"seconds\\": 1'), "checksum"),
    "no metadata": (save({"W": np.ones(2)}), "it is no checkpoint"),
    "another key": (save({"W": np.ones(2)}, metadata={"another": "key"}), "not what a training writes"),
    "no object": (save({"W": np.ones(2)}, metadata={KEY: "[1]"}), "not what a training writes"),
    "version": (resealed(lambda t, d: d.update(version=3)), "of version 3, which this manual-rnn does not know"),
    "characters": (resealed(lambda t, d: d.update(characters="abcdf")), "not of the run that it names"),
    "no history": (resealed(lambda t, d: d.pop("history")), "not what a training writes"),
    "no samples": (resealed(lambda t, d: d.pop("samples")), "not what a training writes"),
    "no trace": (resealed(lambda t, d: t.pop("trace")), "not what a training writes"),
    "a trace of fewer columns": (
        resealed(lambda t, d: t.update(trace=t["trace"][:, 1:].copy())), "not what a training writes",
    ),
    "half of the best": (resealed(lambda t, d: t.update({"best.V": t["params.V"]})), "not what a training writes"),
    "no optimiser": (resealed(lambda t, d: d["optimiser"].clear()), "not what a training writes"),
    "dropout": (resealed(lambda t, d: d["dropout"].update(bit_generator="MT19937")), "not what a training writes"),
    "no hidden": (resealed(lambda t, d: d["config"]["options"].pop("hidden")), "not of the run"),
    "no V": (resealed(lambda t, d: t.pop("params.V")), "not what a training writes"),
    "one array more": (resealed(lambda t, d: t.update({"optimiser.r.V": t["params.V"]})), "not what a training writes"),
    "V turned": (resealed(lambda t, d: t.update({"params.V": t["params.V"].T.copy()})), "not what a training writes"),
    "state of another dtype": (
        resealed(lambda t, d: t.update({"state.h": t["state.h"].astype(float)})), "not what a training writes",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_not_what_was_written_is_told_and_not_taken(name):
    content, why = SPOILT[name]
    assert content != GOOD
    with pytest.raises(Corrupt, match=why):
        checkpoint.from_bytes(content)


def test_it_is_a_safetensors_file_that_others_read():
    assert load(GOOD)["params.W"].shape == (8, 8)
    length = int.from_bytes(GOOD[:8], "little")
    assert list(json.loads(GOOD[8 : 8 + length])["__metadata__"]) == [KEY]
