"""The pages are true: every code block of README.md (and of docs/*.md) runs, and prints what the page shows.

Pages of the book that have directives are run by its build instead.

The convention. It is plain Markdown; what is meant for the test stands behind a fence's language, where no reader sees
it. A page's blocks run in order in a folder of their own, which holds copies of docs/ and experiments/, and text.txt,
an English text.

``python``      Runs in the namespace that all ``python`` blocks of the page share. A block whose first line is a
                comment with a file name, ``# my_rnn.py``, is written to that file and not run: later blocks import it
                or name it in a command.
``text``        Directly behind a ``python`` block (only blank lines between): what that block prints. Elsewhere: not
                looked at.
``console``     Each line that begins with ``$ `` is a command: manual-rnn, python, python3 or pytest. The lines below
                it, if there are any, are what it prints (stdout and stderr together, in a pipe). A command has to end
                with exit code 0, or ``$ echo $?`` follows at once, and below that the code.
``sh``          The same, but every line is a command, with or without ``$ ``, and no output is shown.
                ``  # …`` behind a command is a comment.
``math``, ``toml``, ``json``, ``bibtex``   Not looked at. Any other language, or none, is an error.
``LANGUAGE skip: REASON``   That block is not run.

What a page shows is compared with the truth line by line, but

* blanks, blank lines and the length of rules do not count;
* ``…`` or ``...`` stands for anything within its line; alone on a line, for any lines, or none;
* a number with a decimal point matches any such number, one with an exponent any with an exponent, one followed by
  s, ms, min, % or × any with that unit. Other integers have to be right; with ``console numbers`` or ``text numbers``
  they may differ too.

What takes long is cut short: ``manual-rnn train`` runs with --steps 20 whatever --steps or --seconds it is given, a
script of experiments/ with --quick. ``python3 tools/fresh.py …`` is not run here; a line of .ci/run, which runs it,
must end with the same words (but for --venv FOLDER). ``git clone …`` and ``cd …`` are taken for granted.
"""

import re
import shutil
import sys

import pytest
from markdown_it import MarkdownIt

from manual_rnn.text import default_text
from pages import ROOT, Page

OF_THE_BOOK = re.compile(r"^```\{", re.MULTILINE)
"""A page with directives: the build of the book runs its cells, and ends where one fails."""
ALL = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in ALL if not OF_THE_BOOK.search(page.read_text(encoding="utf-8"))]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a page runs."""
    place = tmp_path / "page"
    for name in ("docs", "experiments"):
        shutil.copytree(ROOT / name, place / name)
    (place / "text.txt").write_text(default_text(), encoding="utf-8")
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(place)
    before = set(sys.modules)
    yield place
    for name in set(sys.modules) - before:
        if str(place) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


@pytest.mark.thorough  # .ci/run has it too
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_runs_and_prints_what_the_page_shows(page, folder):
    Page(page, folder).run()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page):
    html = MarkdownIt().render(page.read_text(encoding="utf-8"))
    targets = re.findall(r'(?:href|src|srcset)="([^"#]+)[^"]*"', html)
    local = [target for target in targets if not target.startswith(("https:", "http:", "mailto:"))]
    assert [target for target in local if not (page.parent / target).exists()] == []


def run(folder, text):
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    Page(page, folder).run()


GOOD = [
    "```python\nx = 2\n```\nthen\n```python\nassert x == 2\n```",
    "```python\nprint('a', 1.5)\n```\n\n```text\na   2.25\n```",
    "```python\nprint('a b c')\n```\n```text\na … c\n```",
    "```python\nprint('a\\nb\\nc')\n```\n```text\na\n...\nc\n…\n```",
    "```python\nprint('2 steps, 12 s, 1e-13')\n```\n```text\n2 steps, 9 s, 3e-12\n```",
    "```python\nprint('7 cases')\n```\n```text numbers\n8 cases\n```",
    "```python\n# my_module.py\nanswer = 42\n```\n```python\nimport my_module\nassert my_module.answer == 42\n```",
    "```text\nnothing has printed this\n```",
    "```python skip: it would never end\nwhile True: pass\n```",
    "```console\n$ python -c 'print(3)'\n3\n$ python -c 'raise SystemExit(4)'\n$ echo $?\n4\n```",
    "```sh\ngit clone here\ncd here\npython -c 'print(3)'  # says three\n```",
    "1. in a list\n\n   ```python\n   x = 1\n   ```\n",
]
WRONG = {
    "```python\nassert False, 'planted'\n```": "planted",
    "```python\nprint('a')\n```\n```text\nb\n```": "page.md:4: another output(?s:.*)\n-b\n[+]a",
    "```python\nprint('7 cases')\n```\n```text\n8 cases\n```": "[+]7 cases",
    "```python\nprint('4.5e15')\n```\n```text\n1.5\n```": "[+]#e\n(?s:.*)4.5e15",
    "```python\nprint('a')\n```\n```text\na\nb\n```": "-b",
    "text\n\n```console\n$ python -c 'raise SystemExit(4)'\n```": "page.md:4: .*ended with exit code 4",
    "```console\n$ python -c 'raise SystemExit(4)'\n$ echo $?\n1\n```": "\n-1\n[+]4",
    "```console\n$ manual-rnn verify no_such_cell\n```": "no_such_cell",
    "```console\nmanual-rnn info\n```": "begins with '[$] '",
    "```console\n$ rm -r precious\n```": "'rm' is not a command that a page may run",
    "```console skip\n$ rm -r precious\n```": "say why",
    "```sh\npython3 tools/fresh.py no-such-job\n```": "has no 'tools/fresh.py no-such-job'",
    "```pyhton\nx = 1\n```": "pyhton is not known",
    "```\nx = 1\n```": "no language is not known",
}


@pytest.mark.parametrize("text", GOOD)
def test_a_good_page_passes(text, folder):
    run(folder, text)


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_block_is_caught(text, folder):
    with pytest.raises(AssertionError, match=WRONG[text]):
        run(folder, text)
