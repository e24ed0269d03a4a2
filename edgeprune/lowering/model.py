"""What the lowering stage takes in and hands on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import tvm

from edgeprune.errors import UserError

_MODULE_FILE = "module.json"
_DESCRIPTION_FILE = "lowered.json"
_FORMAT = 2


@dataclass(frozen=True)
class TensorSpec:
    """A named input or output of a network: its static shape and its dtype in NumPy's spelling."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def elements(self) -> int:
        """Return the number of elements."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    @classmethod
    def from_json(cls, data: dict[str, object]) -> TensorSpec:
        """Return the spec that ``asdict`` wrote."""
        shape = data["shape"]
        assert isinstance(shape, list)
        return cls(str(data["name"]), tuple(int(extent) for extent in shape), str(data["dtype"]))


@dataclass(frozen=True)
class ImportedModel:
    """An ONNX file, checked and turned into Relax: ``module["main"]`` takes the inputs in file order.

    ``nodes`` are the names of the file's nodes (or of their first outputs, where a node has no name), in order; the
    variables of ``main`` are named after their node's place in it.
    """

    path: Path
    module: tvm.IRModule
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    onnx_sha256: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Lowered:
    """A network as fused kernels (TIR PrimFuncs) and a Relax ``main`` that calls them.

    ``calls`` are ``main``'s calls of kernels in order: the kernel, and the ONNX nodes the call computes, in the file's
    order. A call that merely changes a layout names the nodes it does that for.
    """

    module: tvm.IRModule
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    onnx_sha256: str
    calls: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def kernel_nodes(self) -> dict[str, tuple[str, ...]]:
        """For every kernel the nodes of all calls that share it."""
        return merged_nodes(self.calls)

    def save(self, directory: Path) -> None:
        """Write ``module.json`` and ``lowered.json`` into the existing ``directory``."""
        _write(directory / _MODULE_FILE, tvm.ir.save_json(self.module))
        description = {
            "format": _FORMAT,
            "inputs": [asdict(spec) for spec in self.inputs],
            "outputs": [asdict(spec) for spec in self.outputs],
            "onnx_sha256": self.onnx_sha256,
            "calls": self.calls,
        }
        _write(directory / _DESCRIPTION_FILE, json.dumps(description, indent=2, sort_keys=True) + "\n")

    @classmethod
    def load(cls, directory: Path) -> Lowered:
        """Return what ``save`` wrote into ``directory``.

        Raises:
            UserError: a file is missing, damaged, or of another format version.
        """
        try:
            description = json.loads((directory / _DESCRIPTION_FILE).read_text(encoding="utf-8"))
            if description["format"] != _FORMAT:
                raise UserError(f"{directory}: format {description['format']} is not {_FORMAT}; run 'lower' again")
            module = tvm.ir.load_json((directory / _MODULE_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, tvm.error.InternalError) as error:
            raise UserError(f"{directory}: not a lowered model ({error}); run 'lower' again") from None
        return cls(
            module=module,
            inputs=tuple(TensorSpec.from_json(spec) for spec in description["inputs"]),
            outputs=tuple(TensorSpec.from_json(spec) for spec in description["outputs"]),
            onnx_sha256=description["onnx_sha256"],
            calls=tuple((kernel, tuple(nodes)) for kernel, nodes in description["calls"]),
        )


def merged_nodes(calls: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """Return for every kernel the nodes of all its calls, each once."""
    merged: dict[str, tuple[str, ...]] = {}
    for kernel, nodes in calls:
        merged[kernel] = tuple(dict.fromkeys((*merged.get(kernel, ()), *nodes)))
    return merged


def task_module(lowered: Lowered) -> tvm.IRModule:
    """Return the module whose kernels are tuning tasks.

    Task extraction and the application of records must both start from here: a record is found by the structural
    hash of its kernel, and one pass more on either side makes every look-up miss without a word.
    """
    return lowered.module


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        # A failed write does not say which file it was.
        raise OSError(error.errno, error.strerror, str(path)) from error
