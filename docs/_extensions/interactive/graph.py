"""The unrolled network of the page of steps as SVG; what is highlighted is a matter of classes that the script sets."""

from __future__ import annotations

from html import escape

COLUMN, LEFT, RADIUS, HEIGHT = 84, 38, 19, 400
ROWS = {"l": 40, "o": 118, "h": 196, "a": 274, "x": 360}
SIGNS = {"l": "ℓ", "o": "o", "h": "h", "a": "a", "x": "x"}
ALT = (
    "The network unrolled over the word: at each step x(t) leads up to a(t), h(t), o(t) and the loss ℓ(t), and h(t) "
    "leads on to a(t+1). The gradient takes the same ways back."
)


def graph(word: str) -> str:
    """One column a step, h(0) on the left; below what is read, above what is to come."""
    steps = len(word) - 1
    edges = [_edge(f"h{t - 1}", f"a{t}") for t in range(1, steps + 1)]
    nodes = [_node("h", 0)]
    for t in range(1, steps + 1):
        edges += [_edge(f"{low}{t}", f"{high}{t}") for low, high in ("xa", "ah", "ho", "ol")]
        nodes += [_node(kind, t) for kind in ROWS]
        nodes += [_letter(t, ROWS["x"] + 35, word[t - 1]), _letter(t, ROWS["l"] - 26, word[t])]
    width = 2 * LEFT + COLUMN * steps
    return (
        f'<svg class="unrolled" viewBox="0 0 {width} {HEIGHT + 4}" role="img" aria-label="{escape(ALT)}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="11" markerHeight="11" '
        'markerUnits="userSpaceOnUse" '
        'orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="context-stroke"/></marker></defs>'
        f"{''.join(edges)}{''.join(nodes)}</svg>"
    )


def place(node: str) -> tuple[int, int]:
    return LEFT + COLUMN * int(node[1:]), ROWS[node[0]]


def _edge(start: str, end: str) -> str:
    (x1, y1), (x2, y2) = place(start), place(end)
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    dx, dy = (x2 - x1) / length * (RADIUS + 3), (y2 - y1) / length * (RADIUS + 3)
    ends = f'x1="{x1 + dx:.1f}" y1="{y1 + dy:.1f}" x2="{x2 - dx:.1f}" y2="{y2 - dy:.1f}"'
    return f'<line class="edge" data-name="{start}-{end}" {ends}/>'


def _node(kind: str, t: int) -> str:
    x, y = place(f"{kind}{t}")
    label = f'<text x="{x}" y="{y}"><tspan font-style="italic">{SIGNS[kind]}</tspan>({t})</text>'
    return f'<g class="node" data-name="{kind}{t}"><circle cx="{x}" cy="{y}" r="{RADIUS}"/>{label}</g>'


def _letter(t: int, y: int, letter: str) -> str:
    return f'<text class="letter" x="{LEFT + COLUMN * t}" y="{y}">{escape(letter)}</text>'
