"""What the tuner may choose about a convolution by Winograd's method."""

from __future__ import annotations

from pathlib import Path

import pytest
import tvm

from edgeprune.lowering import check_lowering, lower, schedule, tvm_target
from edgeprune.lowering.default_schedule import default_schedule
from edgeprune.lowering.model import Lowered
from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.target import find_target
from edgeprune.tuning.design import Design
from edgeprune.tuning.kernels import extract_kernels
from edgeprune.tuning.winograd_space import winograd_design
from tests.lowering.networks import Graph, conv

HOST = find_target("host")
UNIT = VectorUnit.of(tvm_target(HOST))


def network(path: Path) -> Path:
    graph = Graph()
    return graph.save(path, graph.node("Relu", conv(graph, graph.input(1, 16, 16, 16), 16, 32, pads=[1] * 4)))


@pytest.fixture
def lowered(tmp_path: Path) -> Lowered:
    return lower(network(tmp_path / "network.onnx"), HOST)


def the_kernel(lowered: Lowered) -> tvm.IRModule:
    (module,) = (kernel.module for kernel in extract_kernels(lowered, HOST) if "winograd" in kernel.name)
    return module


def test_its_first_choices_are_those_of_the_default_schedule(lowered: Lowered) -> None:
    module = the_kernel(lowered)
    design = winograd_design(module, UNIT)
    assert design is not None
    tvm.ir.assert_structural_equal(
        design.mod["main"].body, default_schedule(module["main"], tvm_target(HOST)).body, map_free_vars=True
    )


def test_other_choices_compute_the_same(lowered: Lowered, tmp_path: Path) -> None:
    module = the_kernel(lowered)
    given = winograd_design(module, UNIT)
    assert given is not None
    design = Design(given.trace)
    assert len(design.samples) == 3
    seen = set()
    for seed in range(3):
        made = design.sample(module, seed + 1)
        assert made is not None
        seen.add(design.decisions(made.trace))
        scheduled = schedule(lowered, HOST)
        name = next(variable for variable in scheduled.module.functions if "winograd" in variable.name_hint)
        scheduled.module.update_func(name, made.mod["main"].without_attr("global_symbol"))
        assert all(parity.relative_error <= 1e-5 for parity in check_lowering(scheduled, tmp_path / "network.onnx"))
    assert len(seen) > 1


def test_other_kernels_have_no_such_design(tmp_path: Path) -> None:
    graph = Graph()
    path = graph.save(tmp_path / "other.onnx", conv(graph, graph.input(1, 16, 8, 8), 16, 16, 1))
    (kernel,) = (kernel for kernel in extract_kernels(lower(path, HOST), HOST) if "conv2d" in kernel.name)
    assert winograd_design(kernel.module, UNIT) is None
