"""What a kernel keeps on the stack, and what it asks the arena for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tvm import te

from edgeprune.artifact.kernels import compile_functions
from edgeprune.lowering import tvm_target
from edgeprune.target import find_target


@pytest.mark.parametrize(("elements", "workspaces"), [(255, ()), (256, ()), (257, ()), (1024, ()), (1025, (4100,))])
def test_buffers_up_to_four_kibibytes_stay_on_the_stack(
    elements: int, workspaces: tuple[int, ...], tmp_path: Path
) -> None:
    """TVM's own line is at 1024 bytes: a buffer of that size left to TVM would want its runtime."""
    data = te.placeholder((elements,), name="data")
    doubled = te.compute((elements,), lambda i: data[i] * 2.0, name="doubled")
    reversed_ = te.compute((elements,), lambda i: doubled[elements - 1 - i] + 1.0, name="reversed")
    function = te.create_prim_func([data, reversed_])
    found = compile_functions(
        {"kernel": function},
        tvm_target(find_target("rpi3")),
        object_path=tmp_path / "kernel.o",
        names={"kernel": "kernel"},
    )
    assert found == {"kernel": workspaces}
