"""Every instruction of a table that was written by reading the manuals, against the decoders."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeprune.emulation.replay import InstructionSet, describe

pytestmark = pytest.mark.slow  # the decoders are compiled on first use

FLAGS, FLOATS = 32, 33


@dataclass(frozen=True)
class Expected:
    instruction_set: InstructionSet
    encoding: str
    assembly: str
    description: str


def numbers(registers: str, instruction_set: str) -> str:
    found = []
    for name in registers.split():
        if name in ("flags", "sp"):
            found.append(FLAGS if name == "flags" else 31)
        elif name[0] in "xr":
            found.append(int(name[1:]))
        else:
            length = 1 if instruction_set == "a64" else {"s": 1, "d": 2, "q": 4}[name[0]]
            found += [FLOATS + int(name[1:]) * length + part for part in range(length)]
    return "".join(f" {number}" for number in found)


def read(line: str) -> Expected:
    instruction_set, encoding, assembly, kind, read_, written, more = (part.strip() for part in line.split("|"))
    addend, beats, base = (
        next(iter(re.findall(rf"{key}(\d+)", more)), default)
        for key, default in ((r"\+", "0"), ("beats ", "1"), ("base ", "255"))
    )
    text = f"{kind} reads{numbers(read_, instruction_set)} writes{numbers(written, instruction_set)}"
    return Expected(instruction_set, encoding, assembly, f"{text} addend {addend} beats {beats} base {base}")  # type: ignore[arg-type]


LINES = (Path(__file__).parent / "decoded.txt").read_text().splitlines()
TABLE = [read(line) for line in LINES if not line.startswith("#")]


@pytest.mark.parametrize("instruction_set", ["a64", "a32", "t32"])
def test_every_instruction_is_what_the_manual_says(instruction_set: InstructionSet) -> None:
    ours = [expected for expected in TABLE if expected.instruction_set == instruction_set]
    assert len(ours) >= 28
    for expected in ours:
        size = (len(expected.encoding) - 2) // 2
        found = describe(int(expected.encoding, 16), instruction_set, size)
        assert (expected.assembly, found) == (expected.assembly, expected.description)


def test_the_table_has_every_operation() -> None:
    """An operation that no instruction of the table has could be wrong in every core unseen."""
    covered = {expected.description.split()[1] for expected in TABLE}
    header = (Path(__file__).parents[2] / "tools" / "qemu_plugin" / "instruction.h").read_text()
    listed = re.findall(r"X\((\w+)\)", header.split("#define OPERATIONS(X)")[1].split("#define AS_MIX")[0])
    assert set(listed) - covered == set()


def test_what_is_no_instruction_of_these_cores_is_other() -> None:
    assert describe(0x00000000, "a64").startswith("other system")
    assert describe(0x04000000, "a64").startswith("other system"), "SVE"
