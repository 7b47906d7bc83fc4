"""Prints the oldest versions that pyproject.toml declares, as constraints for pip: NAME==VERSION."""

import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"].values()
for requirement in sorted({*project["dependencies"], *(requirement for extra in extras for requirement in extra)}):
    if ">=" in requirement:
        print(requirement.replace(">=", "=="))
