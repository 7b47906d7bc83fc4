"""The page of benchmarks/speed.py from its numbers."""

from __future__ import annotations

import statistics

NAMES = {
    "floor": "the products alone",
    "jax_scan": "JAX, compiled",
    "torch_modules": "PyTorch",
    "min_char": "min-char-rnn",
}


def clock(row, shared):
    """Which time counts: on a machine that others use, that of the processor, where there is one thread."""
    return "processor" if shared and row["threads"] == 1 else "wall"


def ratio(row, name, kind):
    """Median, least and greatest, over the rounds, of an engine's time by ours of the same round."""
    pairs = zip(row["times"][name], row["times"]["ours"], strict=True)
    ratios = [theirs[kind] / ours[kind] for theirs, ours in pairs]
    return statistics.median(ratios), min(ratios), max(ratios)


def page_of(results):
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines = [
        "# Speed",
        "",
        "Made by `python benchmarks/speed.py --page docs/speed.md`. One pass is the loss, softmax cross-entropy at",
        "each step, and all gradients, of token inputs in float32. Each engine has a process of its own; they are",
        f"asked in turn, {results['rounds']} rounds, and a ratio is of two times of the same round: their median,",
        "and in brackets the least and the greatest. Above 1, this project is ahead; beside the products alone, by",
        "NumPy's BLAS, the ratio is the other way round: our time by theirs. PyTorch brings a BLAS of its own. All",
        "keep the memory that they give back (glibc's MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_MAX_).",
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
        lines += ["| cell | T, B, vocabulary, H | ours, ms | " + " | ".join(NAMES.values()) + " |", "|---" * 7 + "|"]
        lines += [_line(row, kind) for row in rows]
    return "\n".join(lines) + "\n"


def _line(row, kind):
    ours = statistics.median(time[kind] for time in row["times"]["ours"]) * 1000
    cells = [_said(row, name, kind) for name in NAMES]
    return f"| {row['cell']} | {', '.join(map(str, row['shape']))} | {ours:.3g} | " + " | ".join(cells) + " |"


def _said(row, name, kind):
    if name not in row["times"]:
        return "–"
    found = ratio(row, name, kind)
    middle, least, greatest = (1 / r for r in (found[0], found[2], found[1])) if name == "floor" else found
    return f"{middle:.2f} ({least:.2f}–{greatest:.2f})"
