"""Scipy belongs to the extra "figures": imported where it is used, its absence told in one sentence."""

from __future__ import annotations

import importlib
from typing import Any


def scipy_or_sentence(submodule: str) -> Any:
    """The submodule of scipy of this name. Raises ModuleNotFoundError, with what to do, without scipy."""
    try:
        return importlib.import_module(f"scipy.{submodule}")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "This needs scipy, which is not installed; "
            'it comes with: pip install "manual-rnn[figures]".',
            name="scipy",
        ) from error
