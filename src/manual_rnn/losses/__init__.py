"""The losses, one derivation a file. A file in this folder that defines ``LOSS`` is a loss: no registry to edit."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from manual_rnn.loss import Loss


@cache
def names() -> list[str]:
    """The names of all losses, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def get(name: str) -> Loss:
    """The loss of this name. Raises ValueError, naming those that exist, if there is none."""
    if not isinstance(name, str) or name not in names():
        raise ValueError(f"There is no loss named {name!r}; the losses are {', '.join(names())}.")
    return _of_file(name)


@cache  # every pass asks
def _of_file(name: str) -> Loss:
    loss: Loss = importlib.import_module(f"{__name__}.{name}").LOSS
    return loss
