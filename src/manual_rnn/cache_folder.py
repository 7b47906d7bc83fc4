"""Where what is made once lies between runs: in the user's own cache folder."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where compiled functions are kept: JAX's own variable if it is set, else the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or platformdirs.user_cache_path("manual-rnn") / "jax")
