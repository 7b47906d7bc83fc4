"""The page of coloured text: nothing of a text is markup, the data are the values, nothing comes from outside."""

import base64
import json
import os
import re
import shutil

import numpy as np
import pytest

from manual_rnn.cli import units
from manual_rnn.cli.app import main
from manual_rnn.html_report.units import STATIC_UNITS, STEPS, coloured, render_units, visible
from manual_rnn.unit_following import following

TEXT = "a </script><b>&amp; \"q\"\n\tü 漢 🦜 \x01\u2028end\n" * 20


def page_of(text, values):
    return render_units(text, values, following(values, text), title="h of <rnn>", facts={"run": "a<b"})


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(0)
    made = rng.uniform(-1, 1, (len(TEXT), 20))
    made[:, 3] = 0
    made[:, 5] *= 1e-3
    return made


def test_the_data_are_the_text_and_the_values(values):
    data = data_of(page_of(TEXT, values))
    assert data["characters"] == [visible(c) for c in TEXT]
    read = np.frombuffer(base64.b64decode(data["bytes"]), np.int8).reshape(20, len(TEXT)).T / 127
    scale = np.abs(values).max(axis=0)
    np.testing.assert_allclose(read * scale, values, rtol=0, atol=scale.max() / 254 + 1e-12)
    assert {unit["unit"] for unit in data["units"]} == set(range(20))
    assert {unit["unit"]: unit["name"] for unit in data["units"]}[3] == "constant"
    assert {unit["unit"]: float(unit["scale"]) for unit in data["units"]}[5] == pytest.approx(scale[5], rel=0.06)


def test_nothing_of_the_text_is_markup_or_a_reference(values):
    page = page_of(TEXT, values)
    assert page.count("</script>") == 2
    assert "&lt;/script&gt;&lt;b&gt;&amp;amp;" in re.sub(r'</span><span class="v-?\d">', "", page)
    assert "<b>&amp;" not in page
    assert "h of &lt;rnn&gt;" in page
    assert not re.search(r"(?:src|href)=|url\(|@import|https?://|fetch\(|import\(", page)
    assert "default-src 'none'" in page


def test_without_a_script_a_dozen_units_are_there(values):
    page = page_of(TEXT, values)
    static = re.search(r"<noscript>(.*)</noscript>", page, re.S)[1]
    assert static.count('<p class="text">') == STATIC_UNITS
    classes = set(re.findall(r'class="(v-?\d)"', static))
    assert classes == {f"v{k}" for k in range(-STEPS, STEPS + 1)}
    assert all(f".{name} {{" in page for name in classes - {"v0"})


def test_runs_of_one_colour_are_one_span_and_signs_stand_for_what_cannot_be_seen():
    assert coloured("ab\n\tc", np.array([1, 1, 1, -2, -2])) == [(1, "ab↵\n"), (-2, "⇥\tc")]
    assert [visible(c) for c in "\r\x01\x85 <"] == ["␍", "␁", "\ufffd", " ", "<"]


def test_the_size_is_bounded(values):
    wide = np.tile(values, (1, 4))
    assert len(page_of(TEXT, wide)) < wide.size * 4 / 3 + STATIC_UNITS * 600 * 40 + len(TEXT) * 10 + 80 * 300 + 40_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("units")
    (folder / "text.txt").write_text("the cat <sat> on the mat.\n" * 40, encoding="utf-8")
    small = ("--hidden", 6, "--seq-len", 5, "--batch", 2, "--steps", 6, "--cell", "lstm", "--layers", 2)
    assert main([*map(str, ("train", folder / "text.txt", "--out", folder / "run", *small))]) == 0
    return folder


def told(capsys, *arguments):
    capsys.readouterr()
    code = main([*map(str, ("units", *arguments))])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_command_writes_the_page_and_json(capsys, folder):
    out = folder / "page.html"
    code, stdout, stderr = told(capsys, folder / "run", folder / "text.txt", "--out", out, "--length", 90, "--json")
    found = json.loads(stdout)
    assert (code, stderr) == (0, "")
    assert (found["state"], found["layer"], found["characters"], len(found["units"])) == ("c", 2, 1040, 6)
    page = out.read_text(encoding="utf-8")
    assert "tanh c of lstm, layer 2 of 2, 6 units" in page
    assert len(data_of(page)["characters"]) == 90


def test_a_text_whose_name_is_no_unicode_has_its_page(capsys, folder):
    text, out = folder / os.fsdecode(b"caf\xe9.txt"), folder / "named.html"
    try:
        shutil.copy(folder / "text.txt", text)
    except OSError:
        pytest.skip("no file may be called so here")
    assert told(capsys, folder / "run", text, "--out", out, "--length", 90)[0] == 0
    assert "caf\\udce9.txt" in out.read_text(encoding="utf-8")


def test_a_sample_has_its_seed_and_its_state_and_layer(capsys, folder, monkeypatch):
    monkeypatch.setattr(units, "READ", 300)
    pages = []
    for seed in (0, 0, 1):
        out = folder / "sample.html"
        given = ("--length", 200, "--seed", seed, "--state", "h", "--layer", 1)
        code, stdout, _ = told(capsys, folder / "run", "--out", out, *given)
        assert code == 0
        assert "h of lstm, layer 1 of 2" in stdout
        pages.append(data_of(out.read_text(encoding="utf-8")))
    assert pages[0] == pages[1] != pages[2]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "sentence"),
    [
        (("--state", "z"), 2, "have h and c"),
        (("--layer", "3"), 2, "the model has 2"),
        (("--length", "0"), 2, "at least 1"),
        (("--seed", "-1"), 2, "at least 0"),
        (("--length", "9999999"), 2, "holds at most 3333333 characters"),
        (("{}/none.txt",), 3, "There is no text file"),
        (("{}/empty.txt",), 3, "is empty"),
        (("{}/unseen.txt",), 3, "has never seen 'Z'"),
        (("{}/binary.txt",), 3, "is binary"),
        (("--out", "{}"), 3, "it is a folder"),
        (("--out", "{}/" + 300 * "n"), 3, "The report cannot be written"),
        (("--out", "{}/" + 300 * "n" + "/a.html"), 3, "there is no folder"),
    ],
)
def test_mistakes_are_sentences_and_leave_no_page(capsys, folder, arguments, exit_code, sentence):
    (folder / "empty.txt").write_text("", encoding="utf-8")
    (folder / "unseen.txt").write_text("the Z", encoding="utf-8")
    (folder / "binary.txt").write_bytes(b"a\0b")
    given = [argument.format(folder) for argument in arguments]
    place = () if "--out" in given else ("--out", folder / "not.html")
    code, stdout, stderr = told(capsys, folder / "run", *given, *place)
    assert (code, stdout) == (exit_code, "")
    assert sentence in stderr
    assert len(stderr.splitlines()) == 1
    assert not (folder / "not.html").exists()
