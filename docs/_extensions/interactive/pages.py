"""The HTML of both pages as the build writes it: whole and readable; the scripts take over what stands there."""

from __future__ import annotations

import json
from html import escape

import numpy as np

from interactive import decay, graph, steps
from manual_rnn.cell import Array
from manual_rnn.html_report.mathml import as_mathml, equation

IN_TABLE = (0.5, 1.0, 1.5, 2.0)
LAG_IN_TABLE = 50
SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def decay_explorer() -> str:
    """Controls, an empty drawing, the sentence beneath it, and the numbers as JSON."""
    data = decay.data()
    cells = "".join(f'<option value="{cell}">{escape(of["name"])}</option>' for cell, of in data["cells"].items())
    one = decay.GAINS.index(1.0)
    numbers = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    return f"""
<section class="explorer" id="decay" aria-label="The gradient's decay" hidden>
<div class="controls">
<label>Cell <select name="cell">{cells}</select></label>
<label>Gain g <b data-now="gain"></b>
<input type="range" aria-label="Gain" name="gain" min="0" max="{len(decay.GAINS) - 1}" step="1" value="{one}"></label>
<label>Length <b data-now="length"></b>
<input type="range" aria-label="Length" name="length" min="5" max="{decay.STEPS}" step="1" value="50"></label>
</div>
<svg class="decay" role="img"></svg>
<p class="key" aria-hidden="true"><span class="measured">median of {decay.SEEDS} networks</span>
<span class="spread">lowest to highest</span> <span class="theory">theory</span></p>
<p class="told" aria-live="polite"></p>
</section>
<script type="application/json" id="decay-data">{numbers}</script>
<noscript><p>The sliders need JavaScript. The table below has the same numbers for some of the gains.</p></noscript>
"""


def decay_table() -> str:
    """What is left after fifty steps: the median over the networks, by cell and gain."""
    data = decay.data()
    head = "".join(f'<th scope="col">g = {gain}</th>' for gain in IN_TABLE)
    rows = ""
    for of in data["cells"].values():
        medians = [of["by_gain"][decay.GAINS.index(gain)]["median"][LAG_IN_TABLE] for gain in IN_TABLE]
        rows += f'<tr><th scope="row">{escape(of["name"])}</th>{"".join(f"<td>{power(m)}</td>" for m in medians)}</tr>'
    return (
        f'<div class="table-wrapper docutils container" tabindex="0"><table class="docutils left">'
        f"<caption>What is left of the gradient after {LAG_IN_TABLE} steps: "
        f"the median of {decay.SEEDS} networks</caption>"
        f'<thead><tr><th scope="col">Cell</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def power(log10: float) -> str:
    """6.5 × 10⁻⁷ from −6.19; near one as it is said: 0.31, 21."""
    if -1 <= log10 < 3:
        return f"{10**log10:.2g}" if log10 < 2 else f"{10**log10:.0f}"
    exponent = int(np.floor(log10))
    mantissa = f"{10 ** (log10 - exponent):.1f}"
    if mantissa == "10.0":
        mantissa, exponent = "1.0", exponent + 1
    return f"{mantissa} × 10{str(exponent).translate(SUPERSCRIPT)}"


def step_player() -> str:
    """The graph, the buttons, and every frame one below the other; the script shows one at a time."""
    frames = steps.frames()
    shown = "".join(_frame(i, frame) for i, frame in enumerate(frames))
    return f"""
<section class="player" id="steps" aria-label="A pass over the word, step by step">
<figure class="stage">{graph.graph(steps.WORD)}
<figcaption>Read below, expected above. <span class="forward-key">Forward</span> values, and the
<span class="back-key">gradient's</span> way back.</figcaption></figure>
<div class="controls" role="group" aria-label="Steps" hidden>
<button type="button" data-go="first" aria-label="First step">First</button>
<button type="button" data-go="back" aria-label="One step back">◀&#xFE0E; Back</button>
<button type="button" data-go="forward" aria-label="One step forward">Forward ▶&#xFE0E;</button>
<button type="button" data-go="last" aria-label="Last step">Last</button>
<label><span class="where"></span>
<input type="range" min="0" max="{len(frames) - 1}" value="0" aria-label="Place in the pass"></label>
</div>
<ol class="frames">{shown}</ol>
</section>
"""


def _frame(i: int, frame: steps.Frame) -> str:
    way = "Backward" if frame.backward else "Forward"
    numbers = "".join(_numbers(shown) for shown in frame.shown)
    return (
        f'<li class="frame {way.lower()}" data-equation="{frame.equation}" data-t="{frame.t}" '
        f'data-nodes="{" ".join(frame.nodes)}" data-edges="{" ".join(frame.edges)}">'
        f'<p class="title"><strong>{frame.number}</strong> · {way}, step {frame.t}</p>'
        f'<p class="equation">{equation(frame.latex)}</p><p>{escape(frame.words)}</p>'
        f'<div class="numbers" tabindex="0" role="group" aria-label="Numbers of {frame.number} at step {frame.t}">'
        f"{numbers}</div></li>"
    )


SIGN = {"term": "+", "after": "="}
NOTE = {"before": "so far", "term": "this step's term", "after": "with this step"}


def _numbers(shown: steps.Shown) -> str:
    sign = f'<span class="sign">{SIGN[shown.role]}</span>' if shown.role in SIGN else ""
    name = as_mathml(shown.latex) if shown.latex else ""
    note = f'<span class="note">{NOTE[shown.role]}</span>' if shown.role in NOTE else ""
    return f'{sign}<div class="block {shown.role}"><span class="name">{name} {note}</span>{matrix(shown.value)}</div>'


def matrix(value: Array) -> str:
    """A matrix between brackets, a single number without them."""
    rows = "".join("<mtr>" + "".join(f"<mtd>{_number(v)}</mtd>" for v in row) + "</mtr>" for row in value)
    if value.size == 1:
        return f"<math>{_number(value.flat[0])}</math>"
    return f"<math><mo>(</mo><mtable>{rows}</mtable><mo>)</mo></math>"


def _number(value: float) -> str:
    """Three places; a zero that is none says so by its power of ten."""
    if value == 0 or value == 1:
        return f"<mn>{value:.0f}</mn>"
    text = f"{abs(value):.3f}"
    if text == "0.000":
        exponent = int(np.floor(np.log10(abs(value))))
        text = f"{abs(value) / 10.0**exponent:.0f}·10{str(exponent).translate(SUPERSCRIPT)}"
    return f"<mn>{'−' if value < 0 else ''}{text}</mn>"


def agreement() -> str:
    """How well the page's gradients agree with autodiff, in this very build."""
    return (
        f"<p>Every gradient on this page was compared with <code>jax.grad</code> while this book was built. "
        f"The largest difference, relative to the gradient’s norm: "
        f"{power(float(np.log10(steps.largest_difference())))}.</p>"
    )
