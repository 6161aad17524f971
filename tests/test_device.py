"""Devices that a run cannot use are refused with the reason; the reason for MPS is looked for in an update itself."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pg_experiments.run.config import check
from pg_experiments.support.errors import UserError
from tests.conftest import composed, make_run, one_update

EXPECTED = "expected one of auto, cpu, cuda; the nearest is "
REFUSED = {
    "mps": "device=mps: is not supported, as sums over a batch and the learners' settings are float64, which MPS does "
    "not have; the nearest is device=cpu",
    "gpu": f"device=gpu: {EXPECTED}device=cuda",
    "GPU": f"device=GPU: {EXPECTED}device=cuda",
    "CUDA": f"device=CUDA: {EXPECTED}device=cuda",
    "cuda:1": f"device=cuda:1: {EXPECTED}device=cuda, with CUDA_VISIBLE_DEVICES=1 before the command",
    "cda": f"device=cda: {EXPECTED}cuda",
    "cpuu": f"device=cpuu: {EXPECTED}cpu",
    "true": "device=true: expected one of auto, cpu, cuda",
    "null": "device=null: expected one of auto, cpu, cuda",
}


@pytest.mark.parametrize("device", REFUSED)
def test_a_device_that_there_is_not_is_refused_with_the_nearest(device):
    with pytest.raises(UserError) as refused:
        check(composed(f"device='{device}'" if ":" in device else f"device={device}"))
    assert str(refused.value) == REFUSED[device]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda_a_run_on_it_is_refused_and_auto_is_the_cpu():
    with pytest.raises(UserError, match=r"^device=cuda: no CUDA device is available here; the nearest is device=cpu$"):
        make_run("device=cuda")
    assert make_run("device=auto").device == torch.device("cpu")


class Float64(TorchDispatchMode):
    """Notes the operations of torch that give float64, which MPS does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.dtype == torch.float64:
            self.seen.add(str(function))
        return result


@pytest.mark.parametrize("algorithm", ["reinforce", "a2c", "ppo"])
def test_an_update_of_every_kind_computes_in_float64(algorithm):
    run = make_run(f"algorithm={algorithm}", "policy.hidden=4", "num_seeds=2")
    with Float64() as operations:
        one_update(run)
    assert {"aten.sum.dim_IntList", "aten._to_copy.default"} <= operations.seen
