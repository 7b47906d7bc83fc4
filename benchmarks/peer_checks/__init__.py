"""Other gradient checkers on the bugs that this project's tests plant; ``benchmarks/peers.py`` runs them."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The planted bugs are those of the tests, imported from there: one list, not two.
sys.path.append(str(ROOT / "tests"))
