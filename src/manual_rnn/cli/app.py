"""Puts the commands together, and turns every ending into the contract's exit code and one sentence."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from manual_rnn import __version__
from manual_rnn.cli import (
    compare,
    export,
    info,
    mutation_score,
    new_cell,
    sample,
    study,
    study_report,
    train,
    units,
    verify,
)
from manual_rnn.cli.interruption import heard
from manual_rnn.cli.whole_numbers import converted
from manual_rnn.errors import CommandError, InputError, Interrupted, RunError, UsageError

app = App(
    name="manual-rnn",
    version=__version__,
    help="Recurrent networks with gradients derived by hand, and the judge that proves them against jax.grad.",
    result_action="return_value",
    default_parameter=Parameter(converter=converted),
    suppress_keyboard_interrupt=False,
)
app.command(verify.verify)
app.command(new_cell.new_cell)
app.command(train.train)
app.command(sample.sample)
app.command(export.export)
app.command(compare.compare)
app.command(units.units)
app.command(study.app)
app.command(mutation_score.mutation_score)
app.command(info.info)

study.app.command(study_report.report)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a write says where nothing more can be written."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # ∇ where the locale knows ASCII alone
    try:
        with heard():
            code = app(given, exit_on_error=False, print_error=False)
            sys.stdout.flush()  # here, where a disk that is full can still be told
    except CycloptsError as error:
        return _report(UsageError(f"{str(error).strip()} See manual-rnn --help."), given)
    except CommandError as error:
        return _report(error, given)
    except KeyboardInterrupt:
        return _report(Interrupted("interrupted."), given)
    except BrokenPipeError:  # the reader of our stdout has gone (head, say): nothing is left to be told
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.errno not in FULL or error.filename is not None:
            return _own(error, given)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter tries again as it ends
        return _report(InputError(f"The result cannot be written to stdout: {error.strerror}."), [])
    except MemoryError:
        return _report(RunError("There is not enough memory for this; try smaller sizes."), given)
    except Exception as error:
        return _own(error, given)
    return code if isinstance(code, int) else 0


def _own(error: Exception, given: Sequence[str]) -> int:
    sentence = f"This is a mistake of manual-rnn's own ({type(error).__name__}: {error}); please report it."
    return _report(RunError(sentence, details=traceback.format_exc()), given)


def _report(error: CommandError, given: Sequence[str]) -> int:
    if any(argument in ("--json", "--json=true", "--json=True", "--json=1") for argument in given):
        print(json.dumps({"version": 1, "error": {"kind": error.kind, "message": str(error)}}))
    else:
        print(f"manual-rnn: {error}", file=sys.stderr)
    if error.details:
        print(error.details.rstrip(), file=sys.stderr)
    return error.exit_code
