"""Running an exported network with TVM's runtime, on this machine or on one that a session reaches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm import relax

ENTRY = "main"


def run_vm(
    module: tvm.runtime.Module, device: tvm.runtime.Device, inputs: Sequence[NDArray[np.float32]]
) -> list[NDArray[np.float32]]:
    """Return the network's outputs for ``inputs`` (one array per input, of the network's shapes).

    ``module`` is the loaded library and ``device`` the CPU it is to run on: `tvm.cpu()` and `tvm.runtime.load_module`
    here, ``session.cpu()`` and ``session.load_module`` over RPC.
    """
    machine = relax.VirtualMachine(module, device)
    # By way of the machine's own store: over RPC a result is a handle that cannot be unpacked here.
    machine.set_input(ENTRY, *(tvm.runtime.tensor(array, device) for array in inputs))
    machine.invoke_stateful(ENTRY)
    found = machine.get_outputs(ENTRY)
    tensors = [found] if isinstance(found, tvm.runtime.Tensor) else list(found)
    return [tensor.numpy() for tensor in tensors]
