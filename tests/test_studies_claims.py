"""What the page of the studies says in words: every number in its texts, alternative texts too, is a saved one.

Each claim is a phrase that must stand in the text, made of the saved numbers where it has one, and whether they bear it
out. What is no claim but a definition is listed as such, so that a new number in a text is either: else the test fails.
"""

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from manual_rnn import theory
from test_studies import module, saved

ROOT = Path(__file__).parents[1]
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
         "thirteen", "fourteen", "fifteen")  # fmt: skip
NUMBER = re.compile(
    rf"\d|½|\b({'|'.join(WORDS[2:])}|twenty|thirty|forty|fifty|hundreds?|hundredth|thousands?|twice|half|third|fifth|tenth)\b"
)
CLAIMS = {}


def of(name):
    """Registers a function from the saved record to the claims of a study."""
    return lambda function: CLAIMS.setdefault(name, function)


def measured(found):
    return {line["what"]: line["measured"] for line in found["table"]}


@of("gradient_norms")
def _(found):
    gaussian = [row for row in found["rows"] if row["weights"] == "gaussian"]
    slopes = {f"{row['gain']:.2g}": row["by_width"][str(found["n"])]["value"] for row in gaussian}
    *fall, last = [gain for gain, slope in slopes.items() if slope < 0]
    rise = [gain for gain, slope in slopes.items() if slope > 0]
    medians = np.array([row["log10_norm_quantiles"][1] for row in gaussian])
    law = np.outer([row["theory"] / np.log(100) for row in gaussian], np.arange(found["steps"] + 1))
    on_it = np.abs(medians - law).max() < 0.03 * np.ptp(law)
    return {
        f"fall for gains of {', '.join(fall)} and {last} and rise for {' and '.join(rise)}, on the dashed": on_it,
        f"the slope is measured at {WORDS[len(gaussian[0]['by_width'])]} widths": True,
        "the .01·randn of min-char-rnn, which is the Gaussian of gain .01 √n": slopes.keys()
        >= {f"{0.01 * found['n'] ** 0.5:.2g}"},
    }


@of("finite_width")
def _(found):
    grid, exponent = found["grid"], found["exponent"]
    stds, gains = ({row[of] for row in grid} for of in ("input_std", "gain"))
    lines = [[row["extrapolated"]["value"] - row["theory"] + row["extrapolated"]["trend"]["value"] / n
              for n in (np.inf, min(map(int, row["by_width"])))] for row in grid]  # fmt: skip
    ends, starts = np.array(lines).T
    at_two = np.mean([row["extrapolated"]["trend"]["value"] for row in grid if row["gain"] == 2])
    weak, strong = ({int(n) for row in grid if (row["input_std"] == 0.1) == is_weak for n in row["by_width"]}
                    for is_weak in (True, False))  # fmt: skip
    widths = [f"{int(n):,}" for n in exponent["by_width"]]
    deviations = [one["deviation"] for one in exponent["by_width"].values()]
    return {
        f"{WORDS[len(stds)]} panels, one for each input noise, with {WORDS[len(gains)]} gains each": True,
        f"begin as much as {-starts.min():.2f} below theory with the narrowest networks": True,
        f"end within {np.ceil(100 * np.abs(ends).max()) / 100:.2f} of it at n = ∞": True,
        f"exponent at {', '.join(widths[:-1])} and {widths[-1]} units, which comes up":
        deviations == sorted(deviations),
        "over a grid of gain and noise, at three widths": all(len(row["by_width"]) == 3 for row in grid),
        "each point is measured at three widths": len(exponent["by_width"]) == 3,
        "χ² says whether three widths lie": True,
        f"by some −{-at_two:.0f}/n at gain 2, whatever the noise": True,
        "there the networks are twice as wide": weak == {2 * n for n in strong},
    }


@of("phase_diagram")
def _(found):
    line = [theory.critical_gain(found["stds"][k]) for k in (0, -1)]
    by_width = {float(std): {int(n): gain for n, (gain, _) in at.items()}
                for std, at in found["critical_by_width"].items()}  # fmt: skip
    limits = {float(line["what"].split()[-1]): line for line in found["table"]}
    # How much later a narrow one explodes, of the gain, times n.
    bias = {std: np.mean([n * (gain / limits[std]["theory"] - 1) for n, gain in at.items()])
            for std, at in by_width.items()}  # fmt: skip
    return {
        f"from gain {line[0]:.1f} to {line[1]:.1f} parts vanishing": True,
        f"with {WORDS[len(limits)]} circles on it": True,
        "which comes down to the line as they grow": all(
            a > b for at in by_width.values() for a, b in pairwise(at[n] for n in sorted(at))
        ),
        f"On {WORDS[len(limits)]} rows": True,
        f"is found at {WORDS[len(by_width[0.1])]} widths": True,
        f"by some {np.mean([bias[std] for std in (0.3, 0.5, 1.0)]):.0f}/n of the gain": True,
        "by more at weak noise": bias[0.1] > 2 * max(bias[std] for std in (0.3, 0.5, 1.0)),
        f"The figure is of `--networks {found['networks']}`": True,
        "to about 1 %": all(abs(one["deviation"]) < 0.01 * one["theory"] for one in limits.values()),
    }


@of("the_wall")
def _(found):
    at = measured(found)
    median, largest = at["median ‖gradient‖ over the plane"], at["largest ‖gradient‖ (hangs on the grid)"]
    jumps = np.hypot(*np.diff(np.array(found["free"])[:, :2], axis=0).T)
    clipped = np.hypot(*np.diff(np.array(found["clipped"])[:, :2], axis=0).T)
    return {
        "more than a hundred thousand times as long as its median over the plane": largest > 1e5 * median,
        "at which one path of descent jumps away and the clipped one goes on": at["updates within the plane, unclipped"]
        < at["updates within the plane, clipped"] and clipped.max() <= 1.001 * found["lr"] * found["clip"]
        and jumps.max() > clipped.max(),
    }


@of("bounds")
def _(found):
    bound, linear, largest, root_mean_square, exceeded = (line["measured"] for line in found["table"])
    return {
        f"at gain {found['gain']:g}": True,
        f"rises by {WORDS[round(bound)]} decades in thirty steps": found["lags"] == 30,
        f"the linear network by {WORDS[round(linear)]}": True,
        "the largest of the tanh network falls to a tenth": round(largest) == -1,
        "root mean square to a hundredth, on the dashed line": round(root_mean_square) == -2,
        "no singular value": exceeded < 1e-12,
        f"up to the critical gain of {theory.critical_gain(found['input_std']):.2f}": True,
        "has ‖W‖₂ ≈ 2g": 10 ** (bound / found["lags"]) / found["gain"] == pytest.approx(2, rel=0.02),
    }


@of("isometry")
def _(found):
    largest, median = (np.array(found[f"log10_of_{which}"]) for which in ("largest", "median"))
    low, high = (WORDS[round(end)] for end in (largest[-1].min(), largest[-1].max()))
    at, lost, typical = np.array(found["at"]), np.array(found["median_multiplied_out"]), np.median(median, axis=1)
    orthogonal = [line["measured"] for line in found["table"] if line["what"].startswith("orthogonal")]
    alike = np.abs(lost - typical)[at <= 60].max() < 0.05  # until it is lost it is the same
    return {
        "for orthogonal weights one line at 1": np.abs(orthogonal).max() < 1e-13,
        "For forty Gaussian ones": largest.shape[1] == 40,
        f"by {low} decade to {high} in a hundred steps": found["lags"] == 100,
        f"the median falls by {WORDS[-round(np.median(median[-1]))]}, along a dashed line": True,
        "stays above it from step 80 on": alike and (lost - typical)[at > 80].min() > 0.1,
        "a float64 ends sixteen decades below the largest": round(np.log10(np.finfo(float).eps)) == -16,
    }


@of("lyapunov_spectrum")
def _(found):
    sizes = list(found["exponents"])
    off = [line["in_standard_errors"] for line in found["table"]]
    return {f"products of {', '.join(sizes[:-1])} and {sizes[-1]} units: the points lie": np.abs(off).max() < 3}


@of("curse_of_memory")
def _(found):
    memory = 1 / (1 - np.array(found["decays"]) ** 2)
    state, derivative = (np.polyfit(np.log(memory), np.log([one[which][0] for one in found["found"]]), 1)[0]
                         for which in ("state", "sensitivity"))  # fmt: skip
    return {
        "which rises three times as steeply": derivative / state == pytest.approx(3, rel=0.05),
        "goes as the third power of the memory": derivative == pytest.approx(3, rel=0.05),
        "Two straight lines": state == pytest.approx(1, rel=0.05),
    }


@of("truncation_bias")
def _(found):
    left_out, lines = np.array(found["left_out_gru"]), {float(k): np.array(v) for k, v in found["bias"].items()}
    steps = np.arange(5, 11)  # those that any reader sees
    between = (lines[0.8][steps - 1] < left_out[steps]).all() and (left_out[steps] < lines[0.95][steps - 1]).all()
    needed = found["table"][-1]["measured"]
    return {
        f"{WORDS[len(lines)]} straight lines for one linear unit, and a curve for a GRU between them": between,
        "with the truncation that a bias of 5 % needs": left_out[needed] <= 0.05 < left_out[needed - 1],
    }


@of("chrono")
def _(found):
    *of_one_bias, drawn = (np.exp(curve) for curve in found["log_of_mean_kept"].values())
    gone = [int(np.argmax(curve < 0.05)) for curve in of_one_bias]
    return {
        f"{WORDS[len(of_one_bias)]} curves of one bias fall off within some ten steps": max(gone) <= 12,
        "that of chrono biases lasts for hundreds": drawn[-1] > 0.05 and len(drawn) > 200,
    }


@of("task_floors")
def _(found):
    ratios = {line["what"]: line["measured"] for line in found["table"] if "last loss" in line["what"]}
    gru = ratios.pop("GRU: adding, Pascanu's, 20 steps, last loss / floor")
    return {
        f"those of {WORDS[len(ratios)]} tanh networks come down to {WORDS[len(ratios)]} dashed floors and stay there":
        all(0.99 < ratio < 1.05 for ratio in ratios.values()),
        "falls through its floor": gru < 0.1,
        "within some hundred updates they come down": found["updates"] == 400,
    }


@of("during_training")
def _(found):
    cells, vanilla, gated = found["cells"], ("rnn", "rnn_orthogonal"), ("lstm", "gru")

    def mean(name, what):
        """Over seeds; null is what was not there to measure."""
        return np.array(cells[name][what]["data"], dtype=float).mean(axis=0)

    fallen = {name: -mean(name, "log_norm")[:, 50] / np.log(10) for name in cells}  # in decades
    horizon = {name: mean(name, "horizon") for name in cells}
    saturated = {name: mean(name, "saturated")[-1].mean() for name in cells}
    at_first, of_gated = ({round(fallen[name][0]) for name in kind} for kind in (vanilla, gated))
    ends = " and ".join(str(round(horizon[name][-1])) for name in vanilla)
    starts = " or ".join(str(n) for n in sorted(round(horizon[name][0]) for name in gated))
    turned = all(mean(name, "cosine")[k] < 0.99 for name in cells for k in (1, 2, 3))  # up to update 10
    straight = all(mean(name, "cosine")[k] > 0.985 for name in cells for k in range(4, 7))
    return {
        "Six panels": True,
        f"falls by {WORDS[at_first.pop()]} decades in fifty steps": not at_first,
        f"that of the gated ones by {WORDS[of_gated.pop()]}": not of_gated,
        f"after the last all fall by {WORDS[int(min(of[-1] for of in fallen.values()))]} or more": True,
        "shrinks from 30 lags to some 10": {round(horizon[name][0], -1) for name in vanilla} == {30}
        and {round(horizon[name][-1], -1) for name in vanilla} == {10},
        "gated units saturate": all(saturated[name] > 0.17 for name in gated),
        "turns the gradient in the first ten updates only": turned and straight,
        "in the first ten updates and hardly after": turned and straight,
        "means and two standard errors of three seeds": len(found["seeds"]) == 3,
        f"start with a horizon of 30 lags and end with {ends}:": True,
        f"The gated ones have {starts} from the start": True,
        "they end with a fifth of their units saturated": all(round(saturated[name], 1) == 0.2 for name in gated),
        "the vanilla ones with hardly any": all(saturated[name] < 0.01 for name in vanilla),
        "The orthogonal one is clipped to the end": mean("rnn_orthogonal", "fired")[-1] == 1,
        f"n is {found['hidden']}": True,
    }


@of("flossing")
def _(found):
    curves = found["found"]
    gaussian, orthogonal, flossed = (curves[name] for name in ("gaussian", "orthogonal", "gaussian, flossed"))
    first, last = (f"{gaussian['exponents'][i]:.1f}" for i in (0, -1))
    lost = [round(-one["last"][40]) for one in (gaussian, orthogonal, flossed)]
    largest = {round(-one["largest"][40]) for one in (gaussian, orthogonal)}
    short = [line["deviation"] for line in found["table"] if "condition number" in line["what"]]
    return {
        "Two panels": True,
        f"{len(gaussian['exponents'])} Lyapunov exponents": len(gaussian["last"]) == 41,
        f"of the Gaussian network from {first} down to {last}, of the orthogonal one down to "
        f"{orthogonal['exponents'][-1]:.1f}": True,
        "all within a tenth of zero": np.abs(flossed["exponents"]).max() < 0.1,
        f"in forty steps the last flossed ones of the first two fall by {lost[0]} and {lost[1]} decades": True,
        f"the largest by {WORDS[largest.pop()]}; those of the flossed network by {WORDS[lost[2]]}": not largest,
        "its largest does not fall": flossed["largest"][40] > 0,
        "e^{k (λ₁ − λ₇₅)}: the rate alone, which at ten steps is one or two decades short":
        {round(off) for off in short} == {1, 2},
    }


@of("newton_cost")
def _(found):
    iterations = np.array(found["iterations"]).mean(axis=-1)  # (lengths, gains)
    critical = theory.critical_gain(found["input_std"])
    below, above = np.array(found["gains"]) < critical - 0.1, np.array(found["gains"]) > critical + 0.1
    *first, last = found["lengths"]
    ratios = iterations[1:, above] / iterations[:-1, above]
    return {
        f"for {', '.join(map(str, first))} and {last} steps": True,
        "one rising curve up to the critical gain": (np.diff(iterations[-1]) >= 0).all()
        and (iterations[-1] / iterations[0])[below].max() < 1.25,
        f"where it parts into {WORDS[len(found['lengths'])]}, each nearly twice the one below":
        (ratios > 1.4).all() and (ratios < 2.1).all() and iterations[-1][above][-1] / iterations[0][above][-1] > 3,
        "twice the steps cost once, or twice, the iterations": True,
        "steps of some hundred are too few": found["lengths"] == [75, 150, 300],
    }


DEFINED = {
    "gradient_norms": ["a line in 1/n through them", "W h(t−1)"],
    "finite_width": ["theory over 1/n", "W h(t−1)", "λ₁ = ½ log χ", "as 1/n", "a line in 1/n", "about one",
                     "of lags 2 to T/4"],
    "phase_diagram": ["W h(t−1)", "χ = 1 on"],
    "the_wall": ["σ(x(t−1))", "fifty steps from x(0) = ½", "(σ(x(50)) − 0.7)²", "figure 6 of"],
    "bounds": ["γ = 1 for tanh", "from g = ½ on"],
    "isometry": ["near h = 0", "2^(−k/2)"],
    "curse_of_memory": ["h(t−1)", "1/(1 − λ²)"],
    "truncation_bias": ["½ h(T)²", "λ^2K"],
    "chrono": ["E_u[(u/(1 + u))ᵏ]", "u ~ U(1, T_max − 1)"],
    "during_training": ["after 1, 3, 10, … and", "95 % of the parts", "Clipping by the norm leaves 1",
                        "the two vanilla networks"],
    "flossing": ["W Gaussian of gain 1", "one sequence of 55 steps of which 16 do not count"],
    "newton_cost": ["h(t−1)", "λ₁ < 0"],
}  # fmt: skip
"""Numbers of equations and of what was set, not found."""


def text_of(name):
    """The alternative text and the experiment's own paragraphs."""
    page = module()
    return " ".join(" ".join([page.ALT[name], *page._doc(name)]).split())


@pytest.mark.parametrize("name", module().NAMES)
def test_every_number_in_the_words_is_a_saved_one(name):
    text = rest = text_of(name)
    for phrase, holds in CLAIMS[name](saved(name)).items():
        assert phrase in text, f"{name} does not say: {phrase}"
        assert holds, f"{name}, what was saved does not bear out: {phrase}"
        rest = rest.replace(phrase, " … ")
    for phrase in DEFINED.get(name, []):
        assert phrase in text
        rest = rest.replace(phrase, " … ")
    rest = re.sub(r"\b(19|20)\d\d\b", "year", rest)
    left = [rest[max(0, at.start() - 40) : at.end() + 30] for at in NUMBER.finditer(rest)]
    assert not left, f"{name}: no claim and no definition has {left}"


def test_a_number_that_was_changed_is_noticed():
    """What the test above is worth: a claim of another record does not stand in the text."""
    found = json.loads(json.dumps(saved("bounds")))
    found["table"][0]["measured"] += 2
    assert any(phrase not in text_of("bounds") for phrase in CLAIMS["bounds"](found))
