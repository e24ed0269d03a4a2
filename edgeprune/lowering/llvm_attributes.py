"""Whether LLVM knows the CPU attributes a target file names: it only warns of unknown ones, and goes on without."""

from __future__ import annotations

import difflib
from functools import cache

import tvm
from tvm.target import codegen

from edgeprune.errors import UserError
from edgeprune.target import Target


def check_attributes(target: Target) -> None:
    """Check ``cpu.attributes``.

    Raises:
        UserError: an attribute has no sign, or LLVM does not know it for the triple; near names are given.
    """
    for attribute in target.cpu.attributes:
        name = attribute[1:]
        if attribute[:1] not in "+-" or not name:
            raise UserError(f"target {target.name}: cpu.attributes: write '+{attribute}' or '-{attribute}'")
        if not _is_known(target.cpu.triple, target.cpu.name, name):
            close = difflib.get_close_matches(name, _features(target.cpu.triple, target.cpu.name), n=1)
            hint = f"; did you mean {attribute[0] + close[0]!r}?" if close else ""
            raise UserError(
                f"target {target.name}: cpu.attributes: LLVM knows no {attribute!r} for {target.cpu.triple}{hint}"
            )


@cache
def _is_known(triple: str, cpu: str, name: str) -> bool:
    """Switched on, a known attribute shows among the features; LLVM drops an unknown one."""
    return name in _features(triple, cpu, f"+{name}")


def _features(triple: str, cpu: str, *attributes: str) -> set[str]:
    description: dict[str, str | list[str]] = {"kind": "llvm", "mtriple": triple, "mcpu": cpu}
    if attributes:
        description["mattr"] = list(attributes)
    return {str(feature) for feature in codegen.llvm_get_cpu_features(tvm.target.Target(description))}
