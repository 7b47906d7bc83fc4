"""Recurrent networks from scratch, with gradients derived by hand. NumPy only.

``cells`` holds one derivation a file, ``bptt`` goes back through time, ``testing`` proves it against an oracle.
"""

from manual_rnn import cells
from manual_rnn.cell import Affine, Cell
from manual_rnn.gradients import Result, loss_and_gradients
from manual_rnn.initialisation import initialise
from manual_rnn.network import Network, stack

__all__ = ["Affine", "Cell", "Network", "Result", "__version__", "cells", "initialise", "loss_and_gradients", "stack"]

__version__ = "0.1.0"
