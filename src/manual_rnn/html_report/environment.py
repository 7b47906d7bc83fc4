"""What a report says of how it came about: versions, BLAS and its threads, platform, commit."""

from __future__ import annotations

import importlib.metadata
import os

import numpy as np

from manual_rnn.provenance import provenance


def environment() -> dict[str, str]:
    """The facts by name, as text."""
    import threadpoolctl

    facts = provenance()
    versions = facts["versions"]
    pools = [
        f"{pool['internal_api']} {pool.get('version') or ''}".strip() + f" ({pool['num_threads']} threads)"
        for pool in threadpoolctl.threadpool_info()
    ]
    return {
        "manual-rnn": versions["manual_rnn"],
        "commit": facts["commit"] or "none: installed from a package",
        "Python": versions["python"],
        "NumPy": versions["numpy"],
        "JAX": " with jaxlib ".join(_version(package) for package in ("jax", "jaxlib")),
        "Hypothesis": _version("hypothesis"),
        "BLAS": ", ".join(pools) or versions["blas"],
        "processors": str(os.cpu_count() or "unknown"),
        "longdouble": f"{np.finfo(np.longdouble).nmant + 1} bits of significand",
        "platform": facts["platform"],
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
