"""The notebook of the docs can be executed from its first cell to its last, and is kept without outputs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.conftest import REPOSITORY

NOTEBOOK = REPOSITORY / "docs" / "cartpole.ipynb"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for a kernel, which finds the project and leaves nothing in the user's home."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    return tmp_path


def execute(folder: Path, notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells with what they print."""
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return list(notebook.cells)


def printed(cell: nbformat.NotebookNode) -> str:
    return "".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in cell.outputs)


def test_the_notebook_runs_and_shows_what_it_says(kernel):
    cells = [cell for cell in execute(kernel, nbformat.read(NOTEBOOK, as_version=4)) if cell.cell_type == "code"]
    config, training, curves, frame, episode, comparison = cells
    assert "max_episodes: 100" in printed(config)
    assert "CartPole-v1" in printed(training)
    assert "<LoadedRun of" in printed(training)
    assert "text/html" not in "".join(str(output.get("data", "")) for output in training.outputs), (
        "lines are plain text"
    )
    assert "mean_return" in printed(frame)
    assert "return " in printed(episode)
    assert "baseline" in printed(comparison)
    for cell in (curves, comparison):
        assert any("image/png" in output.get("data", {}) for output in cell.outputs)
    assert not any(
        output.output_type == "stream" and output.name == "stderr" for cell in cells for output in cell.outputs
    )


def test_the_notebook_is_kept_without_outputs():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def test_interrupting_a_cell_saves_the_run_and_the_next_cell_resumes_it(kernel):
    """As a notebook's stop button does, with the signal that it sends."""
    train = """
import os, signal, pg_experiments
def interrupt(update):
    if update.update == 2: os.kill(os.getpid(), signal.SIGINT)
pg_experiments.train("env.max_episodes=20", "policy.hidden=4", "device=cpu", directory="run", callback=interrupt)
"""
    cells = [nbformat.v4.new_code_cell(train), nbformat.v4.new_code_cell("pg_experiments.resume('run')")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(kernel)}})
    with client.setup_kernel():
        with pytest.raises(CellExecutionError, match="Interrupted"):
            client.execute_cell(notebook.cells[0], 0)
        client.execute_cell(notebook.cells[1], 1)
    assert "resumes after update 3" in printed(notebook.cells[1])
    assert json.loads((kernel / "run" / "result.json").read_text())["status"] == "done"
