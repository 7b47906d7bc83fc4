"""Settings of the whole suite: Hypothesis profiles, and JAX's compilation cache, which turns minutes into seconds."""

import os

from hypothesis import HealthCheck, settings

from manual_rnn.cli.caches import use_compilation_cache

COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=30, **COMMON)
settings.register_profile("ci", max_examples=30, derandomize=True, database=None, print_blob=True, **COMMON)
settings.register_profile("thorough", max_examples=2000, **COMMON)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

use_compilation_cache()
