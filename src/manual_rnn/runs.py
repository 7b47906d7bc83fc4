"""A run folder as it is read for sampling: config.json, vocabulary.json, weights.safetensors, of one run and whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manual_rnn import cells
from manual_rnn.cell import Array
from manual_rnn.check import check_parameters
from manual_rnn.errors import InputError
from manual_rnn.network import Network, stack
from manual_rnn.run_folder import CONFIG, VOCABULARY, WEIGHTS
from manual_rnn.run_identity import identity
from manual_rnn.sealed import Corrupt, unsealed
from manual_rnn.text import Vocabulary
from manual_rnn.text_files import is_folder
from manual_rnn.weights import from_torch


@dataclass(frozen=True)
class Run:
    """What a run folder holds, for sampling."""

    config: dict[str, Any]
    network: Network
    vocabulary: Vocabulary
    params: dict[str, Array]


def load(path: Path) -> Run:
    """Reads a run folder. Raises InputError, naming the file, where one is missing or cannot be used.

    Weights that were put there by another program, which have no checksum, are taken if they fit.
    """
    if not is_folder(path):
        raise InputError(f"There is no run folder {path}; 'manual-rnn train --out {path}' makes one.")
    file = path / CONFIG
    try:
        config = json.loads(_read(file))
        told = config["options"]
        network = stack(cells.get(told["cell"]), layers=told.get("layers", 1))  # which a run of before does not tell
        file = path / VOCABULARY
        characters = json.loads(_read(file))["characters"]
        vocabulary = Vocabulary("".join(characters))
        if list(vocabulary.characters) != sorted(set(characters)) or not characters:
            raise ValueError("it is not a sorted list of different characters")
        if any("\ud800" <= character <= "\udfff" for character in characters):
            raise ValueError("it holds half of a surrogate pair, which no text in UTF-8 has")
        file = path / WEIGHTS
        tensors, document = unsealed(_read(file))
        if document and document["run"] != identity(config, vocabulary.characters):
            raise Corrupt(f"{CONFIG}, {VOCABULARY} and {WEIGHTS} are not of one run, or one was changed")
        params = from_torch(network, tensors)
        n_in, _, n_out = check_parameters(network, params)  # NaN, too
        if not n_in == n_out == len(vocabulary):
            known = len(vocabulary)
            raise ValueError(f"n_in = {n_in} and n_out = {n_out}, but {VOCABULARY} has {known} characters")
    except (KeyError, TypeError):
        raise InputError(f"{file} cannot be used: it lacks what a training writes there.") from None
    except Corrupt as error:
        anew = f"; 'manual-rnn train --out {path} --resume' writes it from the run's checkpoint"
        raise InputError(f"{file} cannot be used: {error}{anew}.") from None
    except ValueError as error:
        raise InputError(f"{file} cannot be used: {str(error).rstrip('.')}.") from None
    return Run(config, network, vocabulary, params)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        why = f"{path.parent} is no run folder, or its training saved nothing"
        raise InputError(f"{path} is missing: {why}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
