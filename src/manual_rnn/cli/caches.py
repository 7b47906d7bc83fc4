"""What a command keeps between runs, in the user's cache folder: what JAX has compiled, and Hypothesis's notes."""

from __future__ import annotations

import os

from manual_rnn.cache_folder import cache_folder


def use_compilation_cache() -> None:
    """Keeps every compiled function, however small: the judge compiles many small ones."""
    import jax

    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a read-only home: everything compiles anew, and works
    if not os.access(folder, os.W_OK):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def keep_hypothesis_out_of_the_way() -> None:
    """Hypothesis keeps notes in the working folder of whoever calls it; a command leaves nothing there."""
    from hypothesis.configuration import set_hypothesis_home_dir

    set_hypothesis_home_dir(cache_folder().parent / "hypothesis")
