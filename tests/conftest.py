"""For the whole suite: Hypothesis profiles, JAX's compilation cache, which turns minutes into seconds, a fixture."""

import os

import pytest
from hypothesis import HealthCheck, settings

from manual_rnn.cli.caches import use_compilation_cache

COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=30, **COMMON)
settings.register_profile("ci", max_examples=30, derandomize=True, database=None, print_blob=True, **COMMON)
settings.register_profile("thorough", max_examples=2000, **COMMON)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

use_compilation_cache()


@pytest.fixture
def file(tmp_path, request):
    """A function that writes Python to a file of its own name and gives its path."""

    def write(content, name=None):
        # A name of its own: a module of the same name would be found in place of it.
        path = tmp_path / (name or f"cell_{abs(hash(request.node.nodeid)) % 10**9}.py")
        path.write_text(content)
        return path

    return write
