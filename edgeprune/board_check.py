"""Whether everything between a target file and a program running on that board is in order."""

from __future__ import annotations

import difflib
import tempfile
from pathlib import Path

from edgeprune.emulation import Unavailable, find_qemu
from edgeprune.errors import StageFailure, UserError
from edgeprune.lowering import tvm_target
from edgeprune.measuring import open_transport
from edgeprune.target import Target
from edgeprune.toolchain import toolchain_for

_PROGRAM = "int main(void) { return 0; }\n"
_TIMEOUT_S = 60.0


def check_board(target: Target) -> dict[str, str]:
    """Return what was found for code generation, linking, and running a trivial program, in this order.

    Raises:
        UserError: LLVM does not know the CPU or an attribute, or the toolchain is not on this machine or
            refuses the triple or CPU the target file gives it.
        StageFailure: there is an emulator, but none that knows ``emulator.cpu``; or the program does not end with 0.
    """
    found = {"compiler": str(tvm_target(target).attrs["mcpu"])}
    with tempfile.TemporaryDirectory(prefix="edgeprune-") as scratch:
        program = _link(target, Path(scratch))
        versions = toolchain_for(target).versions()
        found["linker"] = f"{target.toolchain.triple} by {', '.join(' '.join(pair) for pair in versions.items())}"
        found["running"] = _run(target, program)
    return found


def _link(target: Target, scratch: Path) -> Path:
    source, compiled, program = scratch / "main.c", scratch / "main.o", scratch / "trivial"
    source.write_text(_PROGRAM, encoding="utf-8")
    toolchain = toolchain_for(target)
    try:
        toolchain.compile(source, compiled, ["-O2"])
        toolchain.link_executable([compiled], program, ["-s"])
    except StageFailure as failure:
        # A program of one line is refused for what the target file says, not for what it holds.
        settings = target.toolchain
        reason = str(failure).splitlines()[-1].strip()
        raise UserError(
            f"target {target.name}: toolchain: {settings.kind} refuses triple {settings.triple!r} with "
            f"cpu {settings.cpu!r}: {reason}"
        ) from None
    return program


def _run(target: Target, program: Path) -> str:
    transport = open_transport(target)
    if isinstance(transport, Unavailable):
        _refuse_unknown_cpu(target)
        return f"not possible from here: {transport.reason}; {transport.mend}"
    with transport as board:
        done = board.run([board.push(program)], timeout=_TIMEOUT_S)
    if done.code != 0:
        raise StageFailure(f"target {target.name}: a trivial program ends with {done.code}: {done.complaint}")
    return f"over {target.transport}, exit code {done.code}"


def _refuse_unknown_cpu(target: Target) -> None:
    """Tell an emulator that lacks the CPU from no emulator at all: waiting for one to be installed would not help."""
    emulator = target.emulator
    if emulator is None:
        return
    found = find_qemu(emulator.program)
    if isinstance(found, Unavailable):
        return
    near = difflib.get_close_matches(emulator.cpu, found.cpus, n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise StageFailure(
        f"target {target.name}: emulator.cpu: {found.program} {found.version} knows no {emulator.cpu!r}{hint or '.'} "
        f"Name one with the same instructions (`{found.path} -cpu help`), or a newer QEMU in EDGEPRUNE_QEMU_DIR"
    )
