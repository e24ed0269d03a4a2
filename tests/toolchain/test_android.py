"""Artifacts for phones: a static executable, and a shared library that an app may carry."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgeprune.artifact.linkage import SYSTEM_SYMBOLS
from edgeprune.measuring import open_transport
from edgeprune.target import find_target
from edgeprune.toolchain.bionic import STUBS
from tests.artifact.conftest import Built, build
from tests.emulator import emulator as find_emulator
from tests.lowering.networks import lenet5

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRTAB, _SONAME, _VERNEED = 1, 5, 14, 0x6FFFFFFE
PAGE = 16384


@dataclass(frozen=True)
class Loadable:
    """What a dynamic linker reads of an ELF file."""

    segments: tuple[tuple[int, int, int, int], ...]  # kind, offset, address, alignment
    entries: tuple[tuple[int, int], ...]
    strings: bytes

    def named(self, tag: int) -> list[str]:
        return [self.strings[at : self.strings.index(b"\0", at)].decode() for kind, at in self.entries if kind == tag]


def read_loadable(path: Path) -> Loadable:
    data = path.read_bytes()
    wide = data[4] == 2
    start = struct.unpack_from("<Q", data, 0x20)[0] if wide else struct.unpack_from("<I", data, 0x1C)[0]
    size, count = struct.unpack_from("<HH", data, 0x36 if wide else 0x2A)
    segments, sizes = [], []
    for index in range(count):
        fields = struct.unpack_from("<IIQQQQQQ" if wide else "<IIIIIIII", data, start + index * size)
        if wide:
            kind, _, offset, address, _, length, _, alignment = fields
        else:
            kind, offset, address, _, length, _, _, alignment = fields
        segments.append((kind, offset, address, alignment))
        sizes.append(length)
    entries: list[tuple[int, int]] = []
    for (kind, offset, _, _), length in zip(segments, sizes, strict=True):
        if kind == _DYNAMIC:
            word = "<qQ" if wide else "<iI"
            entries = [struct.unpack_from(word, data, offset + at) for at in range(0, length, struct.calcsize(word))]
    strings = next((value for tag, value in entries if tag == _STRTAB), None)
    if strings is None:
        return Loadable(tuple(segments), (), b"")
    # Addresses become offsets by the segment that is loaded there.
    home = max((s for s in segments if s[0] == _LOAD and s[2] <= strings), key=lambda s: s[2])
    return Loadable(tuple(segments), tuple(entries), data[strings - home[2] + home[1] :])


def test_phones_provide_every_function_an_artifact_may_ask_for() -> None:
    provided = "".join(STUBS.values())
    asked = {symbol for symbol in SYSTEM_SYMBOLS if not symbol.startswith("__aeabi")}
    assert {symbol for symbol in asked if f"void {symbol}(" not in provided} == set()


@pytest.fixture(scope="module")
def built_for_android(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Built]:
    known: dict[str, Built] = {}

    def get(name: str) -> Built:
        if name not in known:
            directory = tmp_path_factory.mktemp(name)
            network = lenet5(directory / "lenet5.onnx", first=3, second=5, hidden=7)
            known[name] = build(network, name, directory / "artifact")
        return known[name]

    return get


@pytest.mark.slow
@pytest.mark.parametrize("name", ["android-arm64", "android-armv7", "phone-x1"])
def test_the_executable_is_static_and_right(name: str, built_for_android: Callable[[str], Built]) -> None:
    bench = built_for_android(name).directory / "lenet5-bench"
    loadable = read_loadable(bench)
    assert _INTERPRETER not in {segment[0] for segment in loadable.segments}
    assert loadable.named(_NEEDED) == []
    with open_transport(find_target(name)) as emulated:
        done = emulated.run([emulated.push(bench), "--check-only"], timeout=60)
    assert done.code == 0, done


@pytest.mark.slow
@pytest.mark.parametrize("name", ["android-arm64", "android-armv7"])
def test_the_shared_library_fits_an_app(name: str, built_for_android: Callable[[str], Built]) -> None:
    loadable = read_loadable(built_for_android(name).directory / "liblenet5.so")
    assert set(loadable.named(_NEEDED)) <= {"libc.so", "libm.so"}
    assert loadable.named(_SONAME) == ["liblenet5.so"]
    assert _VERNEED not in {tag for tag, _ in loadable.entries}, "phones have no symbol versions of glibc"
    loads = [segment for segment in loadable.segments if segment[0] == _LOAD]
    assert loads
    for _, offset, address, alignment in loads:
        assert alignment == PAGE
        assert offset % PAGE == address % PAGE


@pytest.mark.slow
def test_the_register_of_the_platform_stays_untouched(
    built_for_android: Callable[[str], Built], tmp_path: Path
) -> None:
    """Android owns x18; its number is in the low bits of every instruction that writes it."""
    library = (built_for_android("android-arm64").directory / "liblenet5.so").read_bytes()
    start = struct.unpack_from("<Q", library, 0x20)[0]
    size, count = struct.unpack_from("<HH", library, 0x36)
    code = b""
    for index in range(count):
        kind, flags, offset, _, _, length, _, _ = struct.unpack_from("<IIQQQQQQ", library, start + index * size)
        if kind == _LOAD and flags & 1:
            code += library[offset : offset + length]
    words = struct.unpack(f"<{len(code) // 4}I", code[: len(code) // 4 * 4])
    # Data processing on general registers, immediate (100x) or register (x101), with x18 as destination.
    writes = [word for word in words if ((word >> 26) & 7 == 4 or (word >> 25) & 7 == 5) and word & 31 == 18]
    assert len(words) > 500
    assert writes == []


_APP = """
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
typedef int (*run_function)(void *, const float *, float *);
typedef size_t (*size_function)(void);
int main(int count, char **arguments) {
    static float input[784], output[10];
    FILE *given = fopen(arguments[2], "rb"), *answered = fopen(arguments[3], "wb");
    void *library = count == 4 ? dlopen(arguments[1], RTLD_NOW) : NULL;
    if (!library) return puts(dlerror()), 1;
    void *arena = aligned_alloc(64, ((size_function)dlsym(library, "lenet5_arena_bytes"))() / 64 * 64 + 64);
    if (fread(input, sizeof(float), 784, given) != 784) return 2;
    if (((run_function)dlsym(library, "lenet5_run"))(arena, input, output) != 0) return 3;
    return fwrite(output, sizeof(float), 10, answered) == 10 && fclose(answered) == 0 ? 0 : 4;
}
"""
_SYSROOT = Path("/usr/aarch64-linux-gnu")


@pytest.mark.slow
def test_an_app_loads_the_library(built_for_android: Callable[[str], Built], tmp_path: Path) -> None:
    """With the names of Android's libraries given to glibc's: the dynamic linker resolves every symbol."""
    compiler, qemu = shutil.which("aarch64-linux-gnu-gcc"), find_emulator("qemu-aarch64")
    if compiler is None or not _SYSROOT.is_dir():
        pytest.skip("needs aarch64-linux-gnu-gcc with its C library")
    built = built_for_android("android-arm64")
    for name in ("libc", "libm"):
        (tmp_path / f"{name}.so").symlink_to(next(_SYSROOT.glob(f"lib/{name}.so.*")))
    (tmp_path / "app.c").write_text(_APP)
    subprocess.run([compiler, str(tmp_path / "app.c"), "-o", str(tmp_path / "app")], check=True)
    built.inputs[0].tofile(tmp_path / "input.f32")
    command = [str(qemu.path), "-L", str(_SYSROOT), "-E", f"LD_LIBRARY_PATH={tmp_path}", str(tmp_path / "app")]
    files = [built.directory / "liblenet5.so", tmp_path / "input.f32", tmp_path / "output.f32"]
    done = subprocess.run(
        [*command, *map(str, files)], env=qemu.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done
    found = np.fromfile(tmp_path / "output.f32", dtype=np.float32)
    assert np.abs(found - built.outputs[0]).max() <= 1e-5 * np.abs(built.outputs[0]).max()
