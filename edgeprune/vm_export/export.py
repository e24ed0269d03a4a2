"""From a scheduled network to a shared library that TVM's runtime loads.

The kernels are those of the artifact without runtime: same lowering, same tuning records, same CPU. What differs is who
calls them: TVM's virtual machine, which brings RPC, profiling, and every language TVM has a binding for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm import relax

from edgeprune.errors import StageFailure
from edgeprune.lowering import Scheduled
from edgeprune.lowering.llvm_target import tvm_target
from edgeprune.parity import compare
from edgeprune.target import Target
from edgeprune.toolchain import toolchain_for
from edgeprune.vm_export.manifest import VmManifest
from edgeprune.vm_export.run import ENTRY, run_vm

# The library asks the runtime that loads it for its functions; no linker can see them.
_LINK = ("-O2", "-s", "-Wl,--build-id=none", "-Wl,-z,undefs", "-Wl,-z,max-page-size=16384", "-lm")

Rows = NDArray[np.float32]


def export_vm(
    scheduled: Scheduled, target: Target, out: Path, *, model: str, golden: tuple[Rows, Rows], tolerance: float = 1e-4
) -> VmManifest:
    """Write ``<model>-relax-vm.so`` and ``relax-vm.json`` into the existing directory ``out``.

    ``golden`` holds inputs and expected outputs, one record per row, all tensors of a record concatenated. A library
    for this machine is loaded and must agree with them within ``tolerance`` (largest difference over largest value).

    Raises:
        UserError: the target's toolchain is not here.
        StageFailure: TVM or the linker refused.
        ParityError: the library computes something else.
    """
    library = out / f"{model}-relax-vm.so"
    _compile(scheduled, target, library)
    checked = target.cpu.isa == "native"
    if checked:
        _check(scheduled, library, golden, tolerance)
    compiled_for = tvm_target(target)
    manifest = VmManifest(
        library=library.name,
        bytes=library.stat().st_size,
        sha256=hashlib.sha256(library.read_bytes()).hexdigest(),
        entry=ENTRY,
        target=target.name,
        triple=target.toolchain.shared_triple or target.toolchain.triple,
        cpu=str(compiled_for.attrs["mcpu"]),
        inputs=scheduled.inputs,
        outputs=scheduled.outputs,
        checked=checked,
        tuned_kernels=sum(scheduled.tuned.values()),
        kernels=len(scheduled.tuned),
        tvm=str(tvm.__version__),
        source={"onnx_sha256": scheduled.onnx_sha256},
    )
    manifest.write(out)
    return manifest


def _compile(scheduled: Scheduled, target: Target, library: Path) -> None:
    toolchain = toolchain_for(target)

    def link(output: str, objects: Sequence[str], **_: Any) -> None:
        toolchain.link_shared([Path(path) for path in objects], Path(output), _LINK)

    try:
        executable = relax.build(scheduled.module, target=tvm_target(target))
        executable.export_library(str(library), fcompile=link)
    except (tvm.error.InternalError, ValueError, TypeError, RuntimeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise StageFailure(f"TVM could not export for {target.name}: {lines[-1]}") from error


def _check(scheduled: Scheduled, library: Path, golden: tuple[Rows, Rows], tolerance: float) -> None:
    module = tvm.runtime.load_module(str(library))
    for inputs, expected in zip(*golden, strict=True):
        outputs = run_vm(module, tvm.cpu(), split_record(inputs, [spec.shape for spec in scheduled.inputs]))
        found = np.concatenate([output.ravel() for output in outputs])
        compare(expected.ravel(), found, border="onnxruntime | relax-vm", tolerance=tolerance)


def split_record(record: Rows, shapes: Sequence[tuple[int, ...]]) -> list[Rows]:
    """Return the tensors of ``shapes`` that ``record`` holds one after the other."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(record.ravel(), ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
