"""The page of a whole backward pass: well formed, harmless, with each error beside the demand."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from cs231n import CS231N, MISTAKES, changed, cs231n
from manual_rnn.html_report import render
from manual_rnn.html_report.pass_section import Strip, relative
from manual_rnn.testing import Target, check_target, complex_step
from manual_rnn.testing.passes.backward_report import Check
from manual_rnn.testing.passes.pass_report import PassReport
from strangers import rnn_forward
from test_html_report import Page
from test_html_report import right as right_cell


@cache
def report(mistake=None):
    backward = cs231n if mistake is None else changed(*MISTAKES[mistake])
    target = Target(backward=backward, against=complex_step(rnn_forward), loss="random", layout=CS231N)
    return PassReport.of("mine", check_target(target, examples=6))


@pytest.mark.parametrize("mistake", [None, "carry dropped"])
def test_the_page_is_well_formed_and_shows_every_gradient_and_promise(mistake):
    found = report(mistake)
    text = render([found])
    page = Page(text)
    for gradient in found.equations:
        assert f"<code>{gradient.name}</code>" in text
    for promise in found.preflight:
        assert f"<b>{promise.name}</b>" in text
    for sentence in found.diagnosis:
        assert sentence in page.text
    assert page.tags.count("svg") == len(found.equations)
    assert sum(name == "aria-label" for tag, name, _ in page.attributes if tag == "svg") == len(found.equations)
    assert not re.search(r"https?:|url\(|@import", text)
    assert ("Every gradient agrees" in page.text) == (mistake is None)
    assert ("To see your numbers beside the right ones" in page.text) == (mistake is not None)


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}"])
def test_what_a_user_names_is_text_and_never_part_of_the_page(evil):
    found = report("carry dropped")
    equations = tuple(replace(g, check=replace(g.check, name=evil, message=evil), label=evil) for g in found.equations)
    promise = Check(evil, "wrong", evil, details=evil)
    texts = {"name": evil, "source": evil, "reproduce": evil, "notes": (evil,), "explained": (evil,)}
    page = Page(render([replace(found, equations=equations, preflight=(promise,), **texts)] * 2))
    assert page.text.count(evil) > 10
    assert not {"script", "img"} & set(page.tags)


@pytest.mark.parametrize(
    ("reports", "headline"),
    [
        ([report()], "Every gradient agrees"),
        ([report(), report("carry dropped")], "1 of 2 targets disagree"),
        ([report("carry dropped")], "5 of 5 gradients are wrong"),
        ([replace(report(), preflight=(Check("runs", "wrong", "it raised"),))], "it failed on some cases"),
        ([replace(report(), preflight=(Check("finite", "wrong", "NaN"),))], "not all promises are kept"),
        ([right_cell(), report()], "Every gradient agrees"),
        ([], "No target came to a verdict"),
    ],
)
def test_the_head_of_the_page_says_what_it_comes_to(reports, headline):
    text = render(reports)
    assert headline in text
    good = "agrees" in headline
    assert ('class="top ok"' in text) == good


@pytest.mark.parametrize(
    ("error", "words"),
    [(0.0, "0"), (1.6e-15, "1.6·10⁻¹⁵"), (0.5, "50 %"), (84.0, "84.0 ×"), (np.inf, "not finite")],
)
def test_an_error_is_told_as_one_compares_it_and_stands_on_its_side_of_the_demand(error, words):
    assert relative(error) == words
    gradient = report().equations[0]
    strip = Strip.of(replace(gradient, check=replace(gradient.check, max_relative_error=error)))
    assert (strip.x > strip.demand) == (error > 1e-12)
    assert 0 < strip.x <= strip.WIDTH
