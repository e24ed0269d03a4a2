"""From a scheduled kernel to a loadable library, without a system compiler."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import tvm

from edgeprune.tuning.plan import Plan, split_prepack

_LINK_SECONDS = 30
# LLVM finds common subexpressions itself: TVM's own pass takes a tenth of a build and changes next to no instruction.
_AS_IN_ARTIFACTS = {"tirx.disable_assert": True, "tirx.disable_cse_tir": True}


def build_candidate(module: tvm.IRModule, target: tvm.target.Target, library: Path) -> Plan:
    """Compile the scheduled kernel ``module["main"]`` into the shared library ``library`` and return how to call it.

    The linker is LLVM's, from the zig package; called directly it takes a hundredth of a compiler driver's start.
    Whatever TVM raises for a schedule it cannot compile comes through.
    """
    functions, plan = split_prepack(module)
    with tvm.transform.PassContext(config=_AS_IN_ARTIFACTS):
        compiled = tvm.tirx.build(functions, target=target)
    compiled_object = library.with_suffix(".o")
    compiled.write_to_file(str(compiled_object), "o")
    linked = subprocess.run(
        [_zig(), "ld.lld", "-shared", compiled_object, "-o", library],
        capture_output=True,
        text=True,
        timeout=_LINK_SECONDS,
        check=False,
    )
    compiled_object.unlink()
    if linked.returncode != 0:
        raise RuntimeError(f"link: {linked.stderr.strip().splitlines()[-1]}")
    return plan


def _zig() -> Path:
    package = importlib.util.find_spec("ziglang")
    if package is None or package.origin is None:
        raise RuntimeError("link: the package ziglang is not installed")
    return Path(package.origin).parent / "zig"
