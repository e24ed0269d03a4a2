"""LLVM functions around ARMv7 code of our own that keeps sums in vector registers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

REGISTERS = 16
"""Vector registers, q0 to q15."""
BYTES = 4
"""Of a number."""


@dataclass(frozen=True)
class Operands:
    """What the code calls its ``sums`` and the other values it is given."""

    sums: int

    @property
    def factor(self) -> str:
        """Return the register with the address of the next factor."""
        return f"${self.sums}"

    @property
    def vector(self) -> str:
        """Return the register with the address of the next vector."""
        return f"${self.sums + 1}"

    @property
    def turns(self) -> str:
        """Return the register with the number of turns left."""
        return f"${self.sums + 2}"

    def sum(self, number: int) -> str:
        """Return the vector register of one of the sums."""
        return f"${{{number}:q}}"

    def constant(self, number: int) -> str:
        """Return the register of one of the constants."""
        # Between lie the inputs that share their registers with what came so far.
        return f"${2 * (self.sums + 3) + number}"


@dataclass(frozen=True)
class Code:
    """``lines`` of assembly that change vector registers below ``scratch`` and get ``turns`` and ``constants``."""

    lines: Sequence[str]
    scratch: int
    turns: int
    constants: Sequence[int]


def llvm_function(name: str, sums: Sequence[int], code: Code) -> str:
    """Return a function that takes the addresses of the first sum, factor and vector and updates the sums.

    ``sums`` are their offsets from the first one, in numbers.
    """
    places = range(len(sums))
    results = ", ".join([*("<4 x float>" for _ in places), "ptr", "ptr", "i32"])
    lines = [f"%at{i} = getelementptr float, ptr %sums, i32 {offset}" for i, offset in enumerate(sums)]
    lines += [f"%before{i} = load <4 x float>, ptr %at{i}, align 4" for i in places]
    lines += [f"%result = {_call(f'%{name}_results', len(sums), code)}"]
    lines += [f"%after{i} = extractvalue %{name}_results %result, {i}" for i in places]
    lines += [f"store <4 x float> %after{i}, ptr %at{i}, align 4" for i in places]
    signature = f"define i32 @{name}(ptr %sums, ptr %factors, ptr %vectors) alwaysinline {{"
    return "\n".join([f"%{name}_results = type {{ {results} }}", signature, *lines, "ret i32 0", "}"])


def _call(results: str, sums: int, code: Code) -> str:
    outputs = ["=w"] * sums + ["=&r"] * 3
    tied = [str(number) for number in range(len(outputs))]
    clobbered = [f"~{{q{number}}}" for number in range(code.scratch)]
    fixed = ["r"] * len(code.constants)
    constraints = ",".join([*outputs, *tied, *fixed, *clobbered, "~{cpsr}", "~{memory}"])
    arguments = [f"<4 x float> %before{number}" for number in range(sums)]
    arguments += ["ptr %factors", "ptr %vectors", *(f"i32 {value}" for value in (code.turns, *code.constants))]
    lines = r"\0A".join(code.lines)
    return f'call {results} asm sideeffect "{lines}", "{constraints}"({", ".join(arguments)})'
