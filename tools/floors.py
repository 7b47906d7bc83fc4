"""Prints the oldest versions that pyproject.toml declares, as constraints for pip: NAME==VERSION.

Where an extra needs a newer one than the package itself, the package's stands: that is what its tests run with.
"""

import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"].values()
declared = [*(requirement for extra in extras for requirement in extra), *project["dependencies"]]
oldest = dict(requirement.split(">=") for requirement in declared if ">=" in requirement)
for name, version in sorted(oldest.items()):
    print(f"{name}=={version}")
