"""A program of steps written out as Python source, for a compiler (:mod:`manual_rnn.compiled`).

One loop over the steps, in it one over the rows, in it one over the elements for each result that is kept; what is in
between is not stored, or one row of it. There is no size in the source: it is the same for all of a cell.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isfinite

import numpy as np

from manual_rnn.cell import Array
from manual_rnn.expression import Unreadable
from manual_rnn.program import Between, Function, Operand, Program, Rows, Same, shape_of, where
from manual_rnn.walk import gather, go_on, hand_to

OPERATORS = {np.add: "+", np.subtract: "-", np.multiply: "*", np.true_divide: "/"}
MOST_READ = 7
"""Arrays that one loop reads: with more, the compiler gives up proving that they do not overlap what is written."""
NUMBERS = ("offset", "length", "t", "s", "k", "b", "j")
"""What the function is told of an operand: where it begins, how many steps it has, strides of its axes, in elements."""


@dataclass(frozen=True)
class Tree:
    """What a loop computes at one element: a function of trees, or an operand."""

    of: Function | Operand
    parts: tuple[Tree, ...] = ()

    def leaves(self) -> list[Operand]:
        if isinstance(self.of, Operand):
            return [self.of]
        return list(dict.fromkeys(leaf for part in self.parts for leaf in part.leaves()))


class Writer:
    """Writes a program's source; ``places`` has the arrays of what is stored in between."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.index: dict[Operand, int] = {}
        """By operand, its number in the source."""
        self.places: dict[Between, Array] = {}
        self.sizes: list[int] = []
        """Numbers that the function is told beside B and n."""
        self.written: set[Operand] = {out for _, _, out in program.calls}
        self._waiting: dict[Between, Tree] = {}
        """What is computed within the loop that reads it, if nothing that it reads is written before."""
        self._body: list[str] = []
        self._in_rows = False
        self._uses = Counter(o for _, operands, _ in program.calls for o in operands)
        self._local = _within_rows(program)
        for function, operands, out in program.calls:
            self._add(function, operands, out)

    def source(self) -> str:
        """A function of the number of steps, whether it goes backwards, all numbers, and the operands' memory."""
        lines = [f"def steps(T, backwards, at, {', '.join(f'a{i}' for i in self.index.values())}):"]
        names = ["B", "n", *(f"size{i}" for i in range(len(self.sizes)))]
        names += [f"{name}{i}" for i in self.index.values() for name in NUMBERS]
        lines += [f"    {name} = at[{k}]" for k, name in enumerate(names)]
        lines += ["    for s in range(T):", "        t = T - ONE - s if backwards else s"]
        for operand, i in self.index.items():
            step = f" + (t if t < length{i} else t % length{i}) * t{i}" if isinstance(operand, Rows) else ""
            lines.append(f"        x{i} = offset{i}{step}")
        return "\n".join([*lines, *self._body, ""])

    def _add(self, function: Function, operands: tuple[Operand, ...], out: Operand) -> None:
        if function is np.matmul:
            rows, blocks = operands
            self._product(rows, blocks, out)
        elif function is gather:
            table, ids = operands
            self._gather(table, ids, out)
        elif function is go_on:
            left, here = operands
            self._store(Tree(where, (Tree(here), Tree(left), Tree(out))), out)
        elif function is hand_to:
            fresh, here = operands
            total = Tree(np.add, (Tree(fresh), Tree(out)))
            self._store(Tree(where, (Tree(here), total, Tree(fresh))), fresh)
            self._store(Tree(where, (Tree(here), Tree(Same(np.zeros((), self.program.dtype))), Tree(out))), out)
        else:
            parts = [self._waiting.pop(o, Tree(o)) if isinstance(o, Between) else Tree(o) for o in operands]
            if len(Tree(function, tuple(parts)).leaves()) > MOST_READ:
                parts = [self._stored(part, o) for part, o in zip(parts, operands, strict=True)]
            tree = Tree(function, tuple(parts))
            if isinstance(out, Between) and self._uses[out] == 1:
                self._waiting[out] = tree
            else:
                self._store(tree, out)

    def _stored(self, tree: Tree, operand: Operand) -> Tree:
        if not isinstance(tree.of, Operand):
            self._store(tree, operand)
        return Tree(operand)

    def _store(self, tree: Tree, out: Operand) -> None:
        """A loop that computes the elements of ``out``."""
        if isinstance(out, Between):
            B = 1 if out in self._local else out.shape[-2]
            self.places[out] = np.empty((*out.shape[:-2], B, out.shape[-1]), out.dtype)
        else:
            for between, waiting in list(self._waiting.items()):
                if any(_may_overlap(leaf, out) for leaf in waiting.leaves()):
                    del self._waiting[between]
                    self._store(waiting, between)
        B, n = self.program.shape
        shape = shape_of(out)
        if shape[-2:] != (B, n) or len(shape) > 3:
            raise Unreadable(f"a result of the shape {shape}")
        if not self._in_rows:
            self._body.append("        for b in range(B):")
            self._in_rows = True
        several, indent = len(shape) == 3, "            "
        if several:
            self._body.append(f"{indent}for k in range({self._size(shape[0])}):")
            indent += "    "
        touched = [self._number(operand) for operand in (*tree.leaves(), out) if shape_of(operand)]
        for operand in dict.fromkeys(touched):
            k = f" + k * k{operand}" if several else ""
            self._body.append(f"{indent}y{operand} = x{operand} + b * b{operand}{k}")
        self._body.append(f"{indent}for j in range(n):")
        self._body.append(f"{indent}    {self._element(out)} = {self._text(tree)}")

    def _text(self, tree: Tree) -> str:
        if isinstance(tree.of, Operand):
            return self._element(tree.of)
        function, parts = tree.of, [self._text(part) for part in tree.parts]
        if function in OPERATORS:
            return f"({parts[0]} {OPERATORS[function]} {parts[1]})"
        if function is where:
            return f"({parts[1]} if {parts[0]} else {parts[2]})"
        if function is np.positive:
            return parts[0]
        name: str = function.__name__
        if getattr(np, name, None) is not function:
            raise Unreadable(f"{function} has no compiled form")
        return f"{name if function in (np.exp, np.tanh) else f'np.{name}'}({', '.join(parts)})"

    def _element(self, operand: Operand) -> str:
        shape = shape_of(operand)
        if not shape and isinstance(operand, Same):
            value = float(operand.array)
            return f"real({value!r})" if isfinite(value) else f"real(np.{value})"
        i = self._number(operand)
        return f"a{i}[y{i}]" if shape[-1] == 1 != self.program.shape[-1] else f"a{i}[y{i} + j]"

    def _gather(self, table: Operand, ids: Operand, out: Operand) -> None:
        self._in_rows = False
        t, i, o = map(self._number, (table, ids, out))
        self._body += [
            f"        for k in range({self._size(shape_of(out)[0])}):",
            "            for b in range(B):",
            f"                row = x{t} + k * k{t} + np.uint64(a{i}[x{i} + b * j{i}]) * b{t}",
            f"                y{o} = x{o} + k * k{o} + b * b{o}",
            "                for j in range(n):",
            f"                    a{o}[y{o} + j] = a{t}[row + j]",
        ]

    def _product(self, rows: Operand, blocks: Operand, out: Operand) -> None:
        for operand in (rows, blocks):
            if isinstance(operand, Between) and operand in self._waiting:
                self._store(self._waiting.pop(operand), operand)
        self._in_rows = False
        S, K, B, n = (1,) * (4 - len(shape_of(out))) + shape_of(out)
        r, w, o = map(self._number, (rows, blocks, out))
        m = shape_of(rows)[-1]
        at = [f"x{i} + s_ * s{i} + k * k{i}" for i in (r, w, o)]
        sizes = [self._size(number) for number in (S, K, m, n)]
        call = (
            f"row_product(a{r}, {at[0]}, a{w}, {at[1]}, a{o}, {at[2]}, {sizes[2]}, {sizes[3]})"
            if B == 1
            else f"block_product(a{r}, {at[0]}, a{w}, {at[1]}, a{o}, {at[2]}, b{o}, B, {sizes[2]}, {sizes[3]})"
        )
        self._body += [
            f"        for s_ in range({sizes[0]}):",
            f"            for k in range({sizes[1]}):",
            f"                {call}",
        ]

    def _size(self, number: int) -> str:
        self.sizes.append(number)
        return f"size{len(self.sizes) - 1}"

    def _number(self, operand: Operand) -> int:
        return self.index.setdefault(operand, len(self.index))


def _within_rows(program: Program) -> set[Operand]:
    """What is made and read in one loop over the rows: one row of it is all there ever is, and stays near."""
    loop, seen_in = 0, dict[Operand, set[int]]()
    for function, operands, out in program.calls:
        loop += function in (np.matmul, gather)
        for operand in (*operands, out):
            seen_in.setdefault(operand, set()).add(-1 if function in (np.matmul, gather) else loop)
    return {operand for operand, loops in seen_in.items() if len(loops) == 1 and loops != {-1}}


def _may_overlap(a: Operand, b: Operand) -> bool:
    if isinstance(a, Between) or isinstance(b, Between):
        return a is b
    return np.may_share_memory(a.array, b.array)
