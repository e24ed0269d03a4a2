"""Whether a board's CPU can run an executable at all, told before it is tried."""

from __future__ import annotations

from pathlib import Path

from edgeprune.errors import StageFailure

# e_machine of the ELF header, and what `uname -m` says where such a program runs.
_MACHINES = {
    3: ("x86", {"i386", "i486", "i586", "i686", "x86_64"}),
    40: ("32-bit ARM", {"armv6l", "armv7l", "armv8l", "aarch64"}),
    62: ("x86-64", {"x86_64"}),
    183: ("64-bit ARM", {"aarch64"}),
    243: ("RISC-V", {"riscv32", "riscv64"}),
}


def refuse_wrong_isa(file: Path, machine: str, board: str) -> None:
    """Raise unless a ``board`` whose kernel calls itself ``machine`` can run ``file``, which need not be a program.

    A shell takes a file that the kernel refuses for a script, and its complaints then make no sense.

    Raises:
        StageFailure: the program is for another CPU.
    """
    with file.open("rb") as stream:
        header = stream.read(20)
    if header[:4] != b"\x7fELF" or len(header) < 20:
        return
    number = int.from_bytes(header[18:20], "little" if header[5] == 1 else "big")
    name, machines = _MACHINES.get(number, (f"ELF machine {number}", set()))
    if machine not in machines:
        raise StageFailure(
            f"board {board}: {file.name} is a program for {name}, the board is {machine}; "
            f"build for a target with that CPU"
        )
