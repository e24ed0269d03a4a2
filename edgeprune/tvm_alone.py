"""Loading TVM without PyTorch, which TVM loads as well wherever it is installed: that takes longer than TVM itself."""

from __future__ import annotations

import importlib
import sys

_TORCH = "torch"
_TVM = ("tvm", "tvm.relax", "tvm.s_tir.meta_schedule")


def import_tvm_alone() -> None:
    """Import TVM, and PyTorch only if this process has it already.

    For commands and processes that never use PyTorch: TVM then does not know its tensors. Afterwards it can be imported
    as ever.
    """
    if _TORCH in sys.modules:
        return
    # What the import system takes for a module that does not exist.
    sys.modules[_TORCH] = None  # type: ignore[assignment]
    try:
        for name in _TVM:
            importlib.import_module(name)
    finally:
        del sys.modules[_TORCH]
