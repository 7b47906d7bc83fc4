"""The tables of the page of benchmarks, one function for each file of benchmarks/results."""

import json
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
MIB = 2**20


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def of(name):
    """Markdown: the table of a results file, and where it was measured. KeyError if no function is there for it."""
    found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return f"{TABLES[name](found)}\n\n{measured_on(found)}"


def measured_on(found):
    """One line: platform, cores, versions, commit. Where each row has its own, the first one's."""
    one = found if "versions" in found else found["rows"][0]
    cores = f", {found['cores']} cores" if "cores" in found else ""
    versions = ", ".join(f"{library} {version}" for library, version in one["versions"].items())
    if "jax" in found:
        versions += f", jax {found['jax']}"
    commit, _, dirty = one["commit"].partition("-")
    changed = " with changes that were not committed" if dirty else ""
    return f"*Measured on {one['platform']}{cores}; {versions}; commit {commit[:10]}{changed}.*"


def seconds(value):
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.3g} ms"


def mib(size):
    return f"{size / MIB:,.1f} MiB"


def judge(found):
    rows = [
        [r["cell"], f"{r['seconds_300_cold']} s", f"{median(r['seconds_300_warm'])} s", f"{r['cases_a_minute']:,}"]
        for r in found["rows"]
    ]
    return table(["cell", "300 cases, first time", "300 cases, again", "cases a minute, at length"], rows)


def mutation_score(found):
    keys = "planted", "failed", "named", "diagnosed", "wrong"
    rows = [[r["cell"], *(f"{r[key]:,}" for key in keys)] for r in found["rows"]]
    return table(["cell", "planted", "failed", "named", "put in words", "in wrong words"], rows)


def right_code(found):
    rows = []
    for depth in dict.fromkeys(r["depth"] for r in found["rows"]):
        of_depth = [r for r in found["rows"] if r["depth"] == depth]
        cases, alarms = sum(r["cases"] for r in of_depth), sum(len(r["alarms"]) for r in of_depth)
        rows.append([depth, len(of_depth), f"{cases:,}", alarms, f"{max(r['nearest'] for r in of_depth):.2f}"])
    return table(["depth", "forms of right code", "cases", "false alarms", "nearest, in shares of the tolerance"], rows)


def peers(found):
    """How long each checker takes at the largest network that it was timed at; the bugs are on the page of its own."""
    last = {t["checker"]: t for t in found["times"]}
    rows = [[name, t["hidden"], f"{t['numbers']:,}", seconds(t["median"])] for name, t in last.items()]
    return table(["checker", "hidden units", "numbers", "time of a check"], rows)


def numerics(found):
    rows = [
        [f["dtype"], f["saturated"], pre, *(f"{error:.1e}" for error in of_cell.values())]
        for f in found["whole_gradients"]
        for pre, of_cell in f["relative_error"].items()
    ]
    names = next(iter(found["whole_gradients"][0]["relative_error"].values()))
    return table(["format", "saturated", "pre-activation", *(f"`{name}`" for name in names)], rows)


def speed(found):
    """In how many of the shapes is another engine the faster one, by the median wall-clock time."""
    engines = {"jax_scan": "JAX, compiled", "torch_modules": "PyTorch", "min_char": "min-char-rnn"}
    rows = []
    for engine, title in engines.items():
        both = [r["times"] for r in found["rows"] if engine in r["times"]]
        ours = sum(_wall(times, engine) < _wall(times, "ours") for times in both)
        compiled = [times for times in both if "ours_compiled" in times]
        behind = sum(_wall(times, engine) < _wall(times, "ours_compiled") for times in compiled)
        rows.append([title, f"{ours} of {len(both)}", f"{behind} of {len(compiled)}"])
    return table(["the other", "is faster than NumPy", "is faster than the compiled pass"], rows)


def _wall(times, engine):
    return median(one["wall"] for one in times[engine])


def memory(found):
    rows = [
        [r["cell"], f"{r['T']:,}", "yes" * r["every_node"] or "no", mib(r["peak"]), f"{r['peak'] / r['formula']:.2f}"]
        for r in found["rows"]
    ]
    return table(["cell", "T", "every node kept", "peak", "peak by formula"], rows)


def checkpointing(found):
    rows = []
    for r in found["rows"]:
        plain = r.get("plain")
        of_plain = [mib(plain["peak_bytes"]), seconds(plain["seconds"]["median"])] if plain else ["not run", "–"]
        own = r["checkpointed"]
        rows.append([r["cell"], f"{r['T']:,}", *of_plain, mib(own["peak_bytes"]), seconds(own["seconds"]["median"])])
    return table(["cell", "T", "plain: peak", "time", "checkpointed: peak", "time"], rows)


def batched(found):
    ways = list(found["rows"][0]["microseconds_a_network"])
    rows = [
        [f"{r['S']}", r["B"], r["n_hidden"], *(f"{r['microseconds_a_network'][way]:.0f}" for way in ways)]
        for r in found["rows"]
    ]
    titles = {"floor": "the products alone"}
    return table(["networks", "batch", "hidden", *(f"{titles.get(way, way)}, µs" for way in ways)], rows)


def diagnostics(found):
    rows = [[r["name"], seconds(r["seconds"]["median"]), mib(r["peak_bytes"])] for r in found["rows"]]
    return table(["diagnostic", "time", "peak memory"], rows)


def study_overhead(found):
    names = {"in_process": "this process", "processes": f"{found['workers']} processes", "dask": "Dask"}
    rows = [
        [title, *(found[key][k] for k in ("milliseconds_a_trial", "rerun_seconds", "status_seconds"))]
        for key, title in names.items()
    ]
    return table(["where it runs", "ms a trial", "s to run it again", "s for its status"], rows)


def sampling(found):
    rows = [
        [
            *(r["cell"], r["hidden"], r["samples"]),
            *(f"{r[engine]['characters_a_second']:,}" for engine in ("ours", "pytorch")),
            r["ratio"],
        ]
        for r in found["rows"]
    ]
    return table(["cell", "hidden", "samples", "characters a second", "PyTorch", "times as many"], rows)


def char_model(found):
    rows = [[*_run(run), f"{run['ms_per_update']['median']:.1f}"] for run in found["runs"]]
    return table(["cell", "hidden", "start", "updates", "validation, nats", "ms an update"], rows)


def char_cells(found):
    """Without times: the machine had other work."""
    return table(["cell", "hidden", "start", "updates", "validation, nats"], [_run(run) for run in found["runs"]])


def _run(run):
    told = run["options"]
    names = {"init": "init", "forget_bias": "forget bias", "chrono": "chrono"}
    start = ", ".join(f"{title} {told[key]}" for key, title in names.items() if told.get(key) is not None)
    return [told["cell"], told["hidden"], start or "–", f"{told['steps']:,}", f"{run['val_nats']:.3f}"]


def big_text(found):
    rows = [[f"{r['megabytes']:,} MB", seconds(r["seconds"]), mib(r["peak"])] for r in found["rows"]]
    return table(["text", "time to the end", "peak memory"], rows)


def training_beside_torch(found):
    rows = [
        [
            r["cell"],
            r["hidden"],
            r["updates"],
            *(f"{r['processor_ms_per_update'][k]['median']:.1f}" for k in ("ours", "ours, compiled", "torch")),
            f"{r['by_ours']['torch']['median']:.2f}",
            f"{r['largest_difference']['val_nats']:.1e}",
        ]
        for r in found["rows"]
    ]
    times = "ours, ms", "compiled, ms", "PyTorch, ms", "PyTorch by ours"
    return table(["cell", "hidden", "updates", *times, "validation apart, nats"], rows)


def ten_minutes(found):
    """A row an evaluation of each training; the file is made by benchmarks/ten_minutes.py."""
    rows = [
        [run["candidate"].replace(",", ", "), f"{at['update']:,}", f"{at['train_nats']:.3f}", f"{at['val_nats']:.3f}"]
        for run in found["trained"]
        for at in run["curve"]
    ]
    return table(["network", "updates", "nats, trained on", "nats, validation set"], rows)


TABLES = {
    made.__name__: made
    for made in (
        *(judge, mutation_score, right_code, peers, numerics),
        *(speed, memory, checkpointing, batched, diagnostics, study_overhead),
        *(char_model, char_cells, training_beside_torch, ten_minutes, sampling, big_text),
    )
} | {"char_cells_seed_1": char_cells}
