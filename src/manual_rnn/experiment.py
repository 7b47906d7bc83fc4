"""What every experiment does around its measurement: options, a table beside theory, a checked figure, a record::

    def main(*, units: int = 200, seed: int = 0, out: Path = Path("out/NAME")) -> int: ...

    if __name__ == "__main__":
        raise SystemExit(experiment.run(main, __doc__, quick={"units": 20}))

No figure is written whose cross-check fails, and none without one.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from manual_rnn.aligned import aligned
from manual_rnn.errors import CommandError
from manual_rnn.experiment_command import command
from manual_rnn.figures import Theme, write_figure
from manual_rnn.provenance import provenance

T = TypeVar("T")
LIBRARIES = ("jax", "matplotlib", "scipy", "xarray")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of an experiment's table: what was measured, what theory says, and whether the measurement is right."""

    what: str
    measured: float
    standard_error: float | None = None
    """Over networks, seeds or blocks; None where the number is exact but for rounding."""
    theory: float | None = None
    """None where no closed form exists."""
    check: str = ""
    """What the cross-check found, in a few words; empty where another line of the table carries it."""
    agree: bool = True
    """Whether the cross-check agrees."""

    @property
    def deviation(self) -> float | None:
        """Measured less theory."""
        return None if self.theory is None else self.measured - self.theory

    @property
    def in_standard_errors(self) -> float | None:
        """The same in standard errors."""
        return None if self.deviation is None or not self.standard_error else self.deviation / self.standard_error


def run(
    main: Callable[..., int],
    doc: str | None,
    arguments: Sequence[str] | None = None,
    *,
    quick: Mapping[str, Any] | None = None,
) -> int:
    """Runs an experiment from the command line; its exit code. ``quick`` is what ``--quick`` sets, by parameter.

    What cannot be measured or written is one sentence and code 3; what an oracle disagrees with, one and code 1; an
    option that ``--quick`` sets as well, one and code 2. ``--out`` is looked at before anything is measured.
    """
    import cyclopts
    from threadpoolctl import threadpool_limits

    app = cyclopts.App(help=(doc or "").strip().splitlines()[0].lstrip("r"), result_action="return_value")
    app.default(command(main, quick or {}))
    try:
        from manual_rnn.diagnostics import Disagreement
        from manual_rnn.theory.extras import scipy_or_sentence

        scipy_or_sentence("linalg")  # now, for the threads of what is loaded later are not limited

        try:
            with threadpool_limits(1):  # products this small only wait for further threads
                code: int = app(arguments)
        except Disagreement as error:
            print(f"{error} No figure is written.", file=sys.stderr)
            return 1
    except OSError as error:
        print(f"A file cannot be read or written: {error}. Figure and numbers go to --out.", file=sys.stderr)
        return 3
    except (ValueError, ModuleNotFoundError, CommandError) as error:
        print(f"This cannot be measured. {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, CommandError) else 3
    return code


def progress(items: Iterable[T], what: str, total: int) -> Iterable[T]:
    """The items one by one, with a bar on stderr where that is a terminal; a pipe gets not one byte."""
    from rich.console import Console
    from rich.progress import track

    return track(items, what, total, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def table(lines: Sequence[Line]) -> str:
    """The lines below each other: measured, theory, deviation in itself and in standard errors, cross-check."""
    rows = [("", "measured", "theory", "deviation", "", "cross-check")]
    for line in lines:
        spread = "" if line.standard_error is None else f" ± {line.standard_error:.2g}"
        off = line.in_standard_errors
        check = line.check if line.agree or not line.check else f"{line.check} — DISAGREES"
        rows.append((
            line.what, f"{line.measured:.5g}{spread}", "" if line.theory is None else f"{line.theory:.5g}",
            "" if line.deviation is None else f"{line.deviation:+.2g}", "" if off is None else f"{off:+.1f} s.e.",
            check,
        ))  # fmt: skip
    return aligned(rows)


def publish(
    name: str, lines: Sequence[Line], draw: Callable[[Theme], Any], out: Path, *, record: Mapping[str, Any]
) -> int:
    """Prints the table; writes the figure in two themes, a PNG and ``NAME.json`` to a folder; returns the exit code.

    ``record`` is what the figure was made with and from: options, seeds, curves; JSON's types, and null for a number
    that is not finite. Code 1, and nothing written, where a cross-check disagrees.

    Raises ValueError where no line has a cross-check.
    """
    print(table(lines))
    if not any(line.check for line in lines):
        raise ValueError("No line of the table has a cross-check, and no figure is written without one.")
    if not all(line.agree for line in lines):
        print("A cross-check disagrees where the table says so; no figure is written.", file=sys.stderr)
        return 1
    paths = write_figure(draw, out / name)
    libraries = {library: sys.modules[library].__version__ for library in LIBRARIES if library in sys.modules}
    document = _json({**record, **provenance(), "libraries": libraries, "table": [_told(line) for line in lines]})
    text = json.dumps(document, indent=1, allow_nan=False, default=lambda scalar: scalar.item())  # NumPy's
    (out / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(f"{', '.join(path.name for path in paths)} and {name}.json are in {out}.")
    return 0


def _told(line: Line) -> dict[str, Any]:
    return asdict(line) | {"deviation": line.deviation, "in_standard_errors": line.in_standard_errors}


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value  # JSON has no infinity
