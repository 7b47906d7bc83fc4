"""Recurrent networks from scratch, with gradients derived by hand. NumPy only.

``cells`` holds one derivation a file, ``bptt`` goes back through time, ``testing`` proves it against an oracle.
"""

from manual_rnn import cells
from manual_rnn.bptt import Result, loss_and_gradients
from manual_rnn.cell import Affine, Cell
from manual_rnn.initialisation import initialise

__all__ = ["Affine", "Cell", "Result", "__version__", "cells", "initialise", "loss_and_gradients"]

__version__ = "0.1.0"
