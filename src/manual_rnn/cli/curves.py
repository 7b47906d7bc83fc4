"""The figure that ``manual-rnn train`` leaves in the run folder, at its end and where it is interrupted."""

from __future__ import annotations

import sys
from typing import Any

from manual_rnn.errors import InputError
from manual_rnn.options import TrainingOptions
from manual_rnn.run_folder import CURVES, RunFolder
from manual_rnn.training import Training


def draw_curves(folder: RunFolder, training: Training, options: TrainingOptions) -> None:
    """Draws it anew; without matplotlib it says so on stderr. Raises InputError where the disk takes it not."""
    from manual_rnn.figures import Theme, write_figure
    from manual_rnn.learning_curves import learning_curves

    lines = training.trace.lines
    if not lines:  # all updates were made by a version that kept none
        return

    def drawn(theme: Theme) -> Any:
        return learning_curves(lines, training.history, theme, clip=options.clip, best=options.patience is not None)

    try:
        write_figure(drawn, folder.path / CURVES, png=False)
    except ModuleNotFoundError as error:
        print(f"manual-rnn: no learning curves are drawn. {error}", file=sys.stderr)
    except OSError as error:
        raise InputError(f"{folder.path / CURVES} cannot be written: {error.strerror}.") from None
