"""`--version`: the versions of the project and of the libraries that determine what a run learns."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import pg_experiments

LIBRARIES = ("torch", "numpy", "gymnasium", "ale-py", "numba", "hydra-core")


def version_text() -> str:
    """Such as `pg-experiments 0.2.0, Python 3.11.7, torch 2.13.0, …`. No library is imported."""
    found = [f"pg-experiments {pg_experiments.__version__}", f"Python {platform.python_version()}"]
    for library in LIBRARIES:
        try:
            found.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            found.append(f"{library} not installed")
    return ", ".join(found)
