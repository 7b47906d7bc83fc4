"""For the whole suite: Hypothesis profiles, JAX's compilation cache, which turns minutes into seconds, a fixture.

``pytest --hypothesis-profile=thorough`` draws some 170 times as many examples, and runs what is marked
``thorough`` as well: the product with all cells where in every run one of each kind stands for it (thorough.py).
``pytest -m thorough`` runs that part alone, with the usual number of examples.
"""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from manual_rnn import training_sample
from manual_rnn.cli.caches import use_compilation_cache
from manual_rnn.testing import diagnosis

COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=12, **COMMON)
settings.register_profile("ci", max_examples=12, derandomize=True, database=None, print_blob=True, **COMMON)
settings.register_profile("thorough", max_examples=2000, **COMMON)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

use_compilation_cache()
# What a script starts with "&" ignores Ctrl-C, and so would the commands that the tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    """Leaves what is marked thorough to the thorough run; what is named by its mark or by itself runs in any."""
    named = "thorough" in config.getoption("markexpr") or any("::" in argument for argument in config.args)
    if named or config.getoption("--hypothesis-profile") == "thorough":
        return
    left = [item for item in items if item.get_closest_marker("thorough")]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]


@pytest.fixture
def short_samples(monkeypatch):
    """At each evaluation a text of 20 characters in place of 200, which take half the time of a tiny training."""
    monkeypatch.setattr(training_sample, "LENGTH", 20)


@pytest.fixture
def no_witnesses(monkeypatch):
    """The mistake is put in words, and no more: who stands alone is not asked, the longest part of a diagnosis."""
    monkeypatch.setattr(diagnosis, "WITNESSED", 0)


@pytest.fixture
def file(tmp_path, request):
    """A function that writes Python to a file of its own name and gives its path."""

    def write(content, name=None):
        # A name of its own: a module of the same name would be found in place of it.
        path = tmp_path / (name or f"cell_{abs(hash(request.node.nodeid)) % 10**9}.py")
        path.write_text(content)
        return path

    return write
