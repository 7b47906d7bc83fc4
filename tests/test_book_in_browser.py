"""The built book in a real browser, from the file system; what it would not find is no check, so faults are planted.

`python3 tools/fresh.py docs` builds the book into out/docs; MANUAL_RNN_BOOK names another folder.
"""

import json
import math
from pathlib import Path

import pytest

from book_pages import BOOK, CHROMIUM, Visitor, broken_links, chromium

pytest.importorskip("playwright", reason="The browser is driven by playwright: pip install 'manual-rnn[browser]'.")
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="There is no chromium on PATH."),
]


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def book():
    if not (BOOK / "index.html").exists():
        pytest.skip(f"The book is not built: {BOOK} has no index.html. Run python3 tools/fresh.py docs.")
    return BOOK.resolve()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def test_every_page_loads_alone_is_named_rendered_and_fits(browser, book):
    visitor = Visitor(browser)
    faults = {}
    for file in sorted(book.rglob("*.html")):
        if found := visitor.faults(file):
            faults[str(file.relative_to(book))] = found[:5]
    visitor.context.close()
    assert not faults


def test_every_link_and_anchor_holds(book):
    assert not broken_links(book)


def test_mathematics_has_the_font_that_is_in_its_style_sheet_and_brackets_grow_with_a_matrix(page, book):
    page.goto((book / "book" / "forward.html").as_uri())
    loaded = page.evaluate("document.fonts.ready.then(all => [...all].map(font => [font.family, font.status]))")
    assert loaded == [["Mathematics", "loaded"]]
    matrix = page.locator(".math-block mtable").first
    three = "e => [e.previousElementSibling, e, e.nextElementSibling].map(of => of.getBoundingClientRect().height)"
    before, height, after = matrix.evaluate(three)
    assert min(before, after) >= 0.9 * height


def test_the_usage_of_each_command_is_what_one_types(page, book):
    page.goto((book / "reference" / "command_line.html").as_uri())
    usages = page.locator("article pre").all_inner_texts()
    assert len(usages) == 12
    assert all(usage.startswith("manual-rnn ") and "sphinx" not in usage for usage in usages), usages


def test_a_sentence_with_a_colon_is_not_taken_for_a_type(page, book):
    page.goto((book / "reference" / "api" / "networks.html").as_uri())
    layers = page.locator("dl.attribute:has(> dt[id='manual_rnn.Network.layers']) > dd")
    assert layers.inner_text().startswith("By layer its cell, or two: one that goes forward")
    assert "TYPE" not in page.locator("article").inner_text().upper().replace("DTYPE", "").split()


def test_every_page_can_be_read_without_scripts(browser, book):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    empty = []
    for file in sorted(book.rglob("*.html")):
        if file.name in ("search.html", "genindex.html"):  # a search is its script, an index may have no entry
            continue
        page.goto(file.as_uri())
        if page.locator("article").count() and len(page.locator("article").first.inner_text()) < 20:
            empty.append(file.name)
    context.close()
    assert not empty


def test_without_scripts_the_interactive_pages_show_their_numbers_and_figures(browser, book):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((book / "interactive" / "decay.html").as_uri())
    assert page.locator("table td").first.is_visible()
    assert page.locator("figure img").first.is_visible()
    assert not page.locator("#decay").is_visible()
    page.goto((book / "interactive" / "steps.html").as_uri())
    frames = page.locator("#steps .frame")
    assert all(frames.nth(i).is_visible() for i in (0, 20, frames.count() - 1))
    assert page.locator("#steps svg").is_visible()
    assert not page.locator("#steps .controls").is_visible()
    context.close()


def shown_decay(page):
    """The cell, the gain, the length, and the numbers of the sentence: median, lowest, highest, theory's if any."""
    return (
        page.locator("#decay select").input_value(), float(page.locator("#decay [data-now=gain]").inner_text()),
        int(page.locator("#decay [data-now=length]").inner_text().split()[0]),
        [float(value) for value in page.locator("#decay .told data").evaluate_all("all => all.map(e => e.value)")],
    )  # fmt: skip


def test_the_sliders_show_what_was_computed_at_both_ends_and_between(page, book):
    page.goto((book / "interactive" / "decay.html").as_uri())
    data = json.loads(page.locator("#decay-data").text_content())
    gain, length = page.get_by_role("slider", name="Gain"), page.get_by_role("slider", name="Length")
    for cell in data["cells"]:
        page.get_by_role("combobox", name="Cell").select_option(cell)
        for key_of_gain, key_of_length in (("Home", "End"), ("ArrowRight", "ArrowLeft"), ("End", "Home")):
            gain.press(key_of_gain)
            length.press(key_of_length)
            shown, g, steps, numbers = shown_decay(page)
            band = data["cells"][cell]["by_gain"][data["gains"].index(g)]
            expected = [band[name][steps] for name in ("median", "low", "high")]
            assert shown == cell
            assert numbers[:3] == expected
            assert numbers[3:] == pytest.approx([] if band["slope"] is None else [band["slope"] * steps])
            heights = page.locator("#decay polyline").evaluate("e => [...e.points].map((point) => point.y)")
            assert len(heights) == steps + 1
            falls = heights[-1] > heights[0]
            assert falls == (band["median"][steps] < 0) or math.isclose(heights[0], heights[-1], abs_tol=0.2)
            assert data["cells"][cell]["name"] in page.locator("#decay svg").get_attribute("aria-label")
    assert (g, steps) == (data["gains"][-1], 5)


def place_of(page):
    visible = page.locator("#steps .frame:visible")
    assert visible.count() == 1
    return visible.evaluate("e => [...e.parentElement.children].indexOf(e)")


def test_the_steps_go_forward_back_and_no_further_than_the_ends(page, book):
    page.goto((book / "interactive" / "steps.html").as_uri())
    last = page.locator("#steps .frame").count() - 1
    button = {name: page.locator(f"#steps [data-go={name}]") for name in ("first", "back", "forward", "last")}
    assert place_of(page) == 0
    assert button["back"].is_disabled()
    button["forward"].click()
    button["forward"].click()
    assert place_of(page) == 2
    button["back"].click()
    assert place_of(page) == 1
    button["last"].click()
    assert place_of(page) == last
    assert button["forward"].is_disabled()
    page.locator("#steps .stage").click()
    for key, place in (("ArrowRight", last), ("ArrowLeft", last - 1), ("Home", 0), ("ArrowLeft", 0), ("ArrowRight", 1)):
        page.keyboard.press(key)
        assert place_of(page) == place
    page.locator("#steps input").press("End")
    assert place_of(page) == last


def test_every_step_marks_the_nodes_and_ways_that_it_says(page, book):
    page.goto((book / "interactive" / "steps.html").as_uri())
    for _ in range(page.locator("#steps .frame").count()):
        frame = page.locator("#steps .frame:visible")
        wanted = set(f"{frame.get_attribute('data-nodes')} {frame.get_attribute('data-edges')}".split())
        marked = page.locator("#steps svg .now").evaluate_all("all => all.map(e => e.dataset.name)")
        assert set(marked) == wanted
        assert wanted
        page.keyboard.press("ArrowRight")


SOUND = '<!doctype html><html lang="en"><title>t</title><body><main><p>Text enough to be read.</p>{}</main>'


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" width="9" height="9">', "no accessible name"),
        ('<svg width="9" height="9"><path d="M0 0h9"/></svg>', "no accessible name"),
        ("<figure><p>no caption</p></figure>", "no accessible name"),
        ('<img src="missing.png" alt="a picture">', "failed"),
        ("<script>console.error('broken')</script>", "console: broken"),
        ("<script>undefined.x</script>", "script"),
        ("<script>fetch('http://127.0.0.1:9/x').catch(() => 0)</script>", "network"),
        ("<p>so \\nabla W is</p>", "raw LaTeX"),
        ("<p>$$a = b$$</p>", "raw LaTeX"),
        ("<p>the sum $a + b$ of</p>", "raw LaTeX"),
        ("<math></math>", "mathematics without a box"),
        ('<div style="width: 500px">wide</div>', "wider than its window of 390 px"),
        ('<div style="width: 1400px">wide</div>', "wider than its window of 1280 px"),
    ],
)
def test_a_planted_fault_is_found(browser, tmp_path, fault, sentence):
    file, visitor = tmp_path / "page.html", Visitor(browser)
    file.write_text(SOUND.format(fault), encoding="utf-8")
    found = visitor.faults(file)
    visitor.context.close()
    assert any(sentence in said for said in found), found


def test_a_page_without_faults_has_none(browser, tmp_path):
    visitor, file = Visitor(browser), tmp_path / "page.html"
    math_and_code = "<math><mi>x</mi></math><code>$$ \\nabla</code>"
    file.write_text(SOUND.format(math_and_code), encoding="utf-8")
    assert visitor.faults(file) == []
    visitor.context.close()


@pytest.mark.parametrize(
    ("link", "said"),
    [("#nowhere", "no anchor"), ("b.html#nowhere", "no anchor"), ("c.html", "no file"), ("b.html#there", "")],
)
def test_a_broken_link_is_found(tmp_path, link, said):
    (tmp_path / "a.html").write_text(SOUND.format(f'<a href="{link}">on</a>'), encoding="utf-8")
    (tmp_path / "b.html").write_text(SOUND.format('<p id="there">here</p>'), encoding="utf-8")
    found = broken_links(tmp_path)
    assert [said in sentence for sentence in found] == ([True] if said else [])
