# my_rnn.py
import numpy as np
from manual_rnn import Cell


def forward(node, prev, tap):
    h = tap("h", np.tanh(node.a))
    return {"h": h}


def backward(node, prev, grad, tap):
    grad_a = tap("a", (1 - node.a**2) * grad.h)
    return {"a": grad_a}


my_rnn = Cell("rnn", forward, backward)
