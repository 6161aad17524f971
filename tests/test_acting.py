"""Acting in one compiled call says what the network of torch says."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from pg_experiments.tensors.compiled import compiled
from pg_experiments.tensors.compiled_mlp import CompiledMLP, _perceptron
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.sparse import SparseRows
from pg_experiments.tensors.stacked import StackedMLP, perceptron
from pg_experiments.tensors.streams import Purpose
from tests.conftest import REPOSITORY

E, D, H, K = 5, 40, 7, 3
SUMS = """
from pg_experiments.tensors.compiled import compiled

@compiled("int64[::1]", returns="int64")
def total(x):
    s = 0
    for i in range(len(x)):
        s += x[i]
    return s
"""


@pytest.mark.parametrize(
    ("R", "layers", "bias", "activation", "dropout"),
    [
        case
        for case in itertools.product((1, 3), (0, 1, 2), (False, True), ("relu", "leaky_relu", "tanh"), (False, True))
        if case[1] or not case[-1]  # dropout is of hidden units
    ],
)
def test_compiled_logits_are_those_of_the_perceptron(R, layers, bias, activation, dropout):
    network = StackedMLP(R, D, K, hidden=H, layers=layers, activation=activation, bias=bias)
    network.initialise(Learners(range(R)), Purpose.POLICY_PARAMETERS, "torch", 1.0)
    stream = np.random.default_rng(0)
    dense = stream.choice([-1, 0, 1], (R, E, D), p=[0.1, 0.8, 0.1]).astype(np.int8)
    dense[0, 2] = 0  # one that saw nothing
    # those of a half: not without gaps in memory
    masks = torch.from_numpy(stream.random((R, 2 * E, layers, H)) < 0.5).float()[:, :E] if dropout else None
    own = 2.0 if R == 1 else torch.tensor([1.5, 2.0, 4.0]).view(R, 1, 1)
    scale = 1.0 if masks is None else own

    rows, columns = dense.reshape(R * E, D).nonzero()
    counts = np.bincount(rows, minlength=R * E)
    numbers = (columns + rows // E * D).astype(np.int32)
    parameters = network.bind().layers
    ours = CompiledMLP(parameters, activation, scale)(
        numbers, dense.reshape(R * E, D)[rows, columns], counts, None if masks is None else masks.numpy()
    )

    starts = torch.from_numpy(counts.cumsum() - counts)
    values = torch.from_numpy(dense.reshape(R * E, D)[rows, columns]).float()
    sparse = SparseRows(torch.from_numpy(numbers).long(), values, starts, (R, E, D))
    for x in (sparse, torch.from_numpy(dense).float()):
        expected = perceptron(x, parameters, activation, masks, scale).detach().numpy()
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)


def test_where_what_was_compiled_cannot_be_kept_it_is_compiled_all_the_same():
    scope: dict = {}
    exec("def total(x):\n    s = 0\n    for i in range(len(x)):\n        s += x[i]\n    return s", scope)
    total = compiled("int64[::1]", returns="int64")(scope["total"])
    assert total(np.arange(4)) == 6, "of a function without a file Numba can keep nothing"


@pytest.mark.parametrize(
    "disturb", ["nothing", "files are empty", "files end early", "index is garbled", "nothing can be written"]
)
def test_what_was_compiled_is_kept_and_is_compiled_anew_where_that_cannot_be(disturb, tmp_path):
    """In processes of their own, as one process reads what was kept once."""
    (tmp_path / "sums.py").write_text(SUMS)
    keep = tmp_path / "keep"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(keep), "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{tmp_path}"}
    code = "import resource, numpy as np, sums; "
    if disturb == "nothing can be written":
        code += "resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)); "
    code += "print(sums.total(np.arange(4)))"

    def output() -> str:
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert output() == "6\n"
    files = {file: file.stat().st_mtime_ns for file in keep.rglob("*.nb?")}
    assert bool(files) == (disturb != "nothing can be written")
    for file in files if disturb.startswith("files") else ():
        file.write_bytes(file.read_bytes()[: 0 if "empty" in disturb else file.stat().st_size // 2])
    for file in keep.rglob("*.nbi") if disturb == "index is garbled" else ():
        file.write_bytes(file.read_bytes().replace(b"0", b"\xff"))  # no UTF-8
    assert output() == "6\n"
    if disturb == "nothing":
        assert files == {file: file.stat().st_mtime_ns for file in keep.rglob("*.nb?")}


def test_arrays_of_another_type_than_the_one_that_was_said_are_refused():
    """So that several processes always compile the same."""
    with pytest.raises(TypeError, match="No matching definition"):
        _perceptron(*[np.zeros(3)] * 10)


def test_what_is_played_through_gymnasium_needs_no_compiler():
    code = (
        "import sys; import numpy as np; from tests.conftest import make_run;"
        "make_run('algorithm.log_probs=stored').collector.collect(0, np.arange(1));"
        "assert 'numba' not in sys.modules;"
        "pong = make_run('env=pong', 'env.num_envs=2', 'collect.points=2');"
        "pong.collector.collect(0, np.arange(1));"
        "assert 'numba' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
