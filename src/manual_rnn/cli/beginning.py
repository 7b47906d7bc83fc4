"""What a training of ``manual-rnn train`` begins from: a folder that is made, or the last checkpoint of one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from manual_rnn.corpus import Corpus, named, read_corpus
from manual_rnn.errors import InputError, UsageError
from manual_rnn.fitting import advice, fitted
from manual_rnn.options import GivenOptions, TrainingOptions
from manual_rnn.provenance import provenance
from manual_rnn.run_folder import RunFolder, check_place
from manual_rnn.text import DEFAULT_SOURCE
from manual_rnn.text_files import STDIN, is_folder
from manual_rnn.training import Training, start


@dataclass(frozen=True)
class Beginning:
    """What there is before the next update."""

    training: Training
    folder: RunFolder
    options: TrainingOptions
    corpus: Corpus


def begun(stack: ExitStack, texts: Sequence[Path], out: Path, given: GivenOptions, *, overwrite: bool) -> Beginning:
    """A training before its first update, in a folder that is made and held until the stack is closed.

    Raises UsageError and InputError where options, text or folder cannot be used.
    """
    options = given.completed()
    _need(options)
    check_place(out, overwrite=overwrite)  # before a long text is read
    needs = advice(options, given.given)
    corpus = read_corpus(texts, place=_room(out), advice=needs, tell=_tell)
    try:
        options = fitted(options, given.given, len(corpus.ids))
    except ValueError:
        what = f"has only {len(corpus.ids)} characters" if len(corpus.ids) else "is empty"
        raise InputError(f"{_names(texts)} {what}. {needs}") from None
    model = start(options, len(corpus.vocabulary))
    config = _config(options, corpus, _source(texts))
    folder = stack.enter_context(RunFolder.create(out, config, model, corpus.vocabulary, overwrite=overwrite))
    return Beginning(model, folder, options, corpus)


def resumed(stack: ExitStack, texts: Sequence[Path], out: Path, given: GivenOptions) -> Beginning:
    """A training where its last checkpoint left it, in its folder, which is held until the stack is closed.

    Raises UsageError where an option may not be what is given, InputError where folder or text cannot be used.
    """
    folder, found = stack.enter_context(RunFolder.resumed(out, tell=_tell))
    options, model, recorded = found.options.resumed_with(given.given), found.training, found.config["text"]
    if options.steps is not None and options.steps < model.update:
        raise UsageError(f"--steps is {options.steps}, but the run in {out} has made {model.update} updates already.")
    _need(options)
    before = recorded["source"] if isinstance(recorded["source"], list) else [recorded["source"]]
    if not texts and before != [DEFAULT_SOURCE]:
        texts = [Path(one) for one in before]
    needs = f"The run in {out} learns from {_names(before)}, {recorded['characters']} characters in UTF-8"
    needs += "; pipe them in again." if STDIN in before and Path(STDIN) in texts else "."
    corpus = read_corpus(texts, place=_room(out), advice=needs, tell=_tell)
    if corpus.sha256 != recorded["sha256"]:
        raise InputError(
            f"{_names(texts or before)} has another text than the run in {out} learns from: {len(corpus.ids)} "
            f"characters, where {_names(before)} had {recorded['characters']}, or others. Name that text; another one "
            "needs a run of its own."
        )
    model.compiled = options.compiled
    config = {**folder.config, "options": options.to_json(), "text": {**recorded, "source": _source(texts)}}
    folder = replace(folder, config=config)
    folder.save(model)
    return Beginning(model, folder, options, corpus)


def _tell(sentence: str) -> None:
    print(f"manual-rnn: {sentence}", file=sys.stderr)


def _source(texts: Sequence[Path]) -> str | list[str]:
    """Where a text is from, as config.json has it: a list where there are several."""
    paths = [str(path) for path in texts] or [DEFAULT_SOURCE]
    return paths if len(paths) > 1 else paths[0]


def _names(texts: Sequence[Path | str]) -> str:
    """The same in a sentence."""
    names = [named(path) for path in texts]
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _room(out: Path) -> Path:
    """The folder that a run lies in, or will: the ids of a long text are put there."""
    return next(path for path in (out, *out.absolute().parents) if is_folder(path))


def _need(options: TrainingOptions) -> None:
    from manual_rnn import compiled, event_file

    try:
        if options.compiled:
            compiled.needed()
        if options.tensorboard:
            event_file.needed()
    except ModuleNotFoundError as error:
        raise InputError(str(error)) from None


def _config(options: TrainingOptions, corpus: Corpus, source: str | list[str]) -> dict[str, Any]:
    return {
        "version": 1,
        "options": options.to_json(),
        "text": {"source": source, "characters": len(corpus.ids), "sha256": corpus.sha256},
        **provenance(),
        "dtype": options.dtype,
        "seed": options.seed,
    }
