"""How far weights may grow by Winograd's method: what the target says, and the convolutions that gain most first."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeprune.errors import UserError
from edgeprune.lowering import import_onnx, lower, read_program, schedule
from edgeprune.lowering.winograd_plan import weight_bytes
from edgeprune.target import Target, find_target
from tests.lowering.networks import Graph, conv


def bounded(winograd: bool | float) -> Target:
    target = find_target("rpi3")
    return target.model_copy(update={"cpu": target.cpu.model_copy(update={"winograd": winograd})})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two convolutions of 32x32 with few weights, then two of 16x16 with four times as many."""
    graph = Graph()
    data = graph.input(1, 16, 32, 32)
    for _ in range(2):
        data = graph.node("Relu", conv(graph, data, 16, 16, pads=[1] * 4))
    data = graph.node("Relu", conv(graph, data, 16, 32, 1, strides=[2, 2]))
    for _ in range(2):
        data = graph.node("Relu", conv(graph, data, 32, 32, pads=[1] * 4))
    return graph.save(tmp_path_factory.mktemp("plan") / "network.onnx", data)


SMALL, LARGE, BIASES = 4 * 9 * 16 * 16, 4 * 9 * 32 * 32, 4 * (16 + 16 + 32 + 32 + 32)
OWN = 2 * SMALL + 2 * LARGE + 4 * 16 * 32 + BIASES


def kernels_and_growth(path: Path, winograd: bool | float) -> tuple[list[int], int]:
    """Return the tiles of the network's 3x3 convolutions in order, 0 for none, and the bytes its weights grew by."""
    target = bounded(winograd)
    lowered = lower(path, target)
    names = [kernel.removeprefix("fused_") for kernel, _ in lowered.calls if "conv2d" in kernel]
    sizes = [int(name[len("winograd")]) if name.startswith("winograd") else 0 for name in names]
    return [*sizes[:2], *sizes[3:]], read_program(schedule(lowered, target)).weight_bytes - OWN


def test_the_networks_own_weights_are_counted(path: Path) -> None:
    assert weight_bytes(import_onnx(path).module) == OWN


@pytest.mark.parametrize(
    ("winograd", "sizes", "small", "large"),
    [
        (False, [0, 0, 0, 0], 9, 9),
        (1, [0, 0, 0, 0], 9, 9),
        (1.16, [2, 2, 0, 0], 16, 9),
        (1.7, [4, 4, 0, 0], 36, 9),
        (1.78, [2, 2, 2, 2], 16, 16),
        (2.3, [4, 4, 2, 2], 36, 16),
        (4, [4, 4, 4, 4], 36, 36),
        (True, [4, 4, 4, 4], 36, 36),
    ],
)
def test_the_most_gainful_convolutions_come_first(
    path: Path, winograd: bool | float, sizes: list[int], small: int, large: int
) -> None:
    expected = 2 * SMALL * (small - 9) // 9 + 2 * LARGE * (large - 9) // 9
    assert kernels_and_growth(path, winograd) == (sizes, expected)
    assert isinstance(winograd, bool) or OWN + expected <= winograd * OWN


@pytest.mark.parametrize("value", ["0.5", "0", "inf", "nan", '"yes"', "-1.0"])
def test_a_bound_below_the_networks_own_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "camera.toml").write_text(f'extends = "rpi3"\n[cpu]\nwinograd = {value}\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"camera\.toml: cpu\.winograd: true, false or a number"):
        find_target("camera")


def test_a_bound_may_be_written_as_a_whole_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "camera.toml").write_text('extends = "rpi3"\n[cpu]\nwinograd = 2\n')
    monkeypatch.chdir(tmp_path)
    assert find_target("camera").cpu.winograd == 2.0
    assert not isinstance(find_target("camera").cpu.winograd, bool)
