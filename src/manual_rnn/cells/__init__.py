"""The cells, one derivation a file. A file in this folder that defines ``CELL`` is a cell: no registry to edit."""

from __future__ import annotations

import importlib
import pkgutil

from manual_rnn.cell import Cell


def names() -> list[str]:
    """The names of all built-in cells, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def get(name: str) -> Cell:
    """The built-in cell of this name. Raises ValueError, naming those that exist, if there is none."""
    if name not in names():
        raise ValueError(f"There is no cell named {name!r}; the built-in cells are {', '.join(names())}.")
    cell: Cell = importlib.import_module(f"{__name__}.{name}").CELL
    return cell
