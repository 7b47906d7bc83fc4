"""What a study is: configurations as JSON, keys, seeds, versions of the code, numbers there and back."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manual_rnn.studies import Study, choice, grid, log_uniform, sample, summarise, uniform
from manual_rnn.studies.intervals import interval, student_t
from manual_rnn.studies.plain import values_of
from manual_rnn.studies.record import Corrupt, Record
from manual_rnn.studies.table import rows
from manual_rnn.studies.trial import Trial
from manual_rnn.studies.version import UNKNOWN, version_in, version_of


def nothing(configuration, seed):
    return {}


def study(**changed):
    return Study(**{"name": "study", "function": nothing, "configurations": [{"gain": 1.5}], **changed})


def test_trials_are_every_configuration_with_every_seed():
    trials = study(configurations=grid(gain=(1, 2), std=(0.1, 0.2)), seeds=(0, 3)).trials()
    told = [(*trial.configuration.values(), trial.number) for trial in trials]
    assert told == [(gain, std, seed) for gain in (1, 2) for std in (0.1, 0.2) for seed in (0, 3)]
    assert len({trial.key for trial in trials}) == len({trial.seed for trial in trials}) == 8


def test_key_and_seed_are_what_they_were():
    """Results of years ago are found by them: another number here is another format."""
    (trial,) = study().trials()
    assert (trial.key, trial.seed) == ("9327effceff38c6dbfab75f7fbefdef3", 5785185304204532678)


def test_a_seed_hangs_on_its_own_configuration_alone():
    few = {trial.key: trial.seed for trial in study(configurations=grid(a=(1, 2)), seeds=(1,)).trials()}
    many = {trial.key: trial.seed for trial in study(configurations=grid(a=(3, 2, 1)), seeds=(2, 1, 0)).trials()}
    assert few.items() <= many.items()
    assert len(set(many.values())) == 9


@pytest.mark.parametrize(
    "same", [{"b": [1, 2.5], "a": None}, {"a": None, "b": (1, 2.5)}, {"a": None, "b": (np.int64(1), np.float64(2.5))}]
)
def test_a_key_is_that_of_the_content(same):
    assert study(configurations=[same]).trials() == study(configurations=[{"a": None, "b": [1, 2.5]}]).trials()


def test_the_function_is_given_a_mapping_of_its_own():
    (trial,) = study().trials()
    trial.configuration["gain"] = 2
    assert trial.configuration == {"gain": 1.5}


WRONG = {
    "a configuration that is no mapping": ({"configurations": [3]}, "A configuration is 3, of the type int"),
    "configurations that are one": ({"configurations": {"gain": 1}}, "The study's configurations are {'gain': 1}"),
    "no configurations": ({"configurations": []}, "has no configurations"),
    "a function in it": ({"configurations": [{"f": len}]}, r"A configuration\['f'\] is <built-in function len>"),
    "a set deep in it": ({"configurations": [{"a": [{"b": {1}}]}]}, r"A configuration\['a'\]\[0\]\['b'\] is {1}"),
    "infinity": ({"configurations": [{"clip": math.inf}]}, "'clip'.* is inf, .*finite"),
    "a name that is none": ({"configurations": [{1: 2}]}, "A configuration has the name 1"),
    "a configuration twice": ({"configurations": grid(a=(1, 2, 1))}, 'configuration {"a":1} is in the study .* twice'),
    "the same as NumPy has it": ({"configurations": [{"a": 1}, {"a": np.int8(1)}]}, "twice"),
    "a seed twice": ({"seeds": (1, 2, 1)}, "The seed 1 is in the study 'study' twice"),
    "a fraction as a seed": ({"seeds": (0, 1.5)}, "1.5 is among the study's seeds; they are whole numbers"),
    "a negative seed": ({"seeds": (-1,)}, "-1 is among"),
    "True as a seed": ({"seeds": (True,)}, "True is among"),
    "a count for seeds": ({"seeds": 5}, "The study's seeds are 5; expected a list"),
    "no seeds": ({"seeds": ()}, "has no seeds"),
    "a path for a name": ({"name": "../x"}, "The study's name is '../x'"),
    "none together": ({"together": 0}, "The study takes 0 trials together"),
    "a name for names": ({"alike": "units"}, "settings that have to be alike are 'units'; expected a list"),
    "no function": ({"function": 3}, "The study's function is 3"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_makes_no_study_is_one_sentence(what):
    changed, sentence = WRONG[what]
    with pytest.raises(ValueError, match=sentence) as raised:
        study(**changed)
    assert "\n" not in str(raised.value)


def test_a_larger_sample_begins_with_the_smaller_and_other_ranges_leave_a_value_alone():
    ranges = {"gain": uniform(0.5, 2), "rate": log_uniform(1e-4, 1), "cell": choice("rnn", "lstm")}
    many = sample(60, seed=3, **ranges)
    assert sample(5, seed=3, **ranges) == many[:5]
    assert [one["gain"] for one in sample(60, seed=3, gain=ranges["gain"])] == [one["gain"] for one in many]
    assert all(0.5 <= one["gain"] <= 2 and 1e-4 <= one["rate"] <= 1 for one in many)
    assert {one["cell"] for one in many} == {"rnn", "lstm"}
    assert 15 < sum(one["rate"] < 1e-2 for one in many) < 45  # half of the decades
    assert len(study(configurations=many).trials()) == 60


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: grid(a=3), "The axis 'a' of the grid is 3"),
        (lambda: grid(a="rnn"), "The axis 'a' of the grid is 'rnn'"),
        (lambda: sample(0, a=uniform(0, 1)), "The sample has 0"),
        (lambda: sample(2, a=(0, 1)), r"The range of 'a' is \(0, 1\)"),
        (lambda: uniform(2, 1), "from 2 to 1"),
        (lambda: log_uniform(0, 1), "begins at 0"),
        (choice, "no values"),
    ],
)
def test_ranges_that_are_none_are_told(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()


SOURCE = '''
"""A page."""
import numpy as np
from pathlib import Path as P

SCALE = 2
OTHER = 3

RATES = {}
RATES["sgd"] = 0.1

try:
    import scipy
except ImportError:
    def factor():
        return 7
else:
    def factor():
        return 8

def helper(x):
    return SCALE * x * factor() * RATES["sgd"]

def unused(x):
    return OTHER

@decorated
def f(configuration, seed):
    """What it does."""
    return {"x": helper(np.sum(configuration["a"]))}  # a comment

STUDY = Study(function=f, configurations=grid(a=(1, 2)))
'''
SAME = {
    "the grid": ("grid(a=(1, 2))", "grid(a=(1, 2, 3))"),
    "a comment": ("# a comment", "# another"),
    "a docstring": ("What it does.", "What else."),
    "blank lines": ("def helper", "\n\ndef helper"),
    "brackets": ("return SCALE * x", "return (SCALE\n        * x)"),
    "what it does not use": ("OTHER = 3", "OTHER = 4"),
    "an import that it does not use": ("Path as P", "PurePath as P"),
}
OTHER = {
    "its body": ('{"x": ', '{"y": '),
    "what it calls": ("SCALE * x", "SCALE + x"),
    "a constant of what it calls": ("SCALE = 2", "SCALE = 3"),
    "an import": ("import numpy as np", "import jax.numpy as np"),
    "what is put into a mapping": ('["sgd"] = 0.1', '["sgd"] = 0.2'),
    "a function under a condition": ("return 7", "return 9"),
    "a decorator": ("@decorated\n", ""),
}


@pytest.mark.parametrize("what", SAME)
def test_what_does_not_count_as_code(what):
    assert SAME[what][0] in SOURCE
    assert version_in(SOURCE.replace(*SAME[what]), "f") == version_in(SOURCE, "f") != UNKNOWN


@pytest.mark.parametrize("what", OTHER)
def test_what_counts_as_code(what):
    assert OTHER[what][0] in SOURCE
    assert version_in(SOURCE.replace(*OTHER[what]), "f") not in (version_in(SOURCE, "f"), UNKNOWN)


def test_the_version_is_the_same_on_every_python(monkeypatch):
    monkeypatch.setattr("manual_rnn.studies.version.__version__", "0")
    body = 'return {"x": f"{c[\'a\']!r:>{3}}", "y": [*c], **{}, "z": lambda a, /, *b: a}'
    source = f'def f(c, seed):\n    "Told."\n    {body}\n'
    assert version_in(source, "f") == "14fb62bf"


def test_a_function_without_source_has_no_version(tmp_path):
    scope = {}
    exec("def f(configuration, seed): return {}", scope)
    assert version_of(scope["f"]) == version_of(len) == version_in("no python", "f") == UNKNOWN
    assert version_of(nothing) not in (UNKNOWN, version_of(study))


numbers = st.integers(-(2**70), 2**70) | st.floats()
values = st.recursive(numbers, lambda inner: st.lists(inner, max_size=3), max_leaves=8)


@given(st.dictionaries(st.text(max_size=5), values, max_size=4))
def test_numbers_come_back_to_the_last_bit(found):
    (trial,) = study().trials()
    record = Record(trial, values_of(found), "0" * 8, None)
    content = record.to_bytes()
    back = Record.from_bytes(content, trial.key)
    assert repr(dict(sorted(back.values.items()))) == repr(dict(sorted(found.items())))  # of nan and -0.0, too
    assert back.to_bytes() == content
    json.loads(content, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_numpys_numbers_are_numbers():
    found = values_of({"a": np.float32(0.1), "b": np.arange(3), "c": np.bool_(True), "d": (1, np.float64(2.5))})
    assert repr(found) == "{'a': 0.10000000149011612, 'b': [0, 1, 2], 'c': 1, 'd': [1, 2.5]}"


@pytest.mark.parametrize("wrong", [None, 3.0, [1], {1: 2.0}, {"a": "1"}, {"a": None}, {"a": 1j}, {"a": {"b": 1}}])
def test_what_is_no_result_is_told(wrong):
    with pytest.raises(ValueError, match=r"The function returned .* expected"):
        values_of(wrong)


def nested(depth):
    return [nested(depth - 1)] if depth else 1.5


ENDLESS = []
ENDLESS.append(ENDLESS)
TOO_MUCH = {
    "digits": (10**5000, "a whole number of 16610 bits as 'a', which is too long"),
    "depth": (nested(65), "lists more than 64 deep as 'a'"),
    "no end": (ENDLESS, "lists more than 64 deep as 'a'"),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_no_file_can_hold_is_told_before_it_is_written(what):
    given, sentence = TOO_MUCH[what]
    with pytest.raises(ValueError, match=f"The function returned {sentence}") as raised:
        values_of({"a": given})
    assert "\n" not in str(raised.value)
    (trial,) = study().trials()
    most = {"a": nested(64), "b": 10**4299}
    assert Record.from_bytes(Record(trial, values_of(most), "0" * 8, None).to_bytes(), trial.key).values == most


def test_every_changed_byte_of_a_result_is_seen():
    (trial,) = study().trials()
    content = Record(trial, {"x": 0.25, "y": [1.5, math.inf]}, "abcdef01", "c0ffee").to_bytes()
    for i in range(len(content) - 1):  # the last is the end of the line
        for byte in (content[i] ^ 1, 0x30):
            if byte != content[i]:
                with pytest.raises(Corrupt):
                    Record.from_bytes(content[:i] + bytes([byte]) + content[i + 1 :], trial.key)
        with pytest.raises(Corrupt):
            Record.from_bytes(content[:i], trial.key)
    with pytest.raises(Corrupt, match="another trial"):
        Record.from_bytes(content, "0" * 32)


def test_the_interval_is_students():
    from scipy import stats

    for degrees in (*range(1, 40), 99, 1000):
        assert student_t(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-10)  # 2e-11 off in SciPy 1.15
    assert student_t(1) == pytest.approx(math.tan(0.475 * math.pi), rel=1e-12)
    assert student_t(2) == pytest.approx(0.95 * math.sqrt(2 / (1 - 0.95**2)), rel=1e-12)
    assert interval([1.0, 2.0, 6.0]).mean == 3
    assert interval([1.0, 2.0, 6.0]).half == pytest.approx(stats.t.ppf(0.975, 2) * np.std([1, 2, 6], ddof=1) / 3**0.5)
    assert interval([2.0]).half is None
    assert math.isnan(interval([1.0, math.nan]).mean)
    assert interval([1.0, math.inf]).mean == math.inf


def test_the_largest_floats_have_a_mean():
    """What diverges comes as far as that: a sum that is no float ended the report in an OverflowError."""
    assert interval([1e308] * 4).mean == 1e308
    assert interval([1.5e308, 1e308, -1e308]).mean == pytest.approx(0.5e308)
    assert interval([1e308, 1e308, -math.inf]).mean == -math.inf
    assert math.isnan(interval([math.inf, -math.inf]).mean)
    (told,) = rows(summarise(Record(Trial("{}", i), {"x": x}, "", None) for i, x in enumerate((-1.7e308, 1.7e308))))
    assert told["values"]["x"] == {"mean": 0, "interval": None}  # whose half is no float either


def test_the_interval_covers_what_it_says():
    """A check of the sentence "95 %": of 4000 means of four normal draws; the count's own spread is 14."""
    rng = np.random.default_rng(0)
    found = [interval(draws) for draws in rng.standard_normal((4000, 4)).tolist()]
    assert abs(sum(abs(one.mean) < one.half for one in found) - 3800) < 60


def test_summaries_are_by_configuration_over_seeds():
    records = [
        Record(Trial(text, number), {"x": number + 1, "y": [number, 2.0], "z": [0.0] * number}, "", None)
        for text in ('{"a":1}', '{"a":2}')
        for number in (0, 2)
    ]
    first, second = summarise(records)
    assert (first.configuration, second.configuration) == ({"a": 1}, {"a": 2})
    assert first.seeds == 2
    assert {name: one.mean for name, one in first.values.items()} == {"x": 2}
    assert {name: [one.mean for one in curve] for name, curve in first.curves.items()} == {"y": [1, 2]}
