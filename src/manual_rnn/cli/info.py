"""``manual-rnn info``: what to paste into a bug report."""

from __future__ import annotations

import importlib.metadata
import json as jsonlib
import platform
import sys
from typing import Any

PACKAGES = (
    *("manual-rnn", "numpy", "jax", "jaxlib", "hypothesis"),
    *("cyclopts", "rich", "safetensors", "jinja2", "latex2mathml", "matplotlib", "scipy"),
)


def info(*, json: bool = False) -> int:
    """Versions, BLAS, threads, JAX devices, caches: what to paste into a bug report.

    Parameters
    ----------
    json
        One JSON document on stdout.
    """
    facts = gather()
    if json:
        print(jsonlib.dumps({"version": 1, **facts}))
        return 0
    for name, value in facts.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for key, item in value.items():
                print(f"  {key:<12} {item}")
        else:
            print(f"{name}: {value}")
    return 0


def gather() -> dict[str, Any]:
    """The facts by name."""
    import jax
    import numpy as np
    import threadpoolctl

    from manual_rnn.cache_folder import cache_folder

    folder = cache_folder()
    files = [file for file in folder.glob("**/*") if file.is_file()] if folder.is_dir() else []
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "versions": {name: _version(name) for name in PACKAGES},
        "blas": {
            f"{pool['internal_api']} {pool.get('version') or ''}".strip(): f"{pool['num_threads']} threads"
            for pool in threadpoolctl.threadpool_info()
        },
        "longdouble": f"{np.finfo(np.longdouble).nmant + 1} bits of significand",
        "jax_devices": ", ".join(str(device) for device in jax.devices()),
        "compilation_cache": f"{folder}, {len(files)} files, {sum(f.stat().st_size for f in files) / 1e6:.1f} MB",
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
