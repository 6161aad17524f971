"""Fresh virtual environments with the project's wheel."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def build(project: Path, folder: Path) -> Path:
    """Builds the wheel of a project in `folder`/wheels."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / "wheels"), str(project)],
        check=True,
        capture_output=True,
    )
    return max((folder / "wheels").glob("*.whl"), key=lambda wheel: wheel.stat().st_mtime)


def fresh_environment(folder: Path) -> Path:
    """The Python of a new environment with the project's wheel, in the versions of requirements.txt."""
    wheel = build(REPOSITORY, folder)
    lock = (REPOSITORY / "requirements.txt").read_text().splitlines()
    (folder / "constraints.txt").write_text("\n".join(line for line in lock if re.match(r"[\w.-]+==", line)))
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-q", "-c", str(folder / "constraints.txt")]
    subprocess.run([*pip, "torch==2.13.0"], check=True, capture_output=True)
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    return python
