"""Making MetaSchedule usable without parsing every accelerator's instructions."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import tvm.s_tir

_PACKAGE = "tvm.s_tir.tensor_intrin"


def skip_intrinsics() -> None:
    """Keep MetaSchedule from registering tensor intrinsics, of which the search space here uses none.

    It imports the whole package of them, and half a minute goes into parsing those of CUDA, Metal, ROCm and Hexagon,
    seconds into those of CPUs. A package object without that package's ``__init__`` takes its place, so that single
    modules of it can still be imported; a process that has already imported the full package keeps it.
    """
    if _PACKAGE in sys.modules:
        return
    package = types.ModuleType(_PACKAGE, "TVM's tensor intrinsics, none of them registered.")
    package.__path__ = [str(Path(tvm.s_tir.__file__).parent / "tensor_intrin")]
    sys.modules[_PACKAGE] = package
