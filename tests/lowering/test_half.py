"""Half precision: what is stored in it, who may compute in it, and how right it is on the core it is for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeprune.errors import UserError
from edgeprune.lowering import Role, lower, read_program, schedule
from edgeprune.lowering.register_tile import VectorUnit
from edgeprune.target import find_target
from tests.lowering.networks import Graph, lenet5


def half_of(name: str, directory: Path) -> str:
    path = directory / "half.toml"
    path.write_text(f'extends = "{name}"\n[cpu]\nprecision = "float16"\n')
    return str(path)


@pytest.mark.parametrize(("name", "core"), [("rpi4", "cortex-a72"), ("cortex-a7", "cortex-a7"), ("host", "native")])
def test_a_core_without_half_precision_is_refused(name: str, core: str, tmp_path: Path) -> None:
    path = lenet5(tmp_path / "lenet5.onnx", first=3, second=5, hidden=7)
    with pytest.raises(UserError) as refusal:
        lower(path, find_target(half_of(name, tmp_path)))
    assert str(refusal.value) == (
        "target half: cpu.precision: 'float16' needs a 64-bit ARM core that computes in it "
        f"(Cortex-A55, A76 and later: attribute +fullfp16); {core} does not"
    )


def test_weights_and_values_take_half_the_memory(tmp_path: Path) -> None:
    path = lenet5(tmp_path / "lenet5.onnx", first=8, second=16, hidden=32)
    programs = {}
    for name in ("cortex-a55", "cortex-a55-fp16"):
        target = find_target(name)
        target = target.model_copy(update={"cpu": target.cpu.model_copy(update={"winograd": False})})
        programs[name] = read_program(schedule(lower(path, target), target))
    whole, half = programs["cortex-a55"], programs["cortex-a55-fp16"]
    # Ten outputs fill two and a half registers of four in float32, one and a quarter of eight in float16.
    assert whole.weight_bytes == 4 * (8 * 25 + 8 + 16 * 8 * 25 + 16 + 32 * 256 + 32 + 12 * 32 + 10)
    assert half.weight_bytes == 2 * (8 * 25 + 8 + 16 * 8 * 25 + 16 + 32 * 256 + 32 + 16 * 32 + 10)
    kinds = {role: {buffer.dtype for buffer in half.buffers if buffer.role is role} for role in Role}
    assert kinds == {
        Role.INPUT: {"float32"},
        Role.OUTPUT: {"float32"},
        Role.CONSTANT: {"float16"},
        Role.INTERMEDIATE: {"float16"},
    }
    assert all(np.isfinite(constant).all() for constant in half.constants)


def test_a_register_holds_twice_as_many() -> None:
    unit = VectorUnit(lanes=(4,), sums=20, registers=32)
    assert unit.holding("float32") == unit
    assert unit.holding("float16") == VectorUnit(lanes=(8, 4), sums=20, registers=32)
    assert VectorUnit(lanes=(8, 4), sums=12, registers=16).holding("float16").lanes == (16, 8, 4)


def with_a_weight_of(value: float, path: Path) -> Path:
    graph = Graph()
    values = np.full((16, 8), 0.25, dtype=np.float32)
    values[3, 5] = value
    data = graph.node("MatMul", graph.node("Relu", graph.input(1, 16)), graph.constant(values))
    return graph.save(path, data)


@pytest.mark.parametrize("value", [65536.0, -1e5])
def test_a_weight_beyond_float16_is_an_error_that_names_the_layer(value: float, tmp_path: Path) -> None:
    path = with_a_weight_of(value, tmp_path / "net.onnx")
    message = rf"net\.onnx: node matmul_3: a weight of {value:.6g} does not fit float16, which ends at 65504; build for"
    with pytest.raises(UserError, match=message.replace("+", r"\+")):
        lower(path, find_target("cortex-a55-fp16"))
    lower(path, find_target("cortex-a55"))


def test_the_largest_weights_and_masks_are_no_error(tmp_path: Path) -> None:
    lower(with_a_weight_of(65504.0, tmp_path / "net.onnx"), find_target("cortex-a55-fp16"))
    graph = Graph()
    mask = graph.constant(np.array([[0, -1e9, 0, 0]], dtype=np.float32))
    masked = graph.node("Softmax", graph.node("Add", graph.input(2, 4), mask), axis=-1)
    bound = graph.node("Min", masked, graph.constant(np.full((2, 4), 1e9, dtype=np.float32)))
    lower(graph.save(tmp_path / "masked.onnx", bound), find_target("cortex-a55-fp16"))
