"""The page of a verdict: whole, harmless, readable without network or script, right about where the error is."""

import os
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

import manual_rnn
from manual_rnn import cells
from manual_rnn.cell import Cell
from manual_rnn.cli.app import main
from manual_rnn.formulas import formula
from manual_rnn.html_report import check_place, render, write
from manual_rnn.html_report.heat_map import rows
from manual_rnn.html_report.mathml import equation, mathml
from manual_rnn.testing import Sizes, Spec, judge
from manual_rnn.testing.local import bound_for
from manual_rnn.testing.profile import COLUMNS
from mistakes import MISTAKES
from planting import planted
from reference import autodiff

RNN = cells.get("rnn")
GRADIENTS = ["o", "h", "a", "c", "b", "V", "W", "U", "h0", "x"]
EQUATIONS = ["a", "h", "o", "loss", *(f"grad_{name}" for name in GRADIENTS)]
SPECS = [Spec("ordinary", sizes, "float64", 3, 50) for sizes in (Sizes(2, 2, 3, 5, 4), Sizes(40, 2, 3, 8, 5))]
NEVER_CLOSED = {"meta", "br", "wbr", "col", "link", "img", "input", "hr"}
CHROMIUM = shutil.which("chromium")


@cache
def right():
    return judge(RNN, autodiff("rnn"), SPECS).report()


@pytest.fixture
def wrong(tmp_path):
    def report(what):
        (mistake,) = [mistake for mistake in MISTAKES if mistake.what == what]
        with planted(mistake, tmp_path) as package:
            cell, manual = package.cells.get("rnn"), package.gradients.forward_and_backward
            return judge(cell, autodiff("rnn"), SPECS, manual=manual).report(["the diagnosis"])

    return report


class Page(HTMLParser):
    """What a page consists of; a tag that is not closed, or closed twice, is an error."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self._open = [], [], "", []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in NEVER_CLOSED:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data


def row_of(report, name):
    (row,) = [row for row in rows(report.equations) if row.name == name]
    return row


def wrong_boxes(row):
    return [box.title.partition(":")[0] for box in row.boxes if box.css.startswith("bad")]


@pytest.mark.parametrize("what", [None, "h(t) for h(t−1)", "W for Wᵀ in the forward pass"])
def test_the_page_is_well_formed_whole_and_needs_nothing_from_elsewhere(what, wrong):
    report = right() if what is None else wrong(what)
    text = render([report])
    page = Page(text)
    for name in EQUATIONS:
        assert f"<code>{name}</code>" in text
    assert page.tags.count("math") >= 2 * len(EQUATIONS)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import", text)
    assert [value for _, name, value in page.attributes if name in ("href", "src")] == []
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_every_picture_has_its_words_and_every_table_its_headers():
    page = Page(render([right()]))
    svgs = sum(tag == "svg" for tag in page.tags)
    described = [name for tag, name, _ in page.attributes if tag == "svg" and name in ("aria-label", "aria-hidden")]
    assert len(described) == svgs > 2 * len(EQUATIONS)
    assert ("th", "scope", "col") in page.attributes
    assert ("th", "scope", "row") in page.attributes


def test_light_and_dark_and_narrow_have_styles():
    text = render([right()])
    assert "prefers-color-scheme: dark" in text
    assert "color-scheme: light dark" in text
    assert "@media (max-width" in text
    assert 'name="viewport"' in text
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert set(re.findall(r"var\((--[\w-]+)\)", style)) <= set(re.findall(r"(--[\w-]+):", style))


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "<![CDATA[<script>]]>"]
)
def test_what_a_user_names_is_text_and_never_part_of_the_page(evil):
    equations = tuple(replace(e, name=evil, label=evil, latex=rf"\text{{{evil}}} = 1") for e in right().equations)
    report = replace(right(), name=evil, diagnosis=(evil,), equations=equations)
    page = Page(render([report, report], facts={"command": evil}))
    assert evil in page.text
    assert not {"script", "img"} & set(page.tags)


def test_the_verdict_of_several_stands_in_a_summary_that_leads_to_each(wrong):
    page = Page(render([right(), wrong("h(t) for h(t−1)")]))
    assert "1 of 2 targets disagree" in page.text
    assert "B7 grad_W" in page.text
    links = [value for tag, name, value in page.attributes if (tag, name) == ("a", "href")]
    assert links == ["#target-1", "#target-2"]
    assert {link[1:] for link in links} <= {value for _, name, value in page.attributes if name == "id"}


def test_a_right_cell_has_no_wrong_box():
    assert [wrong_boxes(row) for row in rows(right().equations)] == [[]] * len(EQUATIONS)
    assert "Every equation agrees" in render([right()])


@pytest.mark.parametrize(
    ("what", "name", "steps"),
    [
        ("carry dropped at the first step only", "grad_h", ["t = 1"]),
        ("the readout's part counted twice at the last step", "grad_h", ["t = τ"]),
        ("h(t) for h(t−1)", "grad_W", ["summed over all steps"]),
        ("the initial state's gradient is zeros", "grad_h0", ["t = 0"]),
    ],
)
def test_the_heat_map_has_the_wrong_step_marked_and_no_other(what, name, steps, wrong):
    report = wrong(what)
    assert {row.name: wrong_boxes(row) for row in rows(report.equations) if not row.agree} == {name: steps}
    assert f"wrong at {steps[0]}" in row_of(report, name).summary or not row_of(report, name).summary.count("wrong at")
    assert "the diagnosis" in render([report])


def test_a_truncation_shows_where_it_cuts(wrong):
    places = wrong_boxes(row_of(wrong("accidental truncation after three steps"), "grad_h"))
    assert len(places) == COLUMNS - 3
    assert not {"t = τ", "t = τ − 1", "t = τ − 2"} & set(places)


def test_what_is_not_decided_is_said_to_be():
    (some, *_) = right().equations
    row = rows((replace(some, by_step=(-1.0, 0.5, *[-2.0] * (COLUMNS - 2))),))[0]
    assert [box.css for box in row.boxes] == ["open", "ok3"]
    assert row.boxes[0].title == "t = 1: not decided"


def test_the_formulas_are_those_of_the_derivation():
    derivation = re.sub(r"[&\s]", "", cells.rnn.__doc__)
    for name in EQUATIONS:
        assert re.sub(r"\s", "", formula(RNN, name)) in derivation, name


def test_a_carried_gradient_is_not_written_down_where_a_term_of_it_is_the_cells_own():
    def backward(node, prev, grad, tap):
        return {**RNN.backward(node, prev, grad, tap), "h_prev": 0.5 * grad.h}

    leaky = Cell("leaky", RNN.forward, backward)
    assert formula(leaky, "grad_h") is None
    assert formula(leaky, "grad_W") == formula(RNN, "grad_W")
    assert formula(replace(leaky, latex={"grad_h": "own"}), "grad_h") == "own"


def test_latex_that_is_none_is_shown_as_it_is():
    assert mathml(r"\text{<b>bold</b>}") == r"<code>\text{&lt;b&gt;bold&lt;/b&gt;}</code>"
    assert mathml(r"\left( 1") == r"<code>\left( 1</code>"
    own = Cell("own", RNN.forward, RNN.backward)
    assert formula(own, "grad_a") is None
    assert formula(own, "grad_W") == formula(RNN, "grad_W")


def test_a_line_can_break_between_the_terms_of_a_sum_and_nowhere_else():
    def lines(latex):
        return [Page(line).text for line in equation(latex).split("<wbr>")]

    assert lines(r"a = -b (c + d) + e^{f + g} - h") == ["a=−b(c+d)", "+ef+g", "−h"]
    assert lines(r"a = - b, \quad c = [d + e)") == ["a=−b, c=[d+e)"]
    assert equation("a + b").count('<mo form="infix">+</mo>') == 1


def test_the_bound_that_the_page_tells_is_the_one_that_is_judged_by():
    assert Page(render([right()])).text.count(f"{bound_for(0):.0f} units and one for each term") == 1


@pytest.mark.parametrize("place", ["missing/report.html", "."])
def test_a_place_that_cannot_be_written_to_is_said_before_the_judging(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("manual_rnn.cli.verify_own.judge_all", lambda *_, **__: pytest.fail("it began to judge"))
    assert main(["verify", "rnn", "--report", str(tmp_path / place)]) == 3
    assert "cannot be written" in capsys.readouterr().err


def test_a_page_replaces_the_one_before_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "report.html"
    check_place(path)
    assert list(tmp_path.iterdir()) == []
    for text in ("one", "two ∇"):
        write(path, text)
    assert path.read_text(encoding="utf-8") == "two ∇"
    assert list(tmp_path.iterdir()) == [path]


def test_the_command_line_writes_it(tmp_path, capsys):
    path = tmp_path / "report.html"
    assert main(["verify", "rnn_identity", "--examples", "8", "--json", "--report", str(path)]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    text = Page(path.read_text(encoding="utf-8")).text
    assert "rnn_identity" in text
    assert manual_rnn.__version__ in text


def browser(tmp_path, text, *arguments):
    """What Chromium prints on a page."""
    write(tmp_path / "report.html", text)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [CHROMIUM, *flags, *arguments, (tmp_path / "report.html").as_uri()]
    return subprocess.run(command, check=True, capture_output=True, timeout=120, env=dict(os.environ)).stdout


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize(("scheme", "dark"), [(0, True), (1, False)])
def test_a_browser_draws_it_light_and_dark(scheme, dark, tmp_path):
    picture = tmp_path / "page.png"
    flags = [f"--blink-settings=preferredColorScheme={scheme}", "--window-size=390,800", f"--screenshot={picture}"]
    browser(tmp_path, render([right()]), *flags)
    image = pytest.importorskip("matplotlib.image").imread(picture)
    assert image.shape[1] == 390
    assert (image[..., :3].mean() < 0.5) == dark
    assert Path(picture).stat().st_size > 20_000


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize(("width", "height"), [(500, 330), (1030, 200), (1200, 160)])
def test_long_formulas_stay_inside_the_page_and_leave_room_for_the_rest(width, height, tmp_path):
    long = [formula(cells.get("lstm"), "grad_h"), rf"\mathit{{{'unbreakable' * 20}}}"]
    equations = tuple(replace(e, latex=long[number % 2]) for number, e in enumerate(right().equations))
    measure = """<script>
        const rows = [...document.querySelectorAll(".equations tbody tr")].map(row => row.offsetHeight);
        document.title = `measured ${document.documentElement.scrollWidth} ${Math.max(...rows)}.`;
    </script>"""
    page = re.sub('<meta http-equiv="Content-Security-Policy".*?>', "", render([replace(right(), equations=equations)]))
    printed = browser(tmp_path, page + measure, f"--window-size={width},3000", "--dump-dom").decode()
    (measured,) = re.findall(r"<title>measured (\d+) (\d+)\.</title>", printed)
    assert int(measured[0]) <= width
    assert int(measured[1]) < height
