"""A study's means as a plane of colours, over two settings that make a full grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from manual_rnn.figures import Theme, headline
from manual_rnn.studies.curves import Draw
from manual_rnn.studies.summary import Summary


def plane(title: str, x: str, y: str, value: str, summaries: Sequence[Summary]) -> Draw | None:
    """A field of colours for each pair of settings; None where a pair is missing, or there is no mean."""
    at = {(s.configuration[x], s.configuration[y]): getattr(s.values[value], "mean", None) for s in summaries}
    columns, rows = sorted({a for a, _ in at}), sorted({b for _, b in at})
    if len(at) < len(columns) * len(rows) or None in at.values():
        return None

    def draw(theme: Theme) -> Any:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5.6, 5.2), layout="constrained")
        axes = figure.add_subplot(xlabel=x, ylabel=y)
        headline(axes, title, f"{value}: mean over seeds")
        means = np.array([[at[a, b] for a in columns] for b in rows])
        mesh = axes.pcolormesh(columns, rows, means, cmap="viridis", rasterized=True, shading="nearest")
        figure.colorbar(mesh, label=value, orientation="horizontal", shrink=0.7, aspect=30)
        return figure

    return draw
