"""Where a result comes from: versions, platform and commit, which every result that is kept records."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from manual_rnn import __version__


def provenance() -> dict[str, Any]:
    """The versions, the platform and the git commit of the code that runs now; JSON's types only."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "versions": {
            "manual_rnn": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "blas": f"{blas.get('name')} {blas.get('version')}",
        },
        "platform": platform.platform(),
        "commit": commit(),
    }


def commit() -> str | None:
    """The git commit of this package's checkout, "-dirty" where files differ; None where there is none."""
    here = Path(__file__).resolve()
    # A file that git does not track may lie in a checkout of something else: an environment inside a project.
    tracked = _git(here.parent, "ls-files", "--error-unmatch", here.name)
    head = _git(here.parent, "rev-parse", "HEAD")
    if not tracked or not head:
        return None
    return head + ("-dirty" if _git(here.parent, "status", "--porcelain", "--untracked-files=no") else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
