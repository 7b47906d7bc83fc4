"""The measurement of false alarms: the harness itself, small. The figures are those of benchmarks/right_code.py."""

import json

import numpy as np
import pytest

import right_code
from cs231n import MISTAKES, changed
from right_passes import right_passes


@pytest.fixture
def measured(monkeypatch, tmp_path, capsys):
    """The document that the command writes, for a few forms."""

    def run(passes, forms, runs=1, examples=4):
        monkeypatch.setattr(right_code, "right_passes", lambda: passes)
        monkeypatch.setattr(right_code, "RIGHT_FORMS", forms)
        monkeypatch.setattr(right_code, "RIGHT_FORMS_OF_OTHERS", {})
        monkeypatch.setattr(right_code, "FUSED", {})
        arguments = ["--passes", str(runs), "--examples", str(examples), "--results", str(tmp_path / "new" / "r.json")]
        monkeypatch.setattr("sys.argv", ["right_code.py", *arguments])
        right_code.main()
        assert "false alarms." in capsys.readouterr().out
        return json.loads((tmp_path / "new" / "r.json").read_text(encoding="utf-8"))

    return run


def test_right_forms_raise_no_alarm_and_every_case_is_counted(measured):
    passes = {name: right_passes()[name] for name in ("CS231n", "sums in halves, float32")}
    document = measured(passes, {"1 − h²": right_code.RIGHT_FORMS["1 − h²"]}, runs=2)
    assert document["false_alarms"] == 0
    assert document["cases"] == 2 * 2 * 12 + 4
    assert [row["depth"] for row in document["rows"]] == ["whole pass", "whole pass", "equations"]
    assert all(0 < row["nearest"] < 1 for row in document["rows"])
    assert {"manual_rnn", "numpy", "jax"} <= document["versions"].keys()


def test_what_is_called_wrong_is_counted_and_told(measured):
    passes = {"wrong": right_passes()["CS231n"] | {"backward": changed(*MISTAKES["h(t) for h(t−1)"])}}
    wrong = right_code.RIGHT_FORMS["1 − h²"]
    document = measured(passes, {"1 − h²": wrong, "h": with_slope(lambda h: h)})
    alarms = {row["form"]: row["alarms"] for row in document["rows"]}
    assert "grad_Wh wrong" in alarms["wrong"][0]
    assert alarms["1 − h²"] == []
    assert "grad_a" in " ".join(alarms["h"])
    assert document["false_alarms"] == sum(map(len, alarms.values()))
    assert document["nearest"] > 1


def with_slope(slope):
    from other_forms import with_backward

    return with_backward(lambda node, grad: slope(node.h) * grad.h)


def test_there_are_many_forms_and_they_differ():
    passes = right_passes()
    assert len(passes) > 60
    x, h0, U, W, b, dh = (np.random.default_rng(k).standard_normal(s) for k, s in enumerate(
        [(5, 2, 3), (2, 4), (4, 3), (4, 4), (4,), (5, 2, 4)]
    ))  # fmt: skip
    found = {passes[n]["backward"](x=x, h0=h0, U=U, W=W, b=b, dh=dh)["W"].tobytes() for n in ("fused", "exact sums")}
    assert len(found) == 2
