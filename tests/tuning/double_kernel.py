"""A kernel small enough to be written down, in right and wrong versions."""

from __future__ import annotations

import tvm
from tvm.script import tirx as T
from tvm.tirx import PrimFunc


def double(value: str) -> PrimFunc:
    """A kernel on 16 floats whose output element is ``value``, an expression of ``x`` at ``v``."""
    source = f"""
@T.prim_func(s_tir=True)
def main(x: T.Buffer((16,), "float32"), y: T.Buffer((16,), "float32")):
    T.func_attr({{"tirx.noalias": True}})
    for i in range(16):
        with T.sblock("y"):
            v = T.axis.spatial(16, i)
            y[v] = {value}
"""
    return tvm.script.from_source(source, extra_vars={"T": T})


def module(value: str) -> tvm.IRModule:
    """The same as a module, as candidates come."""
    return tvm.IRModule({"main": double(value)})
