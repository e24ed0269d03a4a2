"""Instruction counts against programs whose counts are known, and against QEMU executing one at a time."""

import re
import subprocess
from pathlib import Path

import pytest

from edgeprune.emulation import InstructionCount, Qemu, Unavailable, build_plugin, find_qemu, read_count
from edgeprune.errors import StageFailure
from edgeprune.target import find_target
from edgeprune.toolchain import ZigToolchain

HERE = Path(__file__).parent
OUTSIDE_REGION, REGION_WITHOUT_LOOP = 5 + 3, 5
GUESTS = {
    "qemu-aarch64": ("cortex-a53", "rpi3", "counted_aarch64.S"),
    "qemu-arm": ("cortex-a7", "cortex-a7", "counted_arm.S"),
}


def qemu_with_plugin(program: str) -> tuple[Qemu, Path]:
    qemu = find_qemu(program)
    if isinstance(qemu, Unavailable):
        pytest.skip(qemu.reason)
    plugin = build_plugin(qemu)
    if isinstance(plugin, Unavailable):
        pytest.skip(plugin.reason)
    return qemu, plugin


def compile_guest(source: str, program: Path, target: str, *options: str) -> Path:
    toolchain = ZigToolchain.for_target(find_target(target))
    compiled = program.with_suffix(".o")
    defines = [option for option in options if option.startswith("-D")]
    toolchain.compile(HERE / source, compiled, ["-O2", *defines])
    toolchain.link_executable([compiled], program, ["-O2", *(option for option in options if option not in defines)])
    return program


def count(qemu: Qemu, plugin: Path, cpu: str, program: Path, counts: Path) -> InstructionCount:
    command = qemu.command([str(program)], cpu=cpu, plugin=plugin, options={"out": str(counts)})
    subprocess.run(command, env=qemu.environment(), check=True)
    return read_count(counts)


@pytest.mark.slow
@pytest.mark.parametrize("turns", [1, 1000, 5_000_000])
@pytest.mark.parametrize("program", GUESTS)
def test_counts_equal_the_program_as_written(program: str, turns: int, tmp_path: Path) -> None:
    qemu, plugin = qemu_with_plugin(program)
    cpu, target, source = GUESTS[program]
    guest = compile_guest(source, tmp_path / "guest", target, "-nostdlib", f"-DTURNS={turns}")
    region = REGION_WITHOUT_LOOP + 2 * turns
    expected = InstructionCount(region=region, total=region + OUTSIDE_REGION, threads=1)
    assert count(qemu, plugin, cpu, guest, tmp_path / "counts.json") == expected


@pytest.mark.slow
@pytest.mark.parametrize("program", GUESTS)
def test_counts_equal_single_stepping(program: str, tmp_path: Path) -> None:
    qemu, plugin = qemu_with_plugin(program)
    cpu, target, source = GUESTS[program]
    guest = compile_guest(source, tmp_path / "guest", target, "-nostdlib", "-DTURNS=1500")
    stepped = tmp_path / "log"
    step = "-singlestep" if qemu.major < 8 else "-one-insn-per-tb"
    subprocess.run(
        [str(qemu.path), "-cpu", cpu, step, "-d", "exec,nochain", "-D", str(stepped), str(guest)],
        env=qemu.environment(),
        check=True,
    )
    executed = len(re.findall(r"^Trace ", stepped.read_text(), re.MULTILINE))
    assert count(qemu, plugin, cpu, guest, tmp_path / "counts.json").total == executed


@pytest.mark.slow
def test_no_instruction_of_any_thread_is_lost(tmp_path: Path) -> None:
    qemu, plugin = qemu_with_plugin("qemu-aarch64")
    regions = []
    for turns in (1_000_000, 3_000_000):
        guest = compile_guest("threads.c", tmp_path / f"guest{turns}", "rpi3", f"-DTURNS={turns}", "-DTHREADS=4")
        counted = count(qemu, plugin, "cortex-a53", guest, tmp_path / "counts.json")
        assert counted.threads == 5
        regions.append(counted.region)
    # Locking differs from run to run by a few hundred instructions; a lost update would cost far more.
    assert abs(regions[1] - regions[0] - 4 * 2 * 2_000_000) < 5_000


@pytest.mark.slow
def test_a_comma_in_the_path_reaches_the_plugin(tmp_path: Path) -> None:
    qemu, plugin = qemu_with_plugin("qemu-aarch64")
    cpu, target, source = GUESTS["qemu-aarch64"]
    guest = compile_guest(source, tmp_path / "guest", target, "-nostdlib", "-DTURNS=1")
    (tmp_path / "a,b").mkdir()
    assert count(qemu, plugin, cpu, guest, tmp_path / "a,b" / "counts.json").region == REGION_WITHOUT_LOOP + 2


@pytest.mark.slow
def test_the_plugin_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    qemu, plugin = qemu_with_plugin("qemu-aarch64")
    command = qemu.command(["/nothing"], cpu="cortex-a53", plugin=plugin, options={"colour": "red"})
    done = subprocess.run(command, env=qemu.environment(), capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "edgeprune count: wrong argument colour=red" in done.stderr


@pytest.mark.slow
def test_the_plugin_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    qemu, plugin = qemu_with_plugin("qemu-aarch64")
    monkeypatch.setattr("edgeprune.emulation.plugin._compile", lambda *_: pytest.fail("compiled again"))
    assert build_plugin(qemu) == plugin


def test_a_region_not_opened_and_closed_once_is_an_error(tmp_path: Path) -> None:
    counts = tmp_path / "counts.json"
    with pytest.raises(StageFailure, match="left no counts"):
        read_count(counts)
    counts.write_text('{"guest":"arm","threads":1,"instructions":9,"region":{"opened":1,"closed":0,"instructions":3}}')
    with pytest.raises(StageFailure, match="opened its region 1 times and closed it 0 times, not once"):
        read_count(counts)
