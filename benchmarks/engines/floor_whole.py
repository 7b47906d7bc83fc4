"""The matrix products alone, each step's in one piece for all gates: what NumPy code without blocks can come to."""

from __future__ import annotations

from functools import partial

from engines import floor

prepare = partial(floor.prepare, whole=True)
