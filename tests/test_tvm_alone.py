"""TVM comes without PyTorch where that is not used, and PyTorch can still come afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

BOTH = """
import sys
from edgeprune.tvm_alone import import_tvm_alone
{before}
import_tvm_alone()
from edgeprune.lowering import lower
from edgeprune.tuning.engine import tune
print("torch" in sys.modules)
import torch
import tvm
print(float(torch.ones(2).sum()), tvm.runtime.tensor(torch.ones(2).numpy()).numpy().tolist())
"""


@pytest.mark.parametrize(("before", "there"), [("", "False"), ("import torch", "True")])
def test_tvm_comes_alone_unless_pytorch_was_there(before: str, there: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BOTH.format(before=before)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [there, "2.0 [1.0, 1.0]"]
