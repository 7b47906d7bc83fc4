"""Other ways to the gradient than plain BPTT, one a file; all give the same names as ``loss_and_gradients``.

``truncated_bptt`` goes back through a window only, ``checkpointed_bptt`` through all steps with the memory of a few;
``rtrl`` never goes back; ``parallel_bptt`` goes back in all blocks at once, and
``newton_states`` finds the states of all steps at once. ``hessian_vector`` is one derivative further.
"""

from manual_rnn.ways.checkpointed import checkpointed_bptt
from manual_rnn.ways.given import Answer
from manual_rnn.ways.hessian import Curvature, hessian_vector
from manual_rnn.ways.newton import newton_states
from manual_rnn.ways.parallel import parallel_bptt
from manual_rnn.ways.real_time import rtrl
from manual_rnn.ways.truncated import truncated_bptt

__all__ = [
    "Answer",
    "Curvature",
    "checkpointed_bptt",
    "hessian_vector",
    "newton_states",
    "parallel_bptt",
    "rtrl",
    "truncated_bptt",
]
