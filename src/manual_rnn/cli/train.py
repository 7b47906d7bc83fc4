"""``manual-rnn train``: a character model on a text, into a run folder."""

from __future__ import annotations

import json as json_format
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from manual_rnn.errors import CommandError, InputError
from manual_rnn.options import TrainingOptions

Flag = Annotated[bool, Parameter(negative=())]


def train(
    text: Path | None = None,
    /,
    *,
    out: Path,
    options: Annotated[TrainingOptions, Parameter(name="*")] = TrainingOptions(),  # noqa: B008 (it is frozen)
    overwrite: Flag = False,
    json: Flag = False,
) -> int:
    """Train a character model with the gradients derived by hand, and keep it in a run folder.

    The last tenth of the text, in order, is the validation set, all of it, with carried state.

    Args:
        text: A text file in UTF-8; without it, English prose that this Python's standard library carries.
        out: The run folder to make: config.json, vocabulary.json, weights.safetensors, metrics.jsonl.
        overwrite: Put the run in the place of one that is there.
        json: Print the last evaluation as one JSON document.
    """
    from threadpoolctl import threadpool_limits

    from manual_rnn import training
    from manual_rnn.cli.progress import TrainingProgress
    from manual_rnn.compiled import needed
    from manual_rnn.evaluation import last_ids
    from manual_rnn.runs import RunFolder
    from manual_rnn.text import Vocabulary, read_text, split
    from manual_rnn.windows import Windows

    options = options.filled()
    if options.compiled:
        try:
            needed()
        except ModuleNotFoundError as error:
            raise InputError(str(error)) from None
    content, source = read_text(text, seq_len=options.seq_len, batch=options.batch)
    vocabulary = Vocabulary.of(content)
    ids = vocabulary.encode(content)
    learnt, kept = split(ids)
    windows = Windows.of(learnt, T=options.seq_len, B=options.batch)
    model = training.start(options, len(vocabulary))
    folder = RunFolder.create(out, _config(options, content, source), vocabulary, overwrite=overwrite)
    progress = TrainingProgress(model, vocabulary, options)

    def keep(metrics: training.Metrics) -> None:
        folder.save_weights(model.network, model.params, update=model.update)
        folder.append_metrics(asdict(metrics))
        progress.evaluated(metrics)

    validation = last_ids(ids, len(kept))
    try:
        with threadpool_limits(options.threads, "blas"), progress:
            last = training.run(
                model, windows, validation, options, on_step=progress.stepped, on_evaluation=keep
            )
    except KeyboardInterrupt:
        if model.update:
            folder.save_weights(model.network, model.params, update=model.update)
            print(f"manual-rnn: the weights after {model.update} updates are in {out}.", file=sys.stderr)
        folder.discard_if_useless()
        raise
    except CommandError:
        folder.discard_if_useless()
        raise
    print(json_format.dumps(asdict(last)) if json else _sentence(last, out))
    return 0


def _sentence(last: Any, out: Path) -> str:
    return (
        f"Validation loss {last.val_nats:.3f} nats per character ({last.val_bits_per_char:.3f} bits) "
        f"after {last.update} updates in {last.seconds:.0f} s. Next: manual-rnn sample {out}"
    )


def _config(options: TrainingOptions, content: str, source: str) -> dict[str, Any]:
    from hashlib import sha256

    from manual_rnn.provenance import provenance

    told = asdict(options)
    told["clip"] = options.clip if math.isfinite(options.clip) else None  # JSON has no infinity
    digest = sha256(content.encode()).hexdigest()
    return {
        "version": 1,
        "options": told,
        "text": {"source": source, "characters": len(content), "sha256": digest},
        **provenance(),
        "dtype": options.dtype,
        "seed": options.seed,
    }
