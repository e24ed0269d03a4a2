"""Making MetaSchedule usable without parsing every accelerator's instructions."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

import tvm.s_tir

_PACKAGE = "tvm.s_tir.tensor_intrin"
_FOR_CPU = ("dot_product_common", "x86", "arm_cpu")


def register_cpu_intrinsics() -> None:
    """Register the tensor intrinsics of x86 and ARM CPUs only.

    MetaSchedule imports the whole intrinsics package, and half a minute goes into parsing those of CUDA, Metal, ROCm
    and Hexagon. A package object without that package's ``__init__`` takes its place; a process that has already
    imported the full package keeps it.
    """
    if _PACKAGE in sys.modules:
        return
    package = types.ModuleType(_PACKAGE, "The CPU part of TVM's tensor intrinsics.")
    package.__path__ = [str(Path(tvm.s_tir.__file__).parent / "tensor_intrin")]
    sys.modules[_PACKAGE] = package
    for name in _FOR_CPU:
        setattr(package, name, importlib.import_module(f"{_PACKAGE}.{name}"))
