"""Which code made a result: a hash of the study's function and of all that it uses in its own file.

Comments, docstrings, blank lines and what the function does not use, the study's grid above all, do not count: a grid
that grows leaves the results that are there valid. What it does not see: what a call changes that stands alone, such as
``RATES.update(sgd=0.1)``; other modules of the user's, and libraries. Of these, manual_rnn's version counts, and the
rest stands in the record of each run.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Iterator
from pathlib import Path

from manual_rnn import __version__
from manual_rnn.studies.study import Function

DIGITS = 8
DOCUMENTED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
UNKNOWN = "0" * DIGITS
"""The version of a function whose source is not to be had: one of a console, or a built-in."""


def version_of(function: Function) -> str:
    """The version of a function that stands in a file, as eight hexadecimal digits."""
    try:
        source = Path(inspect.getsourcefile(function) or "").read_bytes()
    except (OSError, TypeError):
        return UNKNOWN
    return version_in(source, getattr(function, "__name__", ""))


def version_in(source: str | bytes, name: str) -> str:
    """The same of the function under that name in a file's text; bytes are in the encoding that they say."""
    try:
        defined = _definitions(ast.parse(source))
    except (SyntaxError, ValueError):
        return UNKNOWN
    if name not in defined:
        return UNKNOWN
    reached, waiting = {name}, [name]
    while waiting:
        used = {found for node in defined[waiting.pop()] for found in _names(node)} & defined.keys()
        waiting += sorted(used - reached)
        reached |= used
    told = [f"{one} = {_told(node)}" for one in sorted(reached) for node in defined[one]]
    return hashlib.sha256("\n".join([__version__, *told]).encode()).hexdigest()[:DIGITS]


def _definitions(module: ast.Module) -> dict[str, list[ast.stmt]]:
    """Every name of the file and the statements that bind it."""
    defined: dict[str, list[ast.stmt]] = {}
    for statement in module.body:
        for name in _bound(statement):
            defined.setdefault(name, []).append(statement)
    return defined


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a statement binds, or changes what they hold: also where it stands under an if, or a try."""
    if isinstance(node, DOCUMENTED):
        yield node.name
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):  # RATES["sgd"] = 0.1
        yield from _root(node)
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]
    for inner in ast.iter_child_nodes(node):
        yield from _bound(inner)


def _root(node: ast.expr) -> Iterator[str]:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def _names(statement: ast.stmt) -> Iterator[str]:
    return (node.id for node in ast.walk(statement) if isinstance(node, ast.Name))


def _told(node: object) -> str:
    """A syntax tree as a text that is the same in every version of Python (ast.dump's and ast.unparse's are not)."""
    if isinstance(node, ast.AST):
        fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            fields["body"] = node.body[1:]
        inner = ",".join(f"{name}={_told(value)}" for name, value in sorted(fields.items()) if name != "ctx")
        return f"{type(node).__name__}({inner})"
    if isinstance(node, list):
        return f"[{','.join(map(_told, node))}]"
    return repr(node)
