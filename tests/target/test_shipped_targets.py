"""Every target that comes with edgeprune: it loads, LLVM and the linker accept it, and its figures have a source."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeprune.board_check import check_board
from edgeprune.emulation import Unavailable, find_qemu
from edgeprune.errors import StageFailure, UserError
from edgeprune.lowering import tvm_target
from edgeprune.shipped import shipped_directory
from edgeprune.target import Target, find_target
from edgeprune.toolchain import zig_version

NAMES = sorted(path.stem for path in shipped_directory("targets").glob("*.toml"))
WANTED = {
    *("host", "aarch64", "armv7", "rpi2", "rpi-zero2w", "rpi3", "rpi4", "rpi5", "rv1126", "hi3516dv300", "rk3566"),
    *("imx93", "rk3588", "imx8mp", "jetson-nano", "ax630c", "android-arm64", "android-armv7", "phone-a76", "phone-x1"),
}
# The instructions of each core, as LLVM names them: code for a target may not count on more than all its cores have.
DOT_PRODUCT = {"cortex-a55", "cortex-a76", "cortex-a78", "cortex-x1"}


def load(name: str) -> Target:
    return find_target(str(shipped_directory("targets") / f"{name}.toml"))


def one_of_each_toolchain() -> list[str]:
    """Return one target for every way of linking."""
    chosen: dict[str, str] = {}
    for name in NAMES:
        chosen.setdefault(load(name).toolchain.model_dump_json(), name)
    return sorted(chosen.values())


def test_the_promised_boards_are_there() -> None:
    assert set(NAMES) >= WANTED


@pytest.mark.parametrize("name", NAMES)
def test_llvm_knows_the_cpu_and_its_attributes(name: str) -> None:
    target = load(name)
    attributes = tvm_target(target).attrs
    if target.cpu.isa != "native":
        assert str(attributes["mcpu"]) == target.cpu.name
        assert [str(attribute) for attribute in attributes.get("mattr", ())] == target.cpu.attributes


@pytest.mark.parametrize("name", NAMES)
def test_figures_come_with_a_source(name: str) -> None:
    target = load(name)
    keys = ("max_mhz", "flop_per_cycle", "l1d_kib", "l2_kib", "l3_kib")
    figures = [getattr(core, key) for core in target.cores for key in keys]
    if any(figures) or target.bandwidth_gb_s or target.memory_mib:
        assert target.sources
    assert not [source for source in target.sources if "to be checked" in source.lower()]
    for core in target.cores:
        assert (core.l2_kib is None) == (core.l2_shared is None), core.kind


@pytest.mark.parametrize("name", NAMES)
def test_every_core_of_a_board_has_the_instructions_that_code_is_generated_for(name: str) -> None:
    target = load(name)
    if target.cpu.name in DOT_PRODUCT:
        assert {core.kind for core in target.cores} <= DOT_PRODUCT
    elif target.cpu.isa in ("aarch64", "armv7"):
        assert {core.kind for core in target.cores} == {target.cpu.name}


@pytest.mark.parametrize("name", NAMES)
def test_the_emulator_has_no_instruction_that_the_board_lacks(name: str) -> None:
    target = load(name)
    if target.emulator is None:
        assert not target.emulated
        return
    assert target.emulator.program == {"aarch64": "qemu-aarch64", "armv7": "qemu-arm"}[target.cpu.isa]
    generic = {"aarch64": "cortex-a53", "armv7": "cortex-a9"}[target.cpu.isa]
    wanted = dict.fromkeys(DOT_PRODUCT, "cortex-a76") | {"generic": generic}
    assert target.emulator.cpu == wanted.get(target.cpu.name, target.cpu.name)
    qemu = find_qemu(target.emulator.program, cpu=target.emulator.cpu)
    if isinstance(qemu, Unavailable):
        pytest.skip(qemu.reason)
    assert target.emulator.cpu in qemu.cpus


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        (
            "+neom",
            r"target bad: cpu\.attributes: LLVM knows no '\+neom' for aarch64-linux-gnu; did you mean '\+neon'\?",
        ),
        ("-vmlx-hazards", r"target bad: cpu\.attributes: LLVM knows no '-vmlx-hazards' for aarch64-linux-gnu"),
        ("neon", r"target bad: cpu\.attributes: write '\+neon' or '-neon'"),
    ],
)
def test_an_attribute_llvm_does_not_know(attribute: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(f'extends = "aarch64"\n[cpu]\nattributes = ["{attribute}"]\n')
    with pytest.raises(UserError, match=message):
        tvm_target(find_target(str(path)))


@pytest.mark.slow
@pytest.mark.parametrize("name", one_of_each_toolchain())
def test_the_linker_accepts_it_and_the_program_runs(name: str) -> None:
    target = load(name)
    if target.emulator is not None and isinstance(find_qemu(target.emulator.program), Unavailable):
        pytest.skip("no emulator here")
    findings = check_board(target)
    assert findings["linker"] == f"{target.toolchain.triple} by zig {zig_version()}"
    assert findings["running"] == f"over {target.transport}, exit code 0"


def a_board(directory: Path, text: str) -> str:
    path = directory / "board.toml"
    path.write_text(f'extends = "aarch64"\n{text}')
    return str(path)


@pytest.mark.slow
def test_an_emulator_that_does_not_know_the_cpu_is_a_failure(tmp_path: Path) -> None:
    if isinstance(find_qemu("qemu-aarch64"), Unavailable):
        pytest.skip("no emulator here")
    board = a_board(tmp_path, '[emulator]\ncpu = "cortex-a54"\n')
    with pytest.raises(
        StageFailure, match=r"target board: emulator\.cpu: qemu-aarch64 .* knows no 'cortex-a54'; did you"
    ):
        check_board(find_target(board))


@pytest.mark.slow
def test_no_emulator_at_all_is_told_and_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin-that-is-not-there")
    monkeypatch.setattr("edgeprune.emulation.find._candidates", lambda program: iter(()))
    assert check_board(find_target("aarch64"))["running"].startswith("not possible from here: qemu-aarch64 is not on")
