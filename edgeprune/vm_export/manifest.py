"""What an export for TVM's runtime says about itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from edgeprune.lowering.model import TensorSpec

VM_MANIFEST_FILE = "relax-vm.json"
_FORMAT = 1


@dataclass(frozen=True)
class VmManifest:
    """The content of ``relax-vm.json``.

    ``library`` is the shared library's name and ``entry`` the function to call on the virtual machine, with the
    inputs in their order. ``checked`` says whether the library itself was run here and agreed with the golden outputs;
    one for another machine's CPU cannot be. ``tvm`` is the version whose runtime must load it.
    """

    library: str
    bytes: int
    sha256: str
    entry: str
    target: str
    triple: str
    cpu: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    checked: bool
    tuned_kernels: int
    kernels: int
    tvm: str
    source: dict[str, str]

    def write(self, directory: Path) -> None:
        """Write ``relax-vm.json`` into ``directory``."""
        text = json.dumps({"format": _FORMAT, **asdict(self)}, indent=2, sort_keys=True)
        (directory / VM_MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")
