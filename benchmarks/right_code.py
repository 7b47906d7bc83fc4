"""Is right code ever called wrong? Many forms of it, whole passes and equations, over 10,000 cases and more.

    python benchmarks/right_code.py [--passes 10] [--examples 150] [--results FILE]

A form is one way to write the same gradients: another layout, another algorithm, another order of the sums, another
formula of tanh. ``check_backward`` judges whole passes, ``verify`` equations; every form gets cases of its own seeds.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from manual_rnn import cells
from manual_rnn.cli.caches import use_compilation_cache
from manual_rnn.provenance import provenance
from manual_rnn.testing import check_backward, verify
from reference import autodiff
from right_passes import right_passes  # before the imports from the tests, which it makes possible

from other_forms import RIGHT_FORMS, RIGHT_FORMS_OF_OTHERS  # isort: skip
from other_orders import FUSED  # isort: skip

RESULTS = Path(__file__).parent / "results" / "right_code.json"


@dataclass
class Row:
    """One form and what was made of it."""

    form: str
    depth: str
    """"whole pass" or "equations"."""
    cases: int = 0
    seconds: float = 0.0
    nearest: float = 0.0
    """The largest error in units of what is allowed: wrong above 1."""
    undecided: int = 0
    """Whole passes: gradients that no case of a run decided. Equations: those that one case could not."""
    alarms: tuple[str, ...] = ()
    """What was called wrong, in the judge's words."""


def whole_passes(runs: int) -> Iterator[Row]:
    """Every form of a whole pass, ``runs`` times with other seeds."""
    for name, options in right_passes().items():
        row = Row(name, "whole pass")
        allowed = 1e-12 if options.get("dtype", "float64") == "float64" else 4500 * 2**-23
        start = time.perf_counter()
        for seed in range(runs):
            report = check_backward(**options, seed=1000 * seed)
            row.cases += sum(report.cases.values())
            row.undecided += sum(check.outcome == "undecided" for check in report.gradients)
            errors = [c.max_relative_error for c in report.gradients if c.max_relative_error is not None]
            row.nearest = max([row.nearest, *(error / allowed for error in errors)])
            row.alarms += tuple(
                f"seed {1000 * seed}: {check.name} {check.outcome}: {check.message}"
                for check in report.checks
                if check.outcome == "wrong"
            )
        row.seconds = time.perf_counter() - start
        yield row


VANILLA = ("rnn", "rnn_relu", "rnn_identity")
"""The cells that the passes with other sums are written for."""


def equations(examples: int) -> Iterator[Row]:
    """Every form of a cell, and every order of the sums, on cases of all families."""
    forms = [(name, cell, None) for name, cell in (RIGHT_FORMS | RIGHT_FORMS_OF_OTHERS).items()]
    forms += [
        (f"{cell}, sums {name}", cells.get(cell), manual) for name, manual in FUSED.items() for cell in VANILLA
    ]
    for seed, (name, cell, manual) in enumerate(forms):
        start = time.perf_counter()
        options = {} if manual is None else {"manual": manual}
        report = verify(cell, autodiff(cell.name), examples=examples, seed=seed, **options)
        alarms = tuple(
            f"seed {seed}: {e.name}, {e.max_error_ulp:.3g} ulp, {e.max_share_of_budget:.3g} of the budget, {e.worst}"
            for e in report.equations
            if not e.agree
        )
        # ``by_length`` has the equation's error and its bound; end to end it is a share already.
        shares = [units / bound for e in report.equations for units, bound in e.by_length.values()]
        shares += [e.max_share_of_budget for e in report.equations]
        total = report.total
        yield Row(name, "equations", total.examples, time.perf_counter() - start, max(shares), total.undecided, alarms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passes", type=int, default=10, help="runs of each whole pass, of some 12 cases each")
    parser.add_argument("--examples", type=int, default=150, help="cases of each form of the equations")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    use_compilation_cache()
    rows = []
    for part in (whole_passes(options.passes), equations(options.examples)):
        for row in part:
            rows.append(row)
            verdict = "right" if not row.alarms else f"{len(row.alarms)} FALSE ALARMS"
            print(f"{row.depth:<10} {row.form:<44} {row.cases:>5} cases, {row.nearest:6.1%} of what is allowed: "
                  f"{verdict}", flush=True)  # fmt: skip
            for alarm in row.alarms:
                print(f"    {alarm}", flush=True)
    total = {
        "forms": len(rows),
        "cases": sum(row.cases for row in rows),
        "false_alarms": sum(len(row.alarms) for row in rows),
        "nearest": max(row.nearest for row in rows),
    }
    print(f"{total['cases']} cases of {total['forms']} forms: {total['false_alarms']} false alarms.")
    about = provenance()
    about["versions"] |= {name: version(name) for name in ("jax", "jaxlib")}
    rows_as_json = [{**asdict(row), "seconds": round(row.seconds, 1)} for row in rows]
    options.results.parent.mkdir(parents=True, exist_ok=True)
    document = {**about, **total, "rows": rows_as_json}
    options.results.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
