"""Instruction counts against programs whose counts are known, and against QEMU executing one at a time."""

import re
import subprocess
from pathlib import Path

import pytest

from edgeprune.emulation import (
    MIX_CLASSES,
    CyclesEstimate,
    InstructionCount,
    Qemu,
    Unavailable,
    build_plugin,
    find_qemu,
    load_core,
    read_count,
    read_cycles,
)
from edgeprune.errors import StageFailure
from edgeprune.target import find_target
from edgeprune.toolchain import ZigToolchain

HERE = Path(__file__).parent
OUTSIDE_REGION, REGION_WITHOUT_LOOP = 5 + 3, 5
GUESTS = {
    "qemu-aarch64": ("cortex-a53", "rpi3", "counted_aarch64.S"),
    "qemu-arm": ("cortex-a7", "cortex-a7", "counted_arm.S"),
}


def mixed(**counts: int) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in MIX_CLASSES}


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
    loads = int(turns > 0xFFFF)  # the assembler makes a move of a load of a small constant
    mix = mixed(load=loads, integer=turns + 4 - loads, branch=turns, other=1)
    expected = InstructionCount(region=region, total=region + OUTSIDE_REGION, threads=1, mix=mix)
    assert count(qemu, plugin, cpu, guest, tmp_path / "counts.json") == expected


@pytest.mark.slow
@pytest.mark.parametrize("program", GUESTS)
def test_counts_equal_single_stepping(program: str, tmp_path: Path) -> None:
    qemu, plugin = qemu_with_plugin(program)
    cpu, target, source = GUESTS[program]
    guest = compile_guest(source, tmp_path / "guest", target, "-nostdlib", "-DTURNS=1500")
    executed = single_stepped(qemu, cpu, guest, tmp_path / "log")
    assert count(qemu, plugin, cpu, guest, tmp_path / "counts.json").total == len(executed)


def single_stepped(qemu: Qemu, cpu: str, guest: Path, log: Path) -> list[str]:
    """Return the mnemonics of all instructions in the order QEMU executed them, by its own disassembler."""
    step = "-singlestep" if qemu.major < 8 else "-one-insn-per-tb"
    subprocess.run(
        [str(qemu.path), "-cpu", cpu, step, "-d", "exec,nochain,in_asm", "-D", str(log), str(guest)],
        env=qemu.environment(),
        check=True,
    )
    text = log.read_text()
    mnemonics = {
        int(at, 16): name for at, name in re.findall(r"^0x([0-9a-f]+): +(?:[0-9a-f]{4,8} )+ *(\S+)", text, re.M)
    }
    return [
        mnemonics[int(at, 16)] for at in re.findall(r"^Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/", text, re.MULTILINE)
    ]


# What the classes are by name, for the instructions of the two programs.
MNEMONICS = {
    "mac": r"fmla|fmadd|mla|vfma|vmla",
    "load": r"ldr|ldp|ldm|ld1|vld1|vldr|pop",
    "store": r"str|stp|st1|vst1|push",
    "branch": r"b|bl|b\.ne|bne|blx|ret",
    "other": r"prfm|pld|nop|svc|it",
    "simd": r"v\w+|movi|fadd|dup",
    "integer": r"add|sub|subs|mul|mov|movz|movk|movw|movt|moveq|cmp|adr",
}


def class_of(mnemonic: str) -> str:
    name = mnemonic.split(".")[0] if not mnemonic.startswith("b.") else mnemonic
    return next(kind for kind, names in MNEMONICS.items() if re.fullmatch(names, name))


@pytest.mark.slow
@pytest.mark.parametrize("program", GUESTS)
def test_the_mix_is_as_written_and_as_single_stepped(program: str, tmp_path: Path) -> None:
    qemu, plugin = qemu_with_plugin(program)
    cpu, target, source = GUESTS[program]
    turns = 300
    guest = compile_guest(
        source.replace("counted", "mixed"), tmp_path / "guest", target, "-nostdlib", f"-DTURNS={turns}"
    )
    counted = count(qemu, plugin, cpu, guest, tmp_path / "counts.json")
    if program == "qemu-aarch64":
        once, each = (
            mixed(integer=6, simd=1, other=1),
            mixed(load=3, mac=3, simd=2, store=2, integer=4, other=2, branch=3),
        )
    else:
        once, each = (
            mixed(integer=7, simd=1, other=1),
            mixed(load=5, mac=3, simd=3, store=3, integer=5, other=3, branch=2),
        )
    assert counted.mix == {name: once[name] + turns * each[name] for name in MIX_CLASSES}
    executed = single_stepped(qemu, cpu, guest, tmp_path / "log")
    region = executed[executed.index("svc") + 1 : -3]
    stepped = [class_of(mnemonic) for mnemonic in region]
    assert counted.mix == {name: stepped.count(name) for name in MIX_CLASSES}


@pytest.mark.slow
@pytest.mark.parametrize("program", GUESTS)
def test_cycles_are_estimated_beside_the_same_counts_and_repeat(program: str, tmp_path: Path) -> None:
    qemu, plugin = qemu_with_plugin(program)
    cpu, target, source = GUESTS[program]
    core = load_core(cpu)
    assert core is not None
    (tmp_path / "core").write_text(core.table(32, 512, None))
    found: list[CyclesEstimate] = []
    for turns in (1000, 1000, 2000):
        guest = compile_guest(source, tmp_path / "guest", target, "-nostdlib", f"-DTURNS={turns}")
        options = {"out": str(tmp_path / "out"), "core": str(tmp_path / "core")}
        command = qemu.command([str(guest)], cpu=cpu, plugin=plugin, options=options)
        subprocess.run(command, env=qemu.environment(), check=True)
        cycles = read_cycles(tmp_path / "out", core)
        assert isinstance(cycles, CyclesEstimate)
        assert read_count(tmp_path / "out") == count(qemu, plugin, cpu, guest, tmp_path / "counts.json")
        found.append(cycles)
    assert found[0] == found[1]
    # A subtraction, and a taken branch that waits for its flags; a bubble behind it at the high end.
    assert found[2].value - found[0].value == 2000
    assert found[2].high - found[0].high == 3000
    assert (found[0].cpu, found[0].model) == (cpu, "in-order dual issue")


@pytest.mark.slow
def test_cycles_of_several_threads_are_not_estimated(tmp_path: Path) -> None:
    qemu, plugin = qemu_with_plugin("qemu-aarch64")
    core = load_core("cortex-a53")
    assert core is not None
    (tmp_path / "core").write_text(core.table(None, None, None))
    guest = compile_guest("threads.c", tmp_path / "guest", "rpi3", "-DTURNS=1000", "-DTHREADS=2", "-DTOGETHER")
    options = {"out": str(tmp_path / "out"), "core": str(tmp_path / "core")}
    command = qemu.command([str(guest)], cpu="cortex-a53", plugin=plugin, options=options)
    subprocess.run(command, env=qemu.environment(), check=True)
    absent = read_cycles(tmp_path / "out", core)
    assert isinstance(absent, Unavailable)
    assert absent.reason.startswith("3 threads ran the inference")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("width 2", "width 2\ncolour red"), "line 3: not understood: colour red"),
        (("operation fmac_q", "operation fmac_z"), "not understood: operation fmac_z"),
        (("linefills", "# linefills"), "not understood: # linefills"),
        (("width 2\n", ""), "width is missing"),
    ],
)
def test_a_table_that_is_not_understood_stops_the_emulator(
    change: tuple[str, str], complaint: str, tmp_path: Path
) -> None:
    qemu, plugin = qemu_with_plugin("qemu-aarch64")
    core = load_core("cortex-a53")
    assert core is not None
    (tmp_path / "core").write_text(core.table(None, None, None).replace(*change))
    options = {"out": str(tmp_path / "out"), "core": str(tmp_path / "core")}
    command = qemu.command(["/nothing"], cpu="cortex-a53", plugin=plugin, options=options)
    done = subprocess.run(command, env=qemu.environment(), capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert complaint in done.stderr


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
    monkeypatch.setattr("edgeprune.emulation.native_build.run_zig", lambda *_: pytest.fail("compiled again"))
    assert build_plugin(qemu) == plugin


def test_a_region_not_opened_and_closed_once_is_an_error(tmp_path: Path) -> None:
    counts = tmp_path / "counts.json"
    with pytest.raises(StageFailure, match="left no counts"):
        read_count(counts)
    counts.write_text('{"guest":"arm","threads":1,"instructions":9,"region":{"opened":1,"closed":0,"instructions":3}}')
    with pytest.raises(StageFailure, match="opened its region 1 times and closed it 0 times, not once"):
        read_count(counts)
