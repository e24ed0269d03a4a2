"""What an artifact says about itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeprune.errors import UserError
from edgeprune.lowering.model import TensorSpec

MANIFEST_FILE = "manifest.json"
_FORMAT = 2


@dataclass(frozen=True)
class KernelEntry:
    """A kernel: the ONNX nodes it computes, as far as known, and whether a tuning record chose its schedule.

    ``macs`` and ``flop`` are those of one call, a multiply-add counting as two FLOP; ``bytes`` is the size of all
    tensors one call reads or writes, each once: the least it can move.
    """

    name: str
    onnx_nodes: tuple[str, ...]
    tuned: bool
    macs: int
    flop: int
    bytes: int


@dataclass(frozen=True)
class StepEntry:
    """One step of an inference, in order: the call of a kernel or a copy ("copy"), and the nodes it computes."""

    kernel: str
    onnx_nodes: tuple[str, ...]
    macs: int
    flop: int
    bytes: int


@dataclass(frozen=True)
class FileEntry:
    """Size and SHA-256 of one of the artifact's files."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The content of ``manifest.json``. Sizes are in bytes.

    ``layout`` is how the caller's tensors lie in memory: "row-major", without gaps and the last axis innermost.
    ``code_bytes`` are the executable sections of the static library, ``arena_bound_bytes`` the least arena that any
    placement of buffers could reach, ``tuning`` holds records, hits, kernels and the database's SHA-256,
    ``precision`` is what weights and intermediate values are kept in, ``threads`` the most that may share an inference.
    ``validation_accuracy`` is the fraction of the validation split that the network answers right, as torch computes
    it; None where nothing is known but an ONNX file. The test split is read later, for the report.
    """

    model: str
    variant: str
    target: str
    triple: str
    cpu: str
    isa: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    arena_bytes: int
    arena_bound_bytes: int
    weight_bytes: int
    code_bytes: int
    system_symbols: tuple[str, ...]
    kernels: tuple[KernelEntry, ...]
    steps: tuple[StepEntry, ...]
    tuning: dict[str, int | str | None]
    golden_records: int
    tolerance: float
    versions: dict[str, str]
    flags: tuple[str, ...]
    source: dict[str, str]
    files: dict[str, FileEntry]
    precision: str = "float32"
    threads: int = 1
    validation_accuracy: float | None = None
    layout: str = "row-major"

    def write(self, directory: Path) -> None:
        """Write ``manifest.json`` into ``directory``."""
        text = json.dumps({"format": _FORMAT, **asdict(self)}, indent=2, sort_keys=True)
        (directory / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        """Return the manifest in ``directory``.

        Raises:
            UserError: it is missing, damaged, or of another format version.
        """
        path = directory / MANIFEST_FILE
        try:
            data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if data.pop("format") != _FORMAT:
                raise UserError(f"{path}: its format is not {_FORMAT}; build the artifact again")
            return cls(
                **{
                    **data,
                    "inputs": tuple(TensorSpec.from_json(spec) for spec in data["inputs"]),
                    "outputs": tuple(TensorSpec.from_json(spec) for spec in data["outputs"]),
                    "system_symbols": tuple(data["system_symbols"]),
                    "kernels": tuple(KernelEntry(**_with_nodes(entry)) for entry in data["kernels"]),
                    "steps": tuple(StepEntry(**_with_nodes(entry)) for entry in data["steps"]),
                    "flags": tuple(data["flags"]),
                    "files": {name: FileEntry(**entry) for name, entry in data["files"].items()},
                }
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: not an artifact's manifest ({error}); build the artifact again") from None


def _with_nodes(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "onnx_nodes": tuple(entry["onnx_nodes"])}


def describe_files(directory: Path) -> dict[str, FileEntry]:
    """Return size and hash of every file in ``directory``, sorted by name."""
    return {
        path.name: FileEntry(path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(directory.iterdir())
        if path.name != MANIFEST_FILE
    }
