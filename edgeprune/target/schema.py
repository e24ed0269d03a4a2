"""The typed content of a target file."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from pydantic import Field

from edgeprune.toml_file import Table


class Cpu(Table):
    """How LLVM is to generate code for the board.

    ``triple`` and ``name`` are LLVM's target triple and ``-mcpu``; the value ``"native"`` stands for the machine
    edgeprune runs on. ``attributes`` are LLVM's ``-mattr``.
    """

    isa: Literal["x86_64", "aarch64", "armv7", "native"]
    triple: str
    name: str
    attributes: list[str] = []
    float_abi: Literal["hard", "soft"] | None = None


class Core(Table):
    """One cluster of equal cores.

    Peaks are per core: ``flop_per_cycle`` for fp32 (a fused multiply-add counts as two), ``max_mhz`` in MHz.
    """

    kind: str
    count: int = Field(ge=1)
    max_mhz: int | None = Field(default=None, ge=1)
    flop_per_cycle: int | None = Field(default=None, ge=1)
    l1d_kib: int | None = Field(default=None, ge=1)
    l2_kib: int | None = Field(default=None, ge=1)


class Toolchain(Table):
    """Who links for the board. ``triple`` and ``cpu`` are the linker's own spelling of target and core.

    For ``zig`` the triple may carry a libc version (``aarch64-linux-gnu.2.28``); executables are linked static
    against musl with ``triple``, shared libraries against ``shared_triple``.
    """

    kind: Literal["zig"] = "zig"
    triple: str
    shared_triple: str
    cpu: str


class Emulator(Table):
    """The QEMU user-mode program and the CPU it must enforce (``-cpu``)."""

    program: Literal["qemu-aarch64", "qemu-arm"]
    cpu: str


class Target(Table):
    """A board: its CPU, its cores, who links for it, and how a program gets to run on it."""

    name: str
    description: str
    cpu: Cpu
    cores: list[Core] = Field(min_length=1)
    toolchain: Toolchain
    transport: Literal["local", "qemu"]
    emulator: Emulator | None = None
    memory_mib: int | None = Field(default=None, ge=1)
    sources: list[str] = []

    @property
    def emulated(self) -> bool:
        """Whether programs for this board run under an emulator here, so that no latency can be claimed."""
        return self.transport == "qemu"

    def tuning_key(self) -> str:
        """Return a short content key of all that decides generated code: records never mix across keys."""
        content = json.dumps(self.cpu.model_dump(), sort_keys=True).encode()
        return hashlib.sha256(content).hexdigest()[:16]
