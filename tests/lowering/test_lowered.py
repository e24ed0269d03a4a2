"""Lowered networks on disk, targets, tiles, and records from a tuning database."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm.s_tir import Schedule, meta_schedule

from edgeprune.artifact.kernels import compile_kernels
from edgeprune.errors import UserError
from edgeprune.lowering import (
    Copy,
    KernelCall,
    Lowered,
    Role,
    check_lowering,
    lower,
    read_program,
    schedule,
    task_module,
    tvm_target,
)
from edgeprune.lowering.loop_nest import leaves
from edgeprune.lowering.register_tile import RegisterTile, VectorUnit, choose_depthwise_tile, choose_tile
from edgeprune.target import find_target, list_targets
from tests.lowering.networks import Graph, conv, lenet5, make


def test_a_lowered_network_survives_the_disk(tmp_path: Path) -> None:
    lowered = lower(make("residual", tmp_path / "network.onnx"), find_target("host"))
    lowered.save(tmp_path)
    loaded = Lowered.load(tmp_path)
    tvm.ir.assert_structural_equal(lowered.module, loaded.module)
    assert (loaded.inputs, loaded.outputs, loaded.onnx_sha256, loaded.kernel_nodes) == (
        lowered.inputs,
        lowered.outputs,
        lowered.onnx_sha256,
        lowered.kernel_nodes,
    )


def test_a_damaged_lowered_network_is_refused(tmp_path: Path) -> None:
    lowered = lower(make("dense", tmp_path / "network.onnx"), find_target("host"))
    lowered.save(tmp_path)
    (tmp_path / "module.json").write_text("{}")
    with pytest.raises(UserError, match="not a lowered model"):
        Lowered.load(tmp_path)


def test_lenet5_becomes_seven_kernels_in_order(tmp_path: Path) -> None:
    target = find_target("host")
    program = read_program(schedule(lower(lenet5(tmp_path / "network.onnx"), target), target))
    names = [step.kernel for step in program.steps if isinstance(step, KernelCall)]
    # TVM numbers equal names; what counts is what is fused.
    assert [re.sub(r"(fused_|_prepacked|(?<!conv)(?<!pool)\d)", "", name) for name in names] == [
        "conv2d_add",
        "max_pool2d",
        "winograd_conv2d_add",
        "max_pool2d",
        "transpose_reshape",
        "matmul_add_relu",
        "matmul_add",
    ]
    first, last = program.steps[0], program.steps[-1]
    assert isinstance(first, KernelCall)
    assert isinstance(last, KernelCall)
    assert program.buffers[first.arguments[0]].role is Role.INPUT
    assert program.buffers[last.arguments[-1]].role is Role.OUTPUT


def test_every_output_of_aliases_is_written_once(tmp_path: Path) -> None:
    target = find_target("host")
    program = read_program(schedule(lower(make("aliases", tmp_path / "network.onnx"), target), target))
    written = [step.destination if isinstance(step, Copy) else step.arguments[-1] for step in program.steps]
    assert sorted(program.buffers[index].number for index in written) == [0, 1, 2]
    assert all(program.buffers[index].role is Role.OUTPUT for index in written)
    assert sum(isinstance(step, Copy) for step in program.steps) == 2


@pytest.mark.parametrize("name", sorted(list_targets()))
def test_every_shipped_target_is_known_to_llvm(name: str) -> None:
    target = find_target(name)
    compiled_for = tvm_target(target)
    assert compiled_for.kind.name == "llvm"
    assert int(compiled_for.attrs["num-cores"]) == 1
    if target.cpu.isa == "armv7":
        # Android passes floats in integer registers on ARMv7.
        assert compiled_for.attrs["mfloat-abi"] == ("soft" if "android" in target.cpu.triple else "hard")


@pytest.mark.parametrize(
    ("channels", "group", "pieces"),
    [
        (16, 1, [5 * 68 * 16]),  # five rows of the padded image at a time
        (4, 4, [5 * 68 * 4]),  # one tile spans all channels: rows again
        (80, 80, [12 * 68 * 4]),  # the whole image, a vector of channels at a time
    ],
)
def test_an_image_is_padded_in_pieces(tmp_path: Path, channels: int, group: int, pieces: list[int]) -> None:
    graph = Graph()
    data = conv(graph, graph.input(1, channels, 8, 64), channels, channels, 5, pads=[2, 2, 2, 2], group=group)
    target = find_target("rpi3")
    target = target.model_copy(update={"cpu": target.cpu.model_copy(update={"winograd": False})})
    program = read_program(schedule(lower(graph.save(tmp_path / "network.onnx", data), target), target))
    kernels = compile_kernels(program, tvm_target(target), prefix="network", object_path=tmp_path / "kernels.o")
    found = [size for kernel in kernels.values() for size in kernel.workspaces]
    assert found == [4 * size for size in pieces]


def test_a_cpu_that_llvm_does_not_know_is_refused() -> None:
    target = find_target("rpi3")
    strange = target.model_copy(update={"cpu": target.cpu.model_copy(update={"name": "cortex-z9"})})
    with pytest.raises(UserError, match=r"target rpi3: cpu\.name: LLVM knows no CPU 'cortex-z9' for aarch64-linux-gnu"):
        tvm_target(strange)


def test_kernels_and_linker_must_pass_floats_alike() -> None:
    target = find_target("cortex-a7")
    wrong = target.model_copy(update={"cpu": target.cpu.model_copy(update={"float_abi": "soft"})})
    message = (
        r"target cortex-a7: cpu\.float_abi: 'hard' is wanted, because toolchain\.triple is 'arm-linux-musleabihf'; "
        r"not 'soft'"
    )
    with pytest.raises(UserError, match=message):
        tvm_target(wrong)


AARCH64 = VectorUnit(lanes=(4,), sums=20, registers=32)
X86 = VectorUnit(lanes=(8, 4), sums=12, registers=16)
ARMV7 = VectorUnit(lanes=(4,), sums=10, registers=16, offsets=False)


@pytest.mark.parametrize(
    ("pixels", "channels", "unit", "multiplies", "expected"),
    [
        (32, 16, AARCH64, True, RegisterTile(8, 2, 4)),
        (8, 52, AARCH64, True, RegisterTile(8, 1, 4)),
        (12, 32, X86, True, RegisterTile(6, 2, 8)),  # 3 x 4 sums would leave no register for what is multiplied
        (1, 500, AARCH64, True, RegisterTile(1, 5, 4)),
        (12, 20, X86, True, RegisterTile(2, 5, 4)),
        (12, 16, X86, True, RegisterTile(6, 2, 8)),
        (12, 16, AARCH64, False, RegisterTile(4, 1, 4)),
        (36, 128, ARMV7, True, RegisterTile(9, 1, 4)),  # a number of a pixel costs a quarter of a vector of weights
        (32, 16, ARMV7, True, RegisterTile(4, 2, 4)),
        (12, 13, AARCH64, True, None),
    ],
)
def test_the_register_tile(
    pixels: int, channels: int, unit: VectorUnit, multiplies: bool, expected: RegisterTile | None
) -> None:
    assert choose_tile(pixels, channels, unit, multiplies=multiplies) == expected


@pytest.mark.parametrize(
    ("pixels", "channels", "unit", "expected"),
    [
        (48, 8, X86, RegisterTile(8, 1, 8)),
        (6, 128, X86, RegisterTile(6, 2, 8)),
        (3, 256, AARCH64, RegisterTile(3, 1, 4)),
        (24, 32, AARCH64, RegisterTile(12, 1, 4)),
        (12, 64, ARMV7, RegisterTile(6, 1, 4)),  # vectors of the image are loaded once for all windows
        (12, 13, AARCH64, None),
    ],
)
def test_the_tile_of_a_depthwise_convolution(
    pixels: int, channels: int, unit: VectorUnit, expected: RegisterTile | None
) -> None:
    assert choose_depthwise_tile(pixels, channels, unit, multiplies=True) == expected


@pytest.mark.parametrize(("stride", "rows"), [(1, 10), (2, 5)])
def test_a_large_depthwise_convolution_pads_strips_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int, rows: int
) -> None:
    """Each strip for all channels, a tile of them at a time; one that fits in the cache pads the whole image."""
    graph = Graph()
    data = graph.node("Relu", conv(graph, graph.input(1, 32, 30, 30), 32, 32, 1))
    path = graph.save(
        tmp_path / "network.onnx", conv(graph, data, 32, 32, pads=[1] * 4, group=32, strides=[stride] * 2)
    )
    target = find_target("host")

    def loops_around_padding() -> list[int]:
        scheduled = schedule(lower(path, target), target)
        assert all(parity.relative_error <= 1e-5 for parity in check_lowering(scheduled, path))
        nests = [found for kernel in read_program(scheduled).kernels.values() for found in leaves(kernel) or ()]
        (around,) = [leaf.loops for leaf in nests if leaf.block.name_hint.startswith("pad")]
        return [int(loop.extent) for loop in around[:-4]]

    assert loops_around_padding() == [2]
    monkeypatch.setattr("edgeprune.lowering.default_schedule._MUCH_IMAGE", 30 * 30 * 16 - 1)
    monkeypatch.setattr("edgeprune.lowering.default_schedule._STRIP_ROWS", rows)
    assert loops_around_padding() == [1, 30 // stride // rows, 2]


@pytest.mark.parametrize("size", [9, 7, 6])
def test_pixels_of_a_1x1_convolution_are_one_axis(tmp_path: Path, size: int) -> None:
    graph = Graph()
    data = graph.node("Relu", conv(graph, graph.input(2, 24, size, size), 24, 40, 1))
    data = graph.node("Add", conv(graph, data, 40, 13, 1), conv(graph, data, 40, 13, 1))
    path = graph.save(tmp_path / "network.onnx", data)
    for board in ("host", "rpi3"):
        target = find_target(board)
        scheduled = schedule(lower(path, target), target)
        assert all(parity.relative_error <= 1e-5 for parity in check_lowering(scheduled, path))
        convolutions = [function for name, function in read_program(scheduled).kernels.items() if "conv2d" in name]
        assert all(f"T.int64({size * size})" in function.script() for function in convolutions)


@pytest.mark.parametrize(("board", "classes"), [("host", 16), ("rpi3", 12)])
def test_odd_channels_are_filled_up_to_a_register(tmp_path: Path, board: str, classes: int) -> None:
    target = find_target(board)
    path = lenet5(tmp_path / "network.onnx", first=5, second=13, hidden=30)
    program = read_program(schedule(lower(path, target), target))
    constants = sorted(array.size for array in program.constants)
    # What is summed over stays as it is: five input channels, not eight.
    assert constants == sorted([8 * 25, 8, 16 * 5 * 25, 16, 32 * 13 * 16, 30, classes * 30, 10])
    intermediate = [buffer.size for buffer in program.buffers if buffer.role is Role.INTERMEDIATE]
    images, flat = [8 * 24 * 24, 8 * 12 * 12, 16 * 8 * 8, 16 * 4 * 4], [13 * 16, 30]
    assert intermediate == [4 * elements for elements in (*images, *flat)]


def _record(lowered: Lowered, prefix: str, directory: Path, target: tvm.target.Target) -> str:
    """Write a database that holds one record: a schedule that merely splits the first loop of one kernel."""
    (name,) = [
        variable.name_hint
        for variable in task_module(lowered).functions
        if variable.name_hint.removeprefix("fused_").startswith(prefix)
    ]
    (task,) = [
        task
        for task in meta_schedule.relax_integration.extract_tasks(task_module(lowered), target)
        if task.task_name == name
    ]
    (module,) = task.dispatched
    database = meta_schedule.database.JSONDatabase(
        str(directory / "database_workload.json"), str(directory / "database_tuning_record.json")
    )
    workload = database.commit_workload(module)
    schedule_ = Schedule(module)
    schedule_.parallel(schedule_.get_loops(schedule_.get_sblock("matmul"))[0])
    record = meta_schedule.database.TuningRecord(schedule_.trace, workload, run_secs=[1.0], target=target)
    database.commit_tuning_record(record)
    return name


def test_a_record_is_applied_to_its_kernel_alone(tmp_path: Path) -> None:
    target = find_target("host")
    path = make("dense", tmp_path / "network.onnx")
    lowered = lower(path, target)
    name = _record(lowered, "matmul1", tmp_path, tvm_target(target))
    scheduled = schedule(lowered, target, tmp_path)
    assert [kernel for kernel, tuned in scheduled.tuned.items() if tuned] == [name]
    assert all(parity.relative_error <= 1e-4 for parity in check_lowering(scheduled, path))


def test_a_missing_database_is_named(tmp_path: Path) -> None:
    target = find_target("host")
    lowered = lower(make("dense", tmp_path / "network.onnx"), target)
    with pytest.raises(UserError, match=r"database_workload\.json: no such file; 'tune' makes it"):
        schedule(lowered, target, tmp_path)


def test_lowering_twice_gives_the_same_program(tmp_path: Path) -> None:
    target = find_target("rpi3")
    path = lenet5(tmp_path / "network.onnx", first=4, second=8, hidden=20)
    first, second = (read_program(schedule(lower(path, target), target)) for _ in range(2))
    assert (first.steps, first.buffers) == (second.steps, second.buffers)
    assert all(np.array_equal(left, right) for left, right in zip(first.constants, second.constants, strict=True))
