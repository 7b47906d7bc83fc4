"""The page of benchmarks/speed.py from its numbers."""

from __future__ import annotations

import statistics

NAMES = {
    "floor": "the products alone",
    "floor_whole": "the products, not in blocks",
    "jax_scan": "JAX, compiled",
    "torch_modules": "PyTorch",
    "min_char": "min-char-rnn",
}


BESIDE_COMPILED = {"ours": "NumPy", "jax_scan": NAMES["jax_scan"], "torch_modules": NAMES["torch_modules"]}


def clock(row, shared):
    """Which time counts: on a machine that others use, that of the processor, where there is one thread."""
    return "processor" if shared and row["threads"] == 1 else "wall"


def ratio(row, name, kind, by="ours"):
    """Median, least and greatest, over the rounds, of an engine's time by ours of the same round, or by another's."""
    pairs = zip(row["times"][name], row["times"][by], strict=True)
    ratios = [theirs[kind] / ours[kind] for theirs, ours in pairs]
    return statistics.median(ratios), min(ratios), max(ratios)


def page_of(results):
    """The page's lines."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [
        "# Speed",
        "",
        "Made by `python benchmarks/speed.py --page docs/speed.md`. One pass is the loss, softmax cross-entropy at",
        "each step, and all gradients, of token inputs in float32. Each engine has a process of its own; they are",
        f"asked in turn, {results['rounds']} rounds, and a ratio is of two times of the same round: their median,",
        "and in brackets the least and the greatest. Above 1, this project is ahead; beside the products alone the",
        "ratio is the other way round: our time by theirs. PyTorch brings a BLAS of its own. All keep the memory that",
        "they give back (glibc's MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_MAX_). With one thread a process has one core, as",
        "XLA takes a thread for each that it sees; with two, the pools of BLAS and OpenMP have one or two threads,",
        "whichever is faster by measurement.",
        "",
        "The products alone, by NumPy's BLAS and each in its fastest form, are: W h(t−1) and Σ Wᵀ ∇a(t) at each step,",
        "in blocks as they go here ([blocks.py](../src/manual_rnn/blocks.py)); V h, Vᵀ ∇o and ∇V of all steps; ∇W of",
        "all steps and gates. Nothing else is in them: no sum, no function by element, no U, which is gathered and",
        "scattered. In the next column a step's product is one call for all gates, not in blocks, as one would write",
        "it at first; where our time is below 1 of that, the blocks have won more than all the rest costs.",
        "",
        "Where it falls short, and why. What lies between our time and the products are functions by element, each a",
        "pass over (B, H) arrays of its own in NumPy, and the softmax: the narrower the network, the more they weigh.",
        "PyTorch's LSTM and compiled JAX do them in one pass, as the compiled extra does. With one sequence and few",
        "steps it is Python around the steps that weighs: checks, tapes, the readout. The compiled extra hardly gains",
        "from a second thread: with two of them and 512 units it is behind NumPy, and behind the others.",
        "",
        f"{results['platform']}, {results['cores']} cores; {versions}; commit {results['commit']}.",
    ]
    if results["shared"]:
        lines += [
            "",
            "**Other programs ran on the machine at the same time.** At one thread the times are of the processor,",
            "which leaves out waiting for it; at two threads they are of the wall clock, and say little.",
        ]
    for threads in dict.fromkeys(row["threads"] for row in results["rows"]):
        rows = [row for row in results["rows"] if row["threads"] == threads]
        kind = clock(rows[0], results["shared"])
        lines += ["", f"## {threads} thread{'s' * (threads > 1)}", ""]
        lines += ["| cell | T, B, vocabulary, H | ours, ms | " + " | ".join(NAMES.values()) + " |"]
        lines += ["|---" * (3 + len(NAMES)) + "|"]
        lines += [_line(row, kind) for row in rows]
        lines += _means([row for row in rows if row["shape"][1] >= 16], kind)
        lines += _compiled([row for row in rows if "ours_compiled" in row["times"]], kind)
    return lines


def _means(rows, kind):
    """A paragraph: geometric means over the shapes of more than a few rows, by cell."""
    said = []
    for cell in dict.fromkeys(row["cell"] for row in rows):
        of_cell = [row for row in rows if row["cell"] == cell]
        means = [
            f"{statistics.geometric_mean(ratio(row, name, kind)[0] for row in of_cell):.2f} × {NAMES[name]}"
            for name in ("jax_scan", "torch_modules")
            if all(name in row["times"] for row in of_cell)
        ]
        said.append(f"{cell} {' and '.join(means)}")
    return ["", f"Geometric means at B ≥ 16: {'; '.join(said)}."] if said else []


def _compiled(rows, kind):
    """A table: the extra "fast" beside NumPy and the compilers."""
    if not rows:
        return []
    lines = [
        "",
        "With `compiled=True`, the extra `manual-rnn[fast]`, its time and how many times as long the others take;",
        "the first call, which compiles, is not in it:",
        "",
        "| cell | T, B, vocabulary, H | compiled, ms | " + " | ".join(BESIDE_COMPILED.values()) + " |",
        "|---" * (3 + len(BESIDE_COMPILED)) + "|",
    ]
    for row in rows:
        ours = statistics.median(time[kind] for time in row["times"]["ours_compiled"]) * 1000
        found = [
            "{:.2f} ({:.2f}–{:.2f})".format(*ratio(row, name, kind, "ours_compiled")) if name in row["times"] else "–"
            for name in BESIDE_COMPILED
        ]
        lines.append(f"| {row['cell']} | {', '.join(map(str, row['shape']))} | {ours:.3g} | {' | '.join(found)} |")
    return lines


def _line(row, kind):
    ours = statistics.median(time[kind] for time in row["times"]["ours"]) * 1000
    cells = [_said(row, name, kind) for name in NAMES]
    return f"| {row['cell']} | {', '.join(map(str, row['shape']))} | {ours:.3g} | " + " | ".join(cells) + " |"


def _said(row, name, kind):
    if name not in row["times"]:
        return "–"
    found = ratio(row, name, kind)
    middle, least, greatest = (1 / r for r in (found[0], found[2], found[1])) if "floor" in name else found
    return f"{middle:.2f} ({least:.2f}–{greatest:.2f})"
