r"""The value of an equation as reports show it: its LaTeX, read as arithmetic on the quantities of a tape.

It knows the LaTeX that the derivations are written in, and no more: \nabla, \circ, \sigma, \tanh, \max,
\operatorname{diag}, \top, \sum_t. What it does not know is an error and no value.
"""

import re

import numpy as np

from manual_rnn.activations import sigmoid
from manual_rnn.cells import antisymmetric_rnn

FUNCTIONS = {"sigma": sigmoid, "tanh": np.tanh, "max": np.maximum}
QUANTITY = r"(\\nabla )?([A-Za-z]+(?:_[a-z])?)\((t|t[+-]1|0|1)\)"
Q = r"Q\([^)]*\)"


def left_side(equation):
    """What the equation is of, as a function of t."""
    return plain(equation).partition(" = ")[0]


def plain(latex):
    """Without spaces and the braces of an index that only set it, and without the condition at its end."""
    return re.sub(r"_\{(\w)\}", r"_\1", latex.partition(r", \quad")[0].replace(r"\,", ""))


def value(equation, quantity, matrix):
    """The right side. ``quantity(name, gradient, when)`` has rows at every step; ``matrix(name)`` is a parameter."""
    code = re.sub(QUANTITY, lambda m: f"Q('{m[2]}', {bool(m[1])}, '{m[3]}')", plain(equation).partition(" = ")[2])
    for latex, python in (
        (rf"\\sum_t ({Q}) \\circ ({Q})", r"total(\1 * \2)"),
        (rf"\\sum_t ({Q}) ?({Q})\^\\top", r"outer(\1, \2)"),
        (rf"\\sum_t ({Q})", r"total(\1)"),
        (rf"\b([A-Z](?:_[a-z])?)\^\\top ({Q})", r"(\2 @ M('\1'))"),
        (rf"\b([A-Z](?:_[a-z])?) ({Q})", r"(\2 @ M('\1').T)"),
        (r"\b([b-dp](?:_[a-z])?)(?= \\circ|$| \+)", r"M('\1')"),
        (rf"1_\{{({Q}) > 0\}}", r"(\1 > 0)"),
        (rf"\\tanh\^2 ({Q})", r"tanh(\1)**2"),
        (rf"\\tanh ({Q})", r"tanh(\1)"),
        (rf"\\operatorname\{{diag\}}(.*\)) ?({Q})$", r"\1 * \2"),
        (r"\\(sigma|max)\(", r"\1("),
        (r"\\circ", "*"),
        (r"\^2", "**2"),
        (r"\\varepsilon", f"{antisymmetric_rnn.STEP} * "),
    ):
        code = re.sub(latex, python, code)
    names = {
        **FUNCTIONS, "Q": quantity, "M": matrix, "total": lambda rows: rows.sum(axis=(0, 1)),
        "outer": lambda a, b: np.einsum("tbi,tbj->ij", a, b),
    }  # fmt: skip
    try:
        return eval(code, {"__builtins__": {}}, names)
    except SyntaxError as error:
        raise ValueError(f"{equation} is read as {code}") from error
