"""From a board's description to TVM's target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tvm
from tvm.target import codegen

from edgeprune.errors import UserError
from edgeprune.lowering.llvm_attributes import check_attributes
from edgeprune.target import Target

# Vector extensions a virtual machine may hide although LLVM derives them from the CPU's model.
_MASKABLE_X86 = ("avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512vnni")

# LLVM 22's pass that merges ARM's stores into STM moves the base register and then counts from where it was: of a
# [1, 6, 6, 64] tensor transposed to channels first, the last three pixels went elsewhere.
_NO_MERGED_STORES = "-arm-load-store-opt:bool=false"


def tvm_target(target: Target) -> tvm.target.Target:
    """Return the TVM target that generates code for ``target``'s CPU.

    Artifacts run one thread, so that ``num-cores`` is 1 whatever the board has.

    Raises:
        UserError: LLVM does not know the CPU's name or an attribute for its triple, kernels and linker disagree
            on how floats are passed, or a CPU with one way only is told which.
    """
    cpu = target.cpu
    _check_float_abi(target)
    if cpu.isa == "native":
        return native_target()
    if not codegen.llvm_is_valid_cpu(cpu.name, cpu.triple):
        raise UserError(f"target {target.name}: cpu.name: LLVM knows no CPU {cpu.name!r} for {cpu.triple}")
    check_attributes(target)
    description: dict[str, Any] = {"kind": "llvm", "mtriple": cpu.triple, "mcpu": cpu.name, "num-cores": 1}
    if cpu.attributes:
        description["mattr"] = list(cpu.attributes)
    if cpu.float_abi is not None:
        # The triple's "hf" alone leaves LLVM at soft-float calls.
        description["mfloat-abi"] = cpu.float_abi
    if cpu.isa == "armv7":
        description["cl-opt"] = [_NO_MERGED_STORES]
    return tvm.target.Target(description)


def is_armv7(target: tvm.target.Target) -> bool:
    """Return whether ``target`` is a 32-bit ARM CPU."""
    return str(target.attrs.get("mtriple", "")).startswith("arm")


def is_aarch64(target: tvm.target.Target) -> bool:
    """Return whether ``target`` is a 64-bit ARM CPU."""
    return str(target.attrs.get("mtriple", "")).startswith("aarch64")


def _check_float_abi(target: Target) -> None:
    if target.cpu.isa != "armv7":
        if target.cpu.float_abi is not None:
            raise UserError(
                f"target {target.name}: cpu.float_abi does nothing when cpu.isa is {target.cpu.isa!r}; remove it"
            )
        return
    wanted = "hard" if target.toolchain.triple.partition(".")[0].endswith("hf") else "soft"
    if target.cpu.float_abi != wanted:
        raise UserError(
            f"target {target.name}: cpu.float_abi: {wanted!r} is wanted, because toolchain.triple is "
            f"{target.toolchain.triple!r}; not {target.cpu.float_abi!r}"
        )


def native_target() -> tvm.target.Target:
    """Return the TVM target of the machine edgeprune runs on, named by LLVM's own detection."""
    return tvm.target.Target(_native_description())


def _native_description() -> dict[str, Any]:
    description: dict[str, Any] = {
        "kind": "llvm",
        "mtriple": "x86_64-linux-gnu",
        "mcpu": codegen.llvm_get_system_cpu(),
        "num-cores": 1,
    }
    hidden = sorted(_hidden_features(tvm.target.Target(description)))
    if hidden:
        description["mattr"] = [f"-{feature}" for feature in hidden]
    return description


def _hidden_features(target: tvm.target.Target) -> set[str]:
    claimed = {str(feature) for feature in codegen.llvm_get_cpu_features(target)}
    present = _cpuinfo_flags()
    if not present:
        return set()
    return {feature for feature in _MASKABLE_X86 if feature in claimed and feature.replace("-", "_") not in present}


def _cpuinfo_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    for line in text.splitlines():
        if line.startswith("flags"):
            # The kernel spells avx512vnni with an underscore.
            return set(line.partition(":")[2].replace("avx512_vnni", "avx512vnni").split())
    return set()
