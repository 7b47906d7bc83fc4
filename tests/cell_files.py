"""Cells in files of their own, as users hand them to the command line, and what the command line says of them."""

from manual_rnn.cli.app import main

FEW = ["--examples", "10"]
"""A case of each family."""
HEAD = """
import dataclasses
import numpy as np
from manual_rnn import Cell, cells

RNN = cells.get("rnn")


def backward(node, prev, grad, tap):
    return {"a": tap("a", FORMULA)}

"""
RIGHT = HEAD.replace("FORMULA", "(1 - node.h**2) * grad.h") + 'MINE = Cell("mine", RNN.forward, backward, against='
WRONG = HEAD.replace("FORMULA", "(1 + node.h**2) * grad.h")
STEP = """
import jax.numpy as jnp


def step(p, prev, x, tap):
    a = tap("a", p["W"] @ prev["h"] + p["U"] @ x + p["b"])
    return {"h": tap("h", jnp.tanh(a))}

"""


def told(capsys, *arguments):
    """(exit code, stdout, stderr) of a command."""
    code = main([str(argument) for argument in arguments])
    output = capsys.readouterr()
    return code, output.out, output.err
