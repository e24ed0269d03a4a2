"""Other engines on an emulated ARM core: the instructions and estimated cycles of one inference."""

from __future__ import annotations

import importlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edgeprune.emulation import Qemu, Unavailable, build_plugin, find_qemu, read_count, read_cycles
from edgeprune.errors import EdgepruneError, ParityError
from edgeprune.measuring import NotRun, measure
from edgeprune.measuring.board_core import BoardCore, board_core
from edgeprune.parity import compare
from edgeprune.recipe import Measure
from edgeprune.target import Target, find_target
from peers.arm_python import ArmPython, fetch_arm_python
from peers.contest import REFERENCE, TOLERANCE, Entrant, seeded_inputs
from peers.edgeprune_engine import build, schedules_of
from peers.engine import ENGINES, Refused, Signature, Tensor
from peers.process import THREAD_LIMITS

BOARDS = {"cortex-a7": "rpi2", "cortex-a53": "rpi3", "cortex-a72": "rpi4", "cortex-a76": "rpi5"}
"""The cores that can be emulated, and the board whose caches the cycle model has."""

_PATIENCE_S = 1800


@dataclass(frozen=True)
class EmulatedRow:
    """One engine on one network on an emulated core: instructions counted, cycles estimated (never measured).

    ``cycles`` has ``value``, ``low`` and ``high``; "not run" has the ``reason`` instead of figures.
    """

    network: str
    engine: str
    provenance: Literal["emulated", "not run"]
    version: str | None = None
    reason: str | None = None
    relative_error: float | None = None
    instructions: int | None = None
    mix: dict[str, int] | None = None
    cycles: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return asdict(self)


@dataclass(frozen=True)
class _Board:
    target: Target
    core: BoardCore
    qemu: Qemu
    plugin: Path
    python: ArmPython


def count_engines(
    network: Path,
    signature: Signature,
    entrants: Sequence[Entrant],
    *,
    cpu: str,
    say: Callable[[str], None],
) -> list[EmulatedRow]:
    """Return a row per entrant; outputs are held against ONNX Runtime's on this machine.

    Raises:
        Refused: there is no emulator, no plugin, or no Python for it.
    """
    board = _open_board(cpu)
    inputs = seeded_inputs(signature)
    expected = _reference(network, signature, inputs)
    rows = []
    for entrant in entrants:
        with tempfile.TemporaryDirectory(prefix="peers-") as scratch:
            run = _artifact if entrant.module == "edgeprune" else _engine
            try:
                row = run(entrant, network, signature, inputs, expected, board, Path(scratch))
            except (Refused, EdgepruneError, subprocess.TimeoutExpired) as refusal:
                row = EmulatedRow(network.stem, entrant.name, "not run", reason=str(refusal))
        say(f"{network.name}: {entrant.name}: {row.reason or f'{row.instructions:,} instructions'}")
        rows.append(row)
    return rows


def _open_board(cpu: str) -> _Board:
    target = find_target(BOARDS[cpu])
    core = board_core(target)
    assert target.emulator is not None
    qemu = find_qemu(target.emulator.program, cpu=cpu)
    if isinstance(qemu, Unavailable) or isinstance(core, Unavailable):
        missing = qemu if isinstance(qemu, Unavailable) else core
        assert isinstance(missing, Unavailable)
        raise Refused(f"{missing.reason}; {missing.mend}")
    plugin = build_plugin(qemu)
    if isinstance(plugin, Unavailable):
        raise Refused(f"{plugin.reason}; {plugin.mend}")
    return _Board(target, core, qemu, plugin, fetch_arm_python(target.cpu.isa))


def _reference(network: Path, signature: Signature, inputs: Sequence[Tensor]) -> list[Tensor]:
    from peers import onnxruntime_engine

    engine = onnxruntime_engine.load(network, signature, 1)
    engine.set_inputs(inputs)
    engine.infer()
    return signature.shaped(engine.outputs())


def _artifact(
    entrant: Entrant,
    network: Path,
    signature: Signature,
    inputs: Sequence[Tensor],
    expected: Sequence[Tensor],
    board: _Board,
    scratch: Path,
) -> EmulatedRow:
    """edgeprune's executable checks itself against its golden outputs, which are ONNX Runtime's."""
    built = entrant.prepared or build(network, board.target.name, 1, scratch / "artifact")
    found = measure(built, board.target, Measure())
    if isinstance(found, NotRun) or found.instructions is None:
        raise Refused("the emulator counts nothing here")
    cycles = asdict(found.cycles_estimated) if found.cycles_estimated is not None else None
    return EmulatedRow(
        network=network.stem,
        engine=entrant.name,
        provenance="emulated",
        version=schedules_of(built),
        relative_error=found.check.max_relative_error,
        instructions=found.instructions.region,
        mix=dict(found.instructions.mix),
        cycles=cycles,
    )


def _engine(
    entrant: Entrant,
    network: Path,
    signature: Signature,
    inputs: Sequence[Tensor],
    expected: Sequence[Tensor],
    board: _Board,
    scratch: Path,
) -> EmulatedRow:
    """Convert the network here, run it there."""
    name = entrant.module
    if name not in board.python.engines:
        have = ", ".join(board.python.engines)
        raise Refused(f"not run under the emulator: of the wheels for {board.target.cpu.isa}, {have} are")
    converted = scratch / "converted"
    converted.mkdir()
    prepared = importlib.import_module(ENGINES[name]).prepare(network, signature, 1, converted)
    (scratch / "signature.json").write_text(json.dumps(asdict(signature)))
    np.savez(scratch / "inputs.npz", **{str(index): value for index, value in enumerate(inputs)})
    version = _run_guest(name, prepared, board, scratch)
    with np.load(scratch / "outputs.npz") as stored:
        outputs = [stored[str(index)] for index in range(len(stored.files))]
    counted, cycles = read_count(scratch / "counts.json"), read_cycles(scratch / "counts.json", board.core.core)
    return EmulatedRow(
        network=network.stem,
        engine=entrant.name,
        provenance="emulated",
        version=version,
        relative_error=_largest_error(name, expected, outputs),
        instructions=counted.region,
        mix=dict(counted.mix),
        cycles=asdict(cycles) if not isinstance(cycles, Unavailable) else None,
    )


def _run_guest(name: str, prepared: Path, board: _Board, scratch: Path) -> str:
    """Run the guest under the plugin and return the engine's version, its last line."""
    tools, python = Path(__file__).parent.parent, board.python
    (scratch / "core.table").write_text(board.core.table)
    options = {"out": str(scratch / "counts.json"), "core": str(scratch / "core.table")}
    files = [str(scratch / file) for file in ("signature.json", "inputs.npz", "outputs.npz")]
    guest = [str(python.interpreter), str(tools / "peers" / "guest.py"), name, str(prepared), *files]
    emulator = board.target.emulator
    assert emulator is not None
    command = board.qemu.command(guest, cpu=emulator.cpu, plugin=board.plugin, options=options)
    command[1:1] = ["-L", str(python.root)]
    variables = {"PYTHONPATH": f"{tools}:{python.python_path}", "PYTHONDONTWRITEBYTECODE": "1"}
    variables["PYTHONHASHSEED"] = "0"  # the order of sets decides how many instructions Python takes
    variables |= dict.fromkeys(THREAD_LIMITS, "1")
    # In place of QEMU's own, which the guest must not see.
    variables["LD_LIBRARY_PATH"] = python.library_path
    command[1:1] = [part for item in variables.items() for part in ("-E", "=".join(item))]
    done = subprocess.run(
        command, env=board.qemu.environment(), capture_output=True, text=True, timeout=_PATIENCE_S, check=False
    )
    lines = done.stderr.strip().splitlines() or ["no message"]
    if done.returncode != 0:
        raise Refused(f"it fails under the emulator: {lines[-1]}")
    return lines[-1]


def _largest_error(name: str, expected: Sequence[Tensor], outputs: Sequence[Tensor]) -> float:
    border = f"{REFERENCE} | {name}, emulated"
    try:
        pairs = zip(expected, outputs, strict=True)
        return max(compare(one, other, border=border, tolerance=TOLERANCE).relative_error for one, other in pairs)
    except ParityError as error:
        raise Refused(str(error)) from error
