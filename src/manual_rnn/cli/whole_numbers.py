"""Options that are whole numbers: 1.5 is refused, where the parser would round it in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from cyclopts import Token, convert


def converted(type_: Any, tokens: Sequence[Token]) -> Any:
    """What the tokens of an option mean, as the parser has it. Raises ValueError where an int is given a fraction."""
    if int in (type_, *get_args(type_)):
        for token in tokens:
            if "." in token.value:
                raise ValueError(f'"{token.value}" is given; a whole number is expected, in digits alone.')
    return convert(type_, tokens)
