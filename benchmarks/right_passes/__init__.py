"""Right backward passes of the vanilla RNN as other people may write them; ``benchmarks/right_code.py`` runs them.

Unless it says otherwise, a pass takes our arrays by our names, time first, and ``dh``, the gradient of h from above.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

# Strangers' codes and other forms of a cell are those of the tests, imported from there: one list, not two.
sys.path.append(str(Path(__file__).parents[2] / "tests"))

from reference import autodiff
from right_passes import conventions, readouts, sums, walks

UPSTREAM = {"against": autodiff("rnn"), "loss": "random"}


def right_passes() -> dict[str, dict[str, Any]]:
    """By the name of the form, the arguments with which ``check_backward`` is called."""
    passes: dict[str, dict[str, Any]] = {}
    for name, backward in (walks.WALKS | sums.PASSES).items():
        passes[name] = {"backward": backward, **UPSTREAM}
        passes[f"{name}, float32"] = {**passes[name], "dtype": "float32"}
    for name, (backward, loss) in readouts.PASSES.items():
        passes[name] = {"backward": backward, "against": autodiff("rnn"), "loss": loss}
        passes[f"{name}, float32"] = {**passes[name], "dtype": "float32"}
    return passes | conventions.PASSES
