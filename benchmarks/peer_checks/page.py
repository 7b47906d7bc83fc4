"""The page docs/comparison.md, made of the numbers that ``benchmarks/peers.py`` has kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peer_checks.checkers import CHECKERS, OURS
from peer_checks.page_times import times_section
from peer_checks.regimes import CASES, PLANTED, REGIMES

NO_EFFECT = 1e-10
"""A mistake that changes no number by more than this, relative to its array, is not there to be seen."""

HEAD = """# Which planted bugs do gradient checkers see?

{total} backward passes of the vanilla RNN, each with one mistake in it, were handed to other people's gradient
checkers and to this project's judge. The mistakes are those of [tests/mistakes.py](../tests/mistakes.py) that concern
the backward pass, many of them seen in published code. This page is written by
[benchmarks/peers.py](../benchmarks/peers.py) from [its numbers](../benchmarks/results/peers.json): to make it anew,
`pip install -e '.[peers]'` and `python benchmarks/peers.py --page docs/comparison.md`.

## What was compared, and how

Every checker gets the same: the arrays U, W, b, V, c, h(0) and x in float64, the loss as a function of them (the
right forward pass), and the gradients of the wrong backward pass. Each decides with its own default tolerances.
There are {cases} cases in a regime; a bug counts as detected if one of them fails.
"""

PEERS_NOTE = """
scipy's `check_grad` is not among them: it returns a number and leaves the verdict to the reader, and its differences
are one-sided, so less exact than the central ones here.
"""


def page_of(results: dict[str, Any]) -> str:
    """The whole page as Markdown."""
    present = list(results["checkers"])
    total = len(results["effects"]["ordinary"])
    parts = [
        HEAD.format(total=total, cases=CASES),
        table(["checker", "what it is"], [[CHECKERS[name].title, CHECKERS[name].about] for name in present]),
        PEERS_NOTE,
        table(["regime", "what it is", "largest ∂L/∂h(0)", "largest ∂L/∂x(1)"], list(_regimes(results))),
        "\n## Counts\n\nDetected, of those that change a number in that regime at all "
        f"(by more than {NO_EFFECT:.0e} of its array, or of its time step).\n",
        table(["checker", *(PLANTED[r].title for r in PLANTED)], list(_counts(results, present))),
        "\n🐺: it fails right code in that regime as well, so what it says of wrong code is worth nothing there.\n",
        "\n## False alarms\n\n"
        f"Of {CASES} cases with the right backward pass, how many each checker fails. Where gradients are chaotic, "
        "differences\nare noise, and two right float64 gradients need not share a digit; this project's end-to-end "
        "verdict measures that and\ncalls such steps undecided, and its local verdict is not touched by it. Deep in "
        "saturation 1 − h² has lost its digits\nin all float64 code, right or wrong.\n",
        table(["checker", *(REGIMES[r].title for r in REGIMES)], list(_alarms(results, present))),
        _named(results),
        "\n## Bug by bug\n\nA letter for each regime: o ordinary, v vanished in 8 steps, V vanished in 60 steps, "
        "s saturated. A letter means\ndetected, – missed, · that the mistake changes nothing there and is not "
        "reported, 🐺 that the checker fails right code there too.\n",
        table(["mistake", *(CHECKERS[name].title for name in present)], list(_bugs(results, present))),
        times_section(results),
        _lessons(results),
        _machine(results),
    ]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n" + "\n".join(f"| {' | '.join(str(cell).replace('|', chr(0x2223)) for cell in line)} |" for line in lines)


def cell_of(results: dict[str, Any], checker: str, regime: str, mistake: str) -> str:
    """One letter: what a checker said of a mistake in a regime."""
    found = results["checkers"][checker]
    letter = {"ordinary": "o", "vanished8": "v", "vanished60": "V", "saturated": "s"}[regime]
    if found["false_alarms"][regime]:
        return "🐺"
    if found["detected"][regime][mistake]:
        return letter
    return "–" if results["effects"][regime][mistake] > NO_EFFECT else "·"


def _regimes(results: dict[str, Any]) -> Any:
    for name, regime in REGIMES.items():
        size = results["magnitudes"][name]
        yield [regime.title, regime.about, f"{size['h0']:.0e}", f"{size['x1']:.0e}"]


def _counts(results: dict[str, Any], present: list[str]) -> Any:
    for name in present:
        row = []
        for regime, effects in results["effects"].items():
            letters = [cell_of(results, name, regime, m) for m, size in effects.items() if size > NO_EFFECT]
            wolf = "🐺" in letters
            row.append("🐺" if wolf else f"{sum(x != '–' for x in letters)} of {len(letters)}")
        yield [f"**{CHECKERS[name].title}**" if name in OURS else CHECKERS[name].title, *row]


def _alarms(results: dict[str, Any], present: list[str]) -> Any:
    for name in present:
        alarms = results["checkers"][name]["false_alarms"]
        yield [CHECKERS[name].title, *(str(alarms[regime]) for regime in REGIMES)]


def _bugs(results: dict[str, Any], present: list[str]) -> Any:
    for mistake in results["effects"]["ordinary"]:
        yield [mistake, *("".join(cell_of(results, name, r, mistake) for r in PLANTED) for name in present)]


def _named(results: dict[str, Any]) -> str:
    rows = results["explanations"]
    exact = {r: sum(row["blamed"][r] == row["planted_in"] for row in rows.values()) for r in PLANTED}
    seen = {r: sum(bool(row["blamed"][r]) for row in rows.values()) for r in PLANTED}
    lines = [[PLANTED[r].title, f"{exact[r]} of {seen[r]}"] for r in PLANTED]
    said = [(mistake, _mistake_in_words(row["said"])) for mistake, row in rows.items()]
    words = [[mistake, sentence or "–"] for mistake, sentence in said]
    count = sum(bool(sentence) for _, sentence in said)
    return "\n".join([
        "## And which equation, which mistake?",
        "",
        "The peers say that an argument's gradient is wrong, by index, name or number. One wrong equation makes many",
        "gradients wrong, so this project's judge feeds each equation with right values and names those that are wrong",
        "by themselves. Of the mistakes that its local verdict failed, exactly the planted equations were named:",
        table(["regime", "named exactly"], lines),
        "",
        f"And it says what the mistake is, where one formula reproduces the wrong numbers: for {count} of {len(rows)} "
        "here. Where none does,",
        "it says so. What it said:",
        table(["planted", "said"], words),
    ])  # fmt: skip


def _mistake_in_words(sentences: Sequence[str]) -> str:
    """The sentences that explain: not where it is wrong, not who stands alone, not that nothing is known."""
    skipped = (" is wrong: ", "came out wrong too", "Witnesses, ", "Independent witnesses", "No single mistake",
               "No equation is wrong", "The forward pass differs")  # fmt: skip
    return " ".join(sentence for sentence in sentences if not any(words in sentence for words in skipped))


def _lessons(results: dict[str, Any]) -> str:
    return """
## What each is good at, and what ours cannot see

- **gradcheck** needs nothing but the function, of any kind: no second implementation, no equations. It also checks
  what was not compared here: second order (`gradgradcheck`), complex inputs, forward mode, sparse tensors, devices,
  and whether the backward pass gives the same bits twice. On ordinary, small cases it is as good as one needs: it
  misses float32 inside a float64 path and nothing that is larger than its tolerance. What is below 1e-5 it accepts.
- **gradcheck, fast** costs a few evaluations at any size. It looks along one random direction of each input, with
  an absolute tolerance that grows with the input: small errors drown in it.
- **check_vjp** is the cheapest of all: two evaluations, one direction through all arrays at once; `check_grads`
  goes on to forward mode and higher orders.
- **allclose** on central differences needs ten lines of NumPy and no library. Its 1e-8 is stricter than gradcheck's
  1e-5 and blind below all the same; with much less, it would fail right code by the noise of the differences.
- **rel_error** has nearly no absolute tolerance, and so it fails right code wherever the gradient is smaller than the
  noise of the differences. A person who reads its number can tell; a test cannot.
- **autodiff, 1e-4** is exact and cheap, as ours is. What it misses it misses by its tolerance, not by its oracle.
- **autodiff, relative** is the best of the simple tests: exact gradients and `np.testing.assert_allclose` without any
  absolute tolerance see vanished gradients as well as ours do. It fails right code where rounding decides the digits,
  deep in saturation and in chaos, and cannot say which of several wrong arrays is the cause.
- **Ours** needs a second forward pass, in JAX, and for the local verdict a backward pass whose equations can be
  tapped one by one; the *end to end* row shows what is left where only the gradients can be seen. It knows recurrent
  cells and no other function. If the reference has the same wrong idea of the network as the manual pass, both agree
  and nothing is said: differences of one's own forward pass would tell, and the judge asks them only after a failure.
  It does not check second derivatives. A mistake that changes no number on any case drawn is not seen by anyone.
"""


def _machine(results: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return (
        "\n## Where the numbers come from\n\n"
        f"{versions}.\n{results['platform']}, {results['processor']}, {results['cores']} cores, one BLAS thread; "
        f"commit {results['commit']}.\nOther work ran on the machine at the same time: times are to be trusted to a "
        "factor of two, not more.\n"
    )
