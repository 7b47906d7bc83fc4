"""``manual-rnn train``: a character model on a text, into a run folder."""

from __future__ import annotations

import json as json_format
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from manual_rnn.errors import GradientsDisagree, RunError, UsageError
from manual_rnn.options import GivenOptions

if TYPE_CHECKING:
    from manual_rnn.training import Metrics

SAVE_SECONDS = 60
"""How much of a training may be lost at most, where evaluations are further apart."""

Flag = Annotated[bool, Parameter(negative=())]


def train(
    text: Path | None = None,
    /,
    *,
    out: Path,
    options: Annotated[GivenOptions, Parameter(name="*")] = GivenOptions(),  # noqa: B008 (it is frozen)
    resume: Flag = False,
    overwrite: Flag = False,
    json: Flag = False,
) -> int:
    """Train a character model with the gradients derived by hand, and keep it in a run folder.

    The last tenth of the text, in order, is the validation set, all of it, with carried state.

    All that is needed to go on is saved at each evaluation and once a minute; Ctrl-C (or SIGTERM) saves and ends, a
    second one ends at once. With --resume the training goes on as if nothing had happened.

    Args:
        text: A text file in UTF-8; without it, English prose that this Python's standard library carries.
        out: The run folder to make: config.json, vocabulary.json, weights.safetensors, metrics.jsonl,
            samples.jsonl, steps.jsonl, checkpoints, and the learning curves as figures, curves-light.svg and
            curves-dark.svg, with manual-rnn[figures].
        resume: Go on with the run in that folder, with its text and its options; --steps or --seconds, counted from
            the run's beginning, say anew when it ends.
        overwrite: Put the run in the place of one that is there.
        json: Print the last evaluation as one JSON document.
    """
    from threadpoolctl import threadpool_limits

    from manual_rnn import training
    from manual_rnn.cli.beginning import begun, resumed
    from manual_rnn.cli.curves import draw_curves
    from manual_rnn.cli.interruption import AtOnce, Stop
    from manual_rnn.cli.progress import TrainingProgress
    from manual_rnn.cli.trust import Trust
    from manual_rnn.evaluation import last_ids
    from manual_rnn.event_file import event_file
    from manual_rnn.text import split
    from manual_rnn.training_sample import training_sample
    from manual_rnn.windows import Windows

    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other: one goes on with a run, the other replaces it.")
    with ExitStack() as stack:
        stop = stack.enter_context(Stop())
        begins = resumed(stack, text, out, options) if resume else begun(stack, text, out, options, overwrite=overwrite)
        model, folder, told = begins.training, begins.folder, begins.options
        progress = TrainingProgress(model, told)
        events = stack.enter_context(event_file(out, model)) if told.tensorboard else None

        saved = monotonic()

        def stepped(step: training.Step, done: float) -> None:
            nonlocal saved
            progress.stepped(step, done)
            if monotonic() - saved > SAVE_SECONDS:
                folder.save(model)
                saved = monotonic()

        def keep(metrics: training.Metrics) -> None:
            nonlocal saved
            folder.save(model)
            saved = monotonic()
            if events:
                events.add(metrics)
            progress.evaluated(metrics)

        try:
            ids = folder.vocabulary.encode(begins.text)
            learnt, kept = split(ids)
            windows, validation = Windows.of(learnt, T=told.seq_len, B=told.batch), last_ids(ids, len(kept))
            with threadpool_limits(told.threads, "blas"), progress:
                last = training.run(
                    model, windows, validation, told,
                    before_update=Trust(model, told).look, on_step=stepped, on_evaluation=keep,
                    sample=lambda: training_sample(model, folder.vocabulary, seed=told.seed),
                    undisturbed=stop.undisturbed,
                )  # fmt: skip
            with stop.undisturbed():  # a library that is half imported draws no more
                draw_curves(folder, model, told)
        except AtOnce:
            raise
        except KeyboardInterrupt:
            if model.update:
                folder.save(model)
                print(
                    f"manual-rnn: the training after {model.update} updates is in {out}; "
                    f"'manual-rnn train --out {out} --resume' goes on from there.",
                    file=sys.stderr,
                )
                draw_curves(folder, model, told)
            folder.discard_if_useless()
            raise
        except GradientsDisagree:
            if model.update:
                folder.save(model)  # as it is at the update that was not made
                draw_curves(folder, model, told)
            folder.discard_if_useless()
            raise
        except RunError:
            folder.discard_if_useless()
            if out.exists():
                draw_curves(folder, model, told)  # to the failure, which the files are not
            raise
    best = model.best_line if model.best else None
    print(json_format.dumps(asdict(last)) if json else _sentence(last, best or last, out))
    return 0


def _sentence(last: Metrics, shown: Metrics, out: Path) -> str:
    """``shown`` is the evaluation of the weights that are kept."""
    after = f"after {last.update} updates" if shown is last else (
        f"after {shown.update} updates, the best; training ended after {last.update}"
    )  # fmt: skip
    return (
        f"Validation loss {shown.val_nats:.3f} nats per character ({shown.val_bits_per_char:.3f} bits) "
        f"{after} in {last.seconds:.0f} s. Next: manual-rnn sample {out}"
    )
