"""``manual-rnn train``: a character model on a text, into a run folder."""

from __future__ import annotations

import json as json_format
import sys
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from manual_rnn.errors import InputError, RunError, UsageError
from manual_rnn.options import GivenOptions, TrainingOptions

if TYPE_CHECKING:
    from manual_rnn.run_folder import RunFolder
    from manual_rnn.training import Metrics, Training

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

    All that is needed to go on is saved at each evaluation; Ctrl-C (or SIGTERM) saves and ends, a second one ends at
    once. With --resume the training goes on as if nothing had happened.

    Args:
        text: A text file in UTF-8; without it, English prose that this Python's standard library carries.
        out: The run folder to make: config.json, vocabulary.json, weights.safetensors, metrics.jsonl, checkpoints.
        resume: Go on with the run in that folder, with its text and its options; --steps or --seconds, counted from
            the run's beginning, say anew when it ends.
        overwrite: Put the run in the place of one that is there.
        json: Print the last evaluation as one JSON document.
    """
    from threadpoolctl import threadpool_limits

    from manual_rnn import training
    from manual_rnn.cli.interruption import AtOnce, Stop
    from manual_rnn.cli.progress import TrainingProgress
    from manual_rnn.evaluation import last_ids
    from manual_rnn.text import split
    from manual_rnn.windows import Windows

    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other: one goes on with a run, the other replaces it.")
    with ExitStack() as stack:
        stop = stack.enter_context(Stop())
        begin = _resumed if resume else _begun
        model, folder, told, content = begin(stack, text, out, options, overwrite=overwrite)
        ids = folder.vocabulary.encode(content)
        learnt, kept = split(ids)
        windows, validation = Windows.of(learnt, T=told.seq_len, B=told.batch), last_ids(ids, len(kept))
        progress = TrainingProgress(model, folder.vocabulary, told)

        def keep(metrics: training.Metrics) -> None:
            folder.save(model)
            progress.evaluated(metrics)

        try:
            with threadpool_limits(told.threads, "blas"), progress:
                last = training.run(
                    model, windows, validation, told,
                    on_step=progress.stepped, on_evaluation=keep, undisturbed=stop.undisturbed,
                )  # fmt: skip
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
            folder.discard_if_useless()
            raise
        except RunError:
            folder.discard_if_useless()
            raise
    print(json_format.dumps(asdict(last)) if json else _sentence(last, out))
    return 0


def _begun(
    stack: ExitStack, text: Path | None, out: Path, given: GivenOptions, *, overwrite: bool
) -> tuple[Training, RunFolder, TrainingOptions, str]:
    """A training before its first update, in a folder of its own, and the text."""
    from manual_rnn.run_folder import RunFolder
    from manual_rnn.text import Vocabulary, read_text
    from manual_rnn.training import start

    options = given.completed()
    _need(options)
    content, source = read_text(text, seq_len=options.seq_len, batch=options.batch)
    vocabulary = Vocabulary.of(content)
    model = start(options, len(vocabulary))
    config = _config(options, content, source)
    folder = stack.enter_context(RunFolder.create(out, config, model, vocabulary, overwrite=overwrite))
    return model, folder, options, content


def _resumed(
    stack: ExitStack, text: Path | None, out: Path, given: GivenOptions, *, overwrite: bool
) -> tuple[Training, RunFolder, TrainingOptions, str]:
    """A training where its last checkpoint left it, in its folder, and the text."""
    from manual_rnn.run_folder import RunFolder
    from manual_rnn.text import DEFAULT_SOURCE, read_text

    def tell(sentence: str) -> None:
        print(f"manual-rnn: {sentence}", file=sys.stderr)

    folder, found = stack.enter_context(RunFolder.resumed(out, tell=tell))
    options, model, recorded = found.options.resumed_with(given.given), found.training, found.config["text"]
    if options.steps is not None and options.steps < model.update:
        raise UsageError(f"--steps is {options.steps}, but the run in {out} has made {model.update} updates already.")
    _need(options)
    if text is None and recorded["source"] != DEFAULT_SOURCE:
        text = Path(recorded["source"])
    content, source = read_text(text, seq_len=options.seq_len, batch=options.batch)
    if _digest(content) != recorded["sha256"]:
        raise InputError(
            f"{source} has another text than the run in {out} learns from: {len(content)} characters, where "
            f"{recorded['source']} had {recorded['characters']}, or others. Name that text; another one needs a run of "
            "its own."
        )
    model.compiled = options.compiled
    config = {**folder.config, "options": options.to_json(), "text": {**recorded, "source": source}}
    folder = replace(folder, config=config)
    folder.save(model)
    return model, folder, options, content


def _need(options: TrainingOptions) -> None:
    from manual_rnn.compiled import needed

    if options.compiled:
        try:
            needed()
        except ModuleNotFoundError as error:
            raise InputError(str(error)) from None


def _sentence(last: Metrics, out: Path) -> str:
    return (
        f"Validation loss {last.val_nats:.3f} nats per character ({last.val_bits_per_char:.3f} bits) "
        f"after {last.update} updates in {last.seconds:.0f} s. Next: manual-rnn sample {out}"
    )


def _digest(content: str) -> str:
    from hashlib import sha256

    return sha256(content.encode()).hexdigest()


def _config(options: TrainingOptions, content: str, source: str) -> dict[str, Any]:
    from manual_rnn.provenance import provenance

    return {
        "version": 1,
        "options": options.to_json(),
        "text": {"source": source, "characters": len(content), "sha256": _digest(content)},
        **provenance(),
        "dtype": options.dtype,
        "seed": options.seed,
    }
