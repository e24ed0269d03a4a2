"""The arithmetic of kernels, against counts by hand."""

from __future__ import annotations

from pathlib import Path

from edgeprune.lowering import lower, read_program, schedule
from edgeprune.lowering.work import Work, kernel_work
from edgeprune.target import find_target
from tests.lowering.networks import lenet5, make


def test_lenet5_by_hand(tmp_path: Path) -> None:
    network = lower(lenet5(tmp_path / "net.onnx", first=5, second=13, hidden=31), find_target("rpi3"))
    found = {nodes: kernel_work(network.module[kernel]) for kernel, nodes in network.calls}
    first, second = 24 * 24 * 5 * 25, 8 * 8 * 13 * 25 * 5
    by_size = sorted(found.values(), key=lambda work: work.flop)
    assert by_size == sorted(
        [
            # Images have 8 and 16 channels for vectors' sake.
            Work(2 * first + 24 * 24 * 8, first),
            Work(12 * 12 * 8 * 4, 0),
            Work(2 * second + 8 * 8 * 16, second),
            Work(4 * 4 * 16 * 4, 0),
            Work(0, 0),
            Work(2 * 208 * 31 + 31 + 31, 208 * 31),
            Work(2 * 31 * 10 + 10, 31 * 10),
        ],
        key=lambda work: work.flop,
    )


def test_every_call_knows_its_own_nodes(tmp_path: Path) -> None:
    target = find_target("rpi3")
    lowered = lower(make("residual", tmp_path / "net.onnx"), target)
    program = read_program(schedule(lowered, target))
    assert [step.nodes for step in program.steps] == [nodes for _, nodes in lowered.calls]
    assert set(program.work) == set(program.kernels)
    assert sum(program.work[step.kernel].macs for step in program.steps) > 0
