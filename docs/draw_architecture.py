"""Draws which part imports which, from the imports themselves: ``python docs/draw_architecture.py docs/figures``.

A part is a package of src/manual_rnn, or src/reference. The modules beside the packages are two parts: "core" is what
gradients, cells, losses, theory and the judge need, "programs" the others. Arrows go down, from who imports to what
is imported; an import inside a function counts as any other. An arrow that a longer way over others tells as well is
left out.
"""

import ast
import sys
from functools import cache
from pathlib import Path

SRC = Path(__file__).resolve().parents[1] / "src"
INKS = {"light": ("#1f2328", "#f6f8fa", "#8c959f"), "dark": ("#e6edf3", "#22272e", "#768390")}
ROOTS = ["gradients"], ["cells"], ["losses"], ["theory"], ["ways"], ["testing"]
WIDE, HIGH, GAP, DOWN = 132, 40, 18, 104


def part_of(module):
    """``manual_rnn.cells.rnn`` is of "cells", ``manual_rnn.bptt`` of "core", ``reference.cells`` of "reference"."""
    words = module.split(".")
    if words[0] != "manual_rnn":
        return words[0]
    if words[-1] == "__main__":
        return "cli"
    if len(words) > 1 and (SRC / "manual_rnn" / words[1]).is_dir():
        return words[1]
    return "core" if module in core() else "programs"


@cache
def core():
    """The modules beside the packages that gradients, cells, losses, theory and the judge need, also by others."""
    known = modules()
    waiting = [name for name in known if name.split(".")[1:2] in ROOTS]
    found = set(waiting)
    while waiting:
        for imported in imports_of(known[waiting.pop()]):
            beside = imported.count(".") == 1 and imported in known and known[imported].name != "__init__.py"
            if beside and imported not in found:
                found.add(imported)
                waiting.append(imported)
    return found


def modules():
    """The files of src by module name."""
    found = {}
    for package in ("manual_rnn", "reference"):
        for path in sorted((SRC / package).rglob("*.py")):
            words = path.relative_to(SRC).with_suffix("").parts
            found[".".join(words[:-1] if words[-1] == "__init__" else words)] = path
    return found


def imports_of(path):
    """The dotted names that a file imports, wherever in it; ``from a import b`` is both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def edges():
    """{(importing part, imported part)}: the arrows, without those inside a part."""
    known, found = modules(), set()
    for name, path in known.items():
        for imported in imports_of(path):
            if imported in known and imported != "manual_rnn":
                pair = part_of(name), part_of(imported)
                if pair[0] != pair[1]:
                    found.add(pair)
    return found


def ranks(arrows):
    """The row of each part, 0 at the bottom: above all that it imports. Parts that import each other share a row."""
    parts = {part for pair in arrows for part in pair}
    below = {part: _reached(part, arrows) for part in parts}
    row = dict.fromkeys(parts, 0)
    for _ in parts:
        for above, under in arrows:
            if above not in below[under]:
                row[above] = max(row[above], row[under] + 1)
            else:
                row[above] = row[under] = max(row[above], row[under])
    return row


def _reached(part, arrows):
    found, waiting = set(), [part]
    while waiting:
        here = waiting.pop()
        for above, under in arrows:
            if above == here and under not in found:
                found.add(under)
                waiting.append(under)
    return found


def _told_by_others(above, under, arrows):
    around = _reached(under, arrows) | {under} | {part for part, to in arrows if above in _reached(part, arrows)}
    between = {to for part, to in arrows if part == above} - around
    return any(under in _reached(part, arrows) for part in between)


def svg(theme):
    ink, fill, line = INKS[theme]
    every = edges()
    row = ranks(every)
    arrows = {(above, under) for above, under in every if not _told_by_others(above, under, every)}
    rows = [sorted(part for part in row if row[part] == at) for at in range(max(row.values()), -1, -1)]
    rows = [[part for part in parts if part != "reference"] for parts in rows]
    wide = max(len(parts) for parts in rows) * (WIDE + GAP) + GAP
    place = {}
    for at, parts in enumerate(rows):
        left = (wide - len(parts) * (WIDE + GAP) + GAP) / 2
        place |= {part: (left + k * (WIDE + GAP), 20 + at * DOWN) for k, part in enumerate(parts)}
    place["reference"] = wide, 20 + (len(rows) - 1) * DOWN  # beside all others, which do not know it
    wide += WIDE + GAP
    high = 64 + (len(rows) - 1) * DOWN + HIGH
    drawn = [_arrow(place[a], place[b], line) for a, b in sorted(arrows)] + [
        f'<rect x="{x:.0f}" y="{y}" width="{WIDE}" height="{HIGH}" rx="6" fill="{fill}" stroke="{line}"/>'
        f'<text x="{x + WIDE / 2:.0f}" y="{y + 25}" text-anchor="middle" fill="{ink}">{part}</text>'
        for part, (x, y) in place.items()
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="15">'
        f'<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="{line}"/></marker></defs>'
    )
    return "\n".join([head, *drawn, "</svg>", ""])


def _arrow(above, under, line):
    x, y, to_x, to_y = above[0] + WIDE / 2, above[1] + HIGH, under[0] + WIDE / 2, under[1]
    if above[1] == under[1]:  # parts that need each other: an arc below their row
        way = f"M{x:.0f} {y} Q{(x + to_x) / 2:.0f} {y + 40} {to_x:.0f} {y}"
    elif to_y - y > 2 * DOWN:  # far below: out at the side and down past all others
        way = f"M{above[0] + WIDE:.0f} {above[1] + HIGH // 2} Q{to_x:.0f} {above[1] + HIGH // 2} {to_x:.0f} {to_y}"
    else:
        bend = (to_y - y) / 2
        way = f"M{x:.0f} {y} C{x:.0f} {y + bend:.0f} {to_x:.0f} {to_y - bend:.0f} {to_x:.0f} {to_y}"
    return f'<path d="{way}" fill="none" stroke="{line}" stroke-width="1.3" marker-end="url(#end)"/>'


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for theme in INKS:
        (folder / f"architecture-{theme}.svg").write_text(svg(theme), encoding="utf-8")
