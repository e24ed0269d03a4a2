"""The decoders and the pipeline model without QEMU: single instructions described, loops of machine code replayed."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

from edgeprune.emulation.native_build import build_shared
from edgeprune.emulation.plugin import DECODERS, MODEL
from edgeprune.errors import StageFailure

InstructionSet: TypeAlias = Literal["a64", "a32", "t32"]

_SETS: dict[InstructionSet, int] = {"a64": 0, "a32": 1, "t32": 2}


@dataclass(frozen=True)
class Replayed:
    """Cycles by the model's low, nominal and high numbers."""

    low: int
    nominal: int
    high: int


def describe(word: int, instruction_set: InstructionSet, size: int = 4) -> str:
    """Return class, operation and registers of an instruction, as tools/qemu_plugin/replay.c words them."""
    text = ctypes.create_string_buffer(512)
    _library().edgeprune_describe(_SETS[instruction_set], ctypes.c_uint32(word), size, text, len(text))
    return text.value.decode()


def replay(
    table: str,
    words: Sequence[int],
    *,
    instruction_set: InstructionSet = "a64",
    turns: int = 1,
    level: int = 0,
    streamed: bool = False,
) -> Replayed:
    """Return the cycles of ``turns`` executions of straight-line code on the core of ``table`` (`Core.table`).

    ``words`` are its instructions of 32 bits; a branch at the end is taken in every turn but the last. All loads find
    their data at ``level`` (0: the first cache), after its neighbouring line when ``streamed``.

    Raises:
        StageFailure: the table is not understood.
    """
    code, cycles = (ctypes.c_uint32 * len(words))(*words), (ctypes.c_uint64 * 3)()
    problem = ctypes.create_string_buffer(4500)
    with _written(table) as file:
        arguments = (file, _SETS[instruction_set], code, len(words), turns, level, int(streamed), cycles)
        if _library().edgeprune_replay(*arguments, problem, len(problem)) != 0:
            raise StageFailure(f"the core's table cannot be used: {problem.value.decode(errors='replace')}")
    return Replayed(*cycles)


def find(table: str, addresses: Sequence[int]) -> list[tuple[int, bool]]:
    """Return where each access finds its data: the level (0: the first cache), and whether it follows its neighbour.

    Raises:
        StageFailure: the table is not understood.
    """
    count = len(addresses)
    places, levels, streamed = (ctypes.c_uint64 * count)(*addresses), (ctypes.c_int * count)(), (ctypes.c_int * count)()
    problem = ctypes.create_string_buffer(4500)
    with _written(table) as file:
        arguments = (file, places, count, levels, streamed)
        if _library().edgeprune_find(*arguments, problem, len(problem)) != 0:
            raise StageFailure(f"the core's table cannot be used: {problem.value.decode(errors='replace')}")
    return [(level, bool(follows)) for level, follows in zip(levels, streamed, strict=True)]


@contextmanager
def _written(table: str) -> Iterator[bytes]:
    """The table as a file, whose name the library wants."""
    with tempfile.NamedTemporaryFile("w", suffix=".core") as file:
        file.write(table)
        file.flush()
        yield file.name.encode()


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(str(build_shared(("replay.c", *MODEL, *DECODERS))))
