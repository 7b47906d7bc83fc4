"""What a browser finds wrong with a page of the book, as sentences. A page is visited once, and asked all of it."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

BOOK = Path(os.environ.get("MANUAL_RNN_BOOK", Path(__file__).parents[1] / "out" / "docs"))
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDTHS = (390, 1280)

ASK = """() => {
  const said = [];
  const shown = (e) => e.checkVisibility();
  for (const e of document.querySelectorAll("svg, img, figure, canvas")) {
    if (!shown(e) || e.closest("[aria-hidden=true]")) continue;
    const labelled = (e.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id));
    const within = e.tagName === "FIGURE" && e.querySelector("img[alt]:not([alt='']), svg[aria-label], figcaption");
    const owner = e.tagName === "svg" && e.closest("a, button, label, summary");  // the theme's icons
    const name = e.getAttribute("alt") || e.getAttribute("aria-label")
      || labelled.map((l) => l?.textContent || "").join("")
      || e.querySelector(":scope > title")?.textContent
      || within && (within.textContent.trim() || within.getAttribute("alt") || within.getAttribute("aria-label"))
      || owner && (owner.textContent.trim() || owner.getAttribute("aria-label")
        || owner.getAttribute("title") || owner.control?.getAttribute("aria-label")) || "";
    if (!name.trim()) said.push(`no accessible name: ${e.outerHTML.slice(0, 90)}`);
  }
  for (const m of document.querySelectorAll("math")) {
    const box = m.getBoundingClientRect();
    if (shown(m) && !(box.width > 0 && box.height > 0))
      said.push(`mathematics without a box: ${m.textContent.slice(0, 60)}`);
  }
  for (const i of document.images) {
    if (shown(i) && !i.naturalWidth) said.push(`an image that does not load: ${i.getAttribute("src")}`);
  }
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walk.nextNode(); n; n = walk.nextNode()) {
    if (n.parentElement.closest("code, pre, script, style, .highlight, .math-source, annotation")) continue;
    if (/\\$\\$|\\$[^$\\s][^$]*\\$|\\\\(nabla|frac|sum|top|tanh|begin)\\b|\\$\\\\/.test(n.data))
      said.push(`raw LaTeX: ${n.data.trim().slice(0, 60)}`);
  }
  return said;
}"""
TOO_WIDE = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"


@contextmanager
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


class Visitor:
    """One page of a browser, which goes from file to file and notes what each says and asks for."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(viewport={"width": WIDTHS[-1], "height": 900}, **options)
        self.page = self.context.new_page()
        self.said = []
        self.page.on("console", lambda m: m.type == "error" and self.said.append(f"console: {m.text}"))
        self.page.on("pageerror", lambda e: self.said.append(f"script: {e}"))
        self.page.on("request", lambda r: self._asked(r.url))
        self.page.on("requestfailed", lambda r: self.said.append(f"failed: {r.url}"))

    def _asked(self, url):
        if not url.startswith(("file:", "data:", "blob:", "about:")):
            self.said.append(f"network: {url}")

    def faults(self, file):
        """All that is wrong with the page, in light and dark, on a phone and on a desk."""
        self.said = []
        self.page.goto(file.as_uri())
        found = self.page.evaluate(ASK)
        for colours in ("light", "dark"):
            self.page.emulate_media(color_scheme=colours)
            for width in WIDTHS:
                self.page.set_viewport_size({"width": width, "height": 900})
                if self.page.evaluate(TOO_WIDE):
                    found.append(f"wider than its window of {width} px ({colours})")
        return [*self.said, *found]


class _Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        for name in ("href", "src"):
            if given.get(name):
                self.links.append(given[name])


def broken_links(folder):
    """Links to files that are not there, and to anchors that their page has not; links of other hosts are not asked."""
    pages = {file.resolve(): _Links(file.read_text(encoding="utf-8")) for file in sorted(folder.rglob("*.html"))}
    found = []
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.is_file():
                found.append(f"{file.relative_to(folder.resolve())}: no file {link}")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{file.relative_to(folder.resolve())}: no anchor {link}")
    return found
