"""Loops of machine code to rank: hand-written ones, and the innermost ones of kernels that edgeprune compiles."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeprune.artifact.kernels import compile_kernels
from edgeprune.lowering import lower, read_program, schedule, tvm_target
from edgeprune.target import find_target

TARGET = "cortex-a55"
FEATURES = "+v8.2a,+dotprod,+fullfp16"
_WRITTEN = Path(__file__).parent / "cycle_validation" / "loops.s"


@dataclass(frozen=True)
class Instruction:
    """An instruction of A64: where it lies, its word, its assembly, and where it jumps to, if it jumps."""

    address: int
    word: int
    assembly: str
    jumps_to: int | None


@dataclass(frozen=True)
class Loop:
    """A loop without a jump inside; its last instruction jumps to its first."""

    name: str
    body: tuple[Instruction, ...]

    @property
    def words(self) -> list[int]:
        """The machine code."""
        return [instruction.word for instruction in self.body]

    @property
    def assembly(self) -> str:
        """The source for an assembler: the loop under the label "turn"."""
        lines = [f"\t{instruction.assembly}" for instruction in self.body]
        return "turn:\n" + "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Layer:
    """A convolution whose kernel is compiled: channels in and out, side of the square image and filter, groups."""

    name: str
    channels: int
    outputs: int
    side: int
    filter: int
    groups: int = 1


LAYERS = (
    Layer("conv 3x3, 16 to 16", 16, 16, 32, 3),
    Layer("conv 3x3, 64 to 64", 64, 64, 8, 3),
    Layer("conv 3x3, 3 to 12", 3, 12, 32, 3),
    Layer("conv 5x5, 6 to 16", 6, 16, 14, 5),
    Layer("conv 1x1, 32 to 64", 32, 64, 16, 1),
    Layer("depthwise 3x3, 32", 32, 32, 16, 3, groups=32),
    Layer("dense, 400 to 120", 400, 120, 1, 1),
)


class Llvm:
    """LLVM's programs in a directory, or on PATH under their plain or versioned names."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def run(self, program: str, *arguments: str) -> str:
        """Return a program's output; a failure ends the tool with its last line."""
        done = subprocess.run([self._find(program), *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{program}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
        return done.stdout

    def _find(self, program: str) -> str:
        if self._directory is not None:
            return str(self._directory / program)
        names = [program, *(f"{program}-{version}" for version in range(25, 13, -1))]
        found = next((path for path in map(shutil.which, names) if path is not None), None)
        if found is None:
            sys.exit(f"{program} is not here: apt-get install llvm-19, or name its directory with --llvm")
        return found


def written_loops(llvm: Llvm, scratch: Path) -> list[Loop]:
    """Return the loops of cycle_validation/loops.s, one a label."""
    made = scratch / "loops.o"
    llvm.run("llvm-mc", "-triple=aarch64", f"-mattr={FEATURES}", "-filetype=obj", str(_WRITTEN), "-o", str(made))
    return [Loop(name.replace("_", " "), tuple(code)) for name, code in _functions(made, llvm)]


def compiled_loops(llvm: Llvm, scratch: Path) -> list[Loop]:
    """Return the longest innermost loop that multiplies of each layer's kernel, by edgeprune's default schedule."""
    return [_compiled(layer, llvm, scratch / f"layer{number}") for number, layer in enumerate(LAYERS)]


def _compiled(layer: Layer, llvm: Llvm, stem: Path) -> Loop:
    target = find_target(TARGET)
    network = _save(layer, stem.with_suffix(".onnx"))
    program = read_program(schedule(lower(network, target), target))
    made = stem.with_suffix(".o")
    compile_kernels(program, tvm_target(target), prefix="loop", object_path=made)
    inner = [loop for _, code in _functions(made, llvm) for loop in _innermost(code)]
    multiplying = [loop for loop in inner if any(one.assembly.startswith(("fmla", "fmul")) for one in loop)]
    if not multiplying:
        sys.exit(f"{layer.name}: no innermost loop of its kernel multiplies; choose another layer")
    return Loop(layer.name, tuple(max(multiplying, key=len)))


def _save(layer: Layer, path: Path) -> Path:
    generator = np.random.default_rng(0)
    shape = (layer.outputs, layer.channels // layer.groups, layer.filter, layer.filter)
    weights = [
        numpy_helper.from_array(generator.standard_normal(shape).astype(np.float32), "w"),
        numpy_helper.from_array(generator.standard_normal(layer.outputs).astype(np.float32), "b"),
    ]
    pads = [layer.filter // 2] * 4
    convolution = helper.make_node("Conv", ["x", "w", "b"], ["y"], name="conv", group=layer.groups, pads=pads)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, layer.channels, layer.side, layer.side])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, layer.outputs, layer.side, layer.side])
    graph = helper.make_graph([convolution], "layer", [x], [y], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


def _functions(file: Path, llvm: Llvm) -> Iterator[tuple[str, list[Instruction]]]:
    """Yield the functions of an object file."""
    text = llvm.run("llvm-objdump", "-d", f"--mattr={FEATURES}", str(file))
    for part in re.split(r"^(?=[0-9a-f]+ <)", text, flags=re.MULTILINE)[1:]:
        name = re.match(r"[0-9a-f]+ <(.*)>:", part)
        assert name is not None
        found = re.findall(r"^\s*([0-9a-f]+): ([0-9a-f]{8})\s+(.*)$", part, re.MULTILINE)
        yield name[1], [_instruction(int(at, 16), int(word, 16), code) for at, word, code in found]


def _instruction(address: int, word: int, code: str) -> Instruction:
    jump = re.search(r"0x([0-9a-f]+) <.*>", code)
    assembly = re.sub(r"0x[0-9a-f]+ <.*>", "turn", code.replace("\t", " ").strip())
    jumps = jump is not None and re.match(r"b|cb|tb", assembly) is not None
    return Instruction(address, word, assembly, int(jump[1], 16) if jump is not None and jumps else None)


def _innermost(code: Sequence[Instruction]) -> Iterator[list[Instruction]]:
    """Yield the loops of a function that hold no jump but the one back."""
    place = {instruction.address: index for index, instruction in enumerate(code)}
    for end, instruction in enumerate(code):
        if instruction.jumps_to is None or instruction.jumps_to > instruction.address:
            continue
        body = list(code[place[instruction.jumps_to] : end + 1])
        if all(one.jumps_to is None for one in body[:-1]):
            yield body
