"""What the model writes at an evaluation: a text drawn in the same way each time, so that only the model differs."""

from __future__ import annotations

import numpy as np

from manual_rnn.sampling import sample_texts
from manual_rnn.text import Vocabulary
from manual_rnn.training import Training, seeds

LENGTH = 200
"""Characters."""


def training_sample(training: Training, vocabulary: Vocabulary, *, seed: int) -> str:
    """The text; ``seed`` is the training's."""
    rngs = [np.random.default_rng(seeds(seed)[1])]
    drawn = sample_texts(training.network, training.params, vocabulary, length=LENGTH, rngs=rngs)
    return "".join(character for (character,) in drawn)
