"""The typed content of a target file."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, field_validator, model_validator

from edgeprune.target.address import Address
from edgeprune.toml_file import Table

MOST_THREADS = 64


class Cpu(Table):
    """How LLVM is to generate code for the board.

    ``triple`` and ``name`` are LLVM's target triple and ``-mcpu``; the value ``"native"`` stands for the machine
    edgeprune runs on. ``attributes`` are LLVM's ``-mattr``. ``precision`` is what weights and intermediate values are
    stored and computed in; a network's inputs and outputs are float32 either way. ``winograd`` lets convolutions of 3x3
    and 5x5 be computed by Winograd's method where that is faster, from up to four times as many weights; a number is
    how many times their own size a network's weights may take by it. ``winograd_tiles`` is the edge of its largest
    tiles of outputs: 2 rules F(4, 3) out. ``layout`` is how images lie in memory between layers: channels last or
    first.
    """

    isa: Literal["x86_64", "aarch64", "armv7", "native"]
    triple: str
    name: str
    attributes: list[str] = []
    float_abi: Literal["hard", "soft"] | None = None
    precision: Literal["float32", "float16"] = "float32"
    winograd: bool | float = True
    winograd_tiles: Literal[2, 4] = 4
    layout: Literal["NHWC", "NCHW"] = "NHWC"

    @field_validator("winograd", mode="before")
    @classmethod
    def _is_a_choice_or_a_bound(cls, winograd: object) -> object:
        if isinstance(winograd, bool) or (isinstance(winograd, int | float) and 1 <= winograd < math.inf):
            return winograd
        raise ValueError(f"true, false or a number of at least 1 is wanted, not {winograd!r}")


class Core(Table):
    """One cluster of equal cores; where a board has several, the first is the one that code is generated for.

    Peaks are per core: ``flop_per_cycle`` for fp32 (a fused multiply-add counts as two), ``max_mhz`` in MHz. Caches
    are in KiB: the first level's for data of each core, the second level's of each core or, when ``l2_shared``, of the
    cluster, and the third level's of all cores together.
    """

    kind: str
    count: int = Field(ge=1)
    max_mhz: int | None = Field(default=None, ge=1)
    flop_per_cycle: int | None = Field(default=None, ge=1)
    l1d_kib: int | None = Field(default=None, ge=1)
    l2_kib: int | None = Field(default=None, ge=1)
    l2_shared: bool | None = None
    l3_kib: int | None = Field(default=None, ge=1)


# Which keys beside kind and triple each kind of toolchain reads, and which of them it cannot do without.
_TOOLCHAIN_KEYS = {
    "zig": {"shared_triple", "cpu"},
    "gcc": {"cpu", "prefix", "path", "sysroot", "options"},
    "clang": {"cpu", "path", "sysroot", "options"},
    "ndk": {"cpu", "path", "options"},
}
_REQUIRED_TOOLCHAIN_KEYS = {"zig": ("shared_triple", "cpu")}


class Toolchain(Table):
    """Who compiles C and links for the board. ``triple`` and ``cpu`` are the toolchain's own spelling.

    - ``zig``: the triple may carry a libc version (``aarch64-linux-gnu.2.28``); executables are linked static against
      musl with ``triple``, shared libraries against ``shared_triple``.
    - ``gcc``: ``prefix`` stands before every program's name (by default the triple and a dash).
    - ``clang``: one program for all triples; it brings no libc, ``sysroot`` says where that is.
    - ``ndk``: Android's; ``path`` is its directory, by default what ``ANDROID_NDK_HOME`` names.

    For ``gcc`` and ``clang``, ``path`` is the directory of the programs when they are not on ``PATH``. ``options`` go
    to the compiler at every step (``-mfpu=neon-vfpv4``, say).
    """

    kind: Literal["zig", "gcc", "clang", "ndk"] = "zig"
    triple: str
    shared_triple: str | None = None
    cpu: str | None = None
    prefix: str | None = None
    path: str | None = None
    sysroot: str | None = None
    options: list[str] = []

    @model_validator(mode="after")
    def _only_keys_of_its_kind(self) -> Toolchain:
        given = self.model_fields_set - {"kind", "triple"}
        useless = sorted(given - _TOOLCHAIN_KEYS[self.kind])
        if useless:
            raise ValueError(f"{useless[0]} does nothing when kind is {self.kind!r}; remove it")
        missing = [key for key in _REQUIRED_TOOLCHAIN_KEYS.get(self.kind, ()) if key not in given]
        if missing:
            raise ValueError(f"{missing[0]} is required when kind is {self.kind!r}")
        return self


class Emulator(Table):
    """The QEMU user-mode program and the CPU it must enforce (``-cpu``)."""

    program: Literal["qemu-aarch64", "qemu-arm"]
    cpu: str


class Target(Table):
    """A board: its CPU, its cores, who links for it, and how a program gets to run on it.

    ``threads`` is the most threads that a network may use; 1 links no thread pool in.
    ``transport`` is the board's `Address` as text.
    ``bandwidth_gb_s`` is what the memory interface can move at most, in 10^9 bytes per second for the whole board.
    Every figure's origin is among ``sources``.
    """

    name: str
    description: str
    cpu: Cpu
    cores: list[Core] = Field(min_length=1)
    toolchain: Toolchain
    transport: str
    emulator: Emulator | None = None
    threads: int = Field(default=1, ge=1, le=MOST_THREADS)
    memory_mib: int | None = Field(default=None, ge=1)
    bandwidth_gb_s: float | None = Field(default=None, gt=0)
    sources: list[str] = []

    @field_validator("transport")
    @classmethod
    def _is_an_address(cls, transport: str) -> str:
        return Address.parse(transport).text

    @property
    def address(self) -> Address:
        """Where the board is and how it is reached."""
        return Address.parse(self.transport)

    @property
    def emulated(self) -> bool:
        """Whether programs for this board run under an emulator here, so that no latency can be claimed."""
        return self.transport == "qemu"
