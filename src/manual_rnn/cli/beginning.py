"""What a training of ``manual-rnn train`` begins from: a folder that is made, or the last checkpoint of one."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from manual_rnn.errors import InputError, UsageError
from manual_rnn.options import GivenOptions, TrainingOptions
from manual_rnn.provenance import provenance
from manual_rnn.run_folder import RunFolder
from manual_rnn.text import DEFAULT_SOURCE, Vocabulary, read_text
from manual_rnn.training import Training, start


@dataclass(frozen=True)
class Beginning:
    """What there is before the next update."""

    training: Training
    folder: RunFolder
    options: TrainingOptions
    text: str


def begun(stack: ExitStack, text: Path | None, out: Path, given: GivenOptions, *, overwrite: bool) -> Beginning:
    """A training before its first update, in a folder that is made and held until the stack is closed.

    Raises UsageError and InputError where options, text or folder cannot be used.
    """
    options = given.completed()
    _need(options)
    content, source = read_text(text, seq_len=options.seq_len, batch=options.batch)
    vocabulary = Vocabulary.of(content)
    model = start(options, len(vocabulary))
    config = _config(options, content, source)
    folder = stack.enter_context(RunFolder.create(out, config, model, vocabulary, overwrite=overwrite))
    return Beginning(model, folder, options, content)


def resumed(stack: ExitStack, text: Path | None, out: Path, given: GivenOptions) -> Beginning:
    """A training where its last checkpoint left it, in its folder, which is held until the stack is closed.

    Raises UsageError where an option may not be what is given, InputError where folder or text cannot be used.
    """
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
    return Beginning(model, folder, options, content)


def _need(options: TrainingOptions) -> None:
    from manual_rnn import compiled, event_file

    try:
        if options.compiled:
            compiled.needed()
        if options.tensorboard:
            event_file.needed()
    except ModuleNotFoundError as error:
        raise InputError(str(error)) from None


def _digest(content: str) -> str:
    return sha256(content.encode()).hexdigest()


def _config(options: TrainingOptions, content: str, source: str) -> dict[str, Any]:
    return {
        "version": 1,
        "options": options.to_json(),
        "text": {"source": source, "characters": len(content), "sha256": _digest(content)},
        **provenance(),
        "dtype": options.dtype,
        "seed": options.seed,
    }
