"""Other ways to the gradient than plain BPTT, one a file; all give the same names as ``loss_and_gradients``.

``truncated_bptt`` goes back through a window only, ``checkpointed_bptt`` through all steps with the memory of a few;
``rtrl`` never goes back.
"""

from manual_rnn.ways.checkpointed import checkpointed_bptt
from manual_rnn.ways.given import Answer
from manual_rnn.ways.real_time import rtrl
from manual_rnn.ways.truncated import truncated_bptt

__all__ = ["Answer", "checkpointed_bptt", "rtrl", "truncated_bptt"]
