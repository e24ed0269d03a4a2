"""The user's own compiler: found where the target file says, refused in one line, and its artifacts run."""

from __future__ import annotations

import shutil
import stat
import sys
from pathlib import Path

import pytest

from edgeprune.artifact import Manifest
from edgeprune.board_check import check_board
from edgeprune.cache import cache_directory
from edgeprune.doctor import examine
from edgeprune.errors import StageFailure, UserError
from edgeprune.measuring import open_transport
from edgeprune.shipped import shipped_directory
from edgeprune.target import Target, find_target
from edgeprune.toolchain import toolchain_for
from edgeprune.toolchain.drivers import DriverToolchain
from tests.artifact.conftest import build
from tests.emulator import emulator as find_emulator
from tests.lowering.networks import lenet5

GCC = '[toolchain]\nkind = "gcc"\ntriple = "aarch64-linux-gnu"\ncpu = "cortex-a53"\n'
CLANG = '[toolchain]\nkind = "clang"\ntriple = "aarch64-linux-gnu"\ncpu = "cortex-a53"\n'
NDK = '[toolchain]\nkind = "ndk"\ntriple = "aarch64-linux-android24"\n'


def board(directory: Path, toolchain: str, extends: str = "rpi3") -> Target:
    path = directory / "board.toml"
    path.write_text(f'extends = "{extends}"\n{toolchain}')
    return find_target(str(path))


def program(path: Path, text: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(
    ("toolchain", "message"),
    [
        ('[toolchain]\nkind = "gc"\n', "toolchain.kind: input should be 'zig', 'gcc', 'clang' or 'ndk', not 'gc'"),
        ('[toolchain]\nkind = "gcc"\n', "toolchain.triple: this key is required"),
        ('[toolchain]\nprefix = "x-"\n', "toolchain: prefix does nothing when kind is 'zig'; remove it"),
        (f'{GCC}shared_triple = "x"\n', "toolchain: shared_triple does nothing when kind is 'gcc'; remove it"),
        (f'{NDK}sysroot = "x"\n', "toolchain: sysroot does nothing when kind is 'ndk'; remove it"),
        (f'{GCC}compiler = "x"\n', "toolchain.compiler: unknown key; known here: "),
    ],
)
def test_a_toolchain_no_kind_can_read(toolchain: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refusal:
        board(tmp_path, toolchain)
    assert str(refusal.value).startswith(f"{tmp_path / 'board.toml'}: {message}")


def test_zig_needs_a_triple_for_shared_libraries(tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    whole = (shipped_directory("targets") / "aarch64.toml").read_text()
    path.write_text(whole.replace('shared_triple = "aarch64-linux-gnu.2.28"\n', ""))
    with pytest.raises(UserError, match=r"toolchain: shared_triple is required when kind is 'zig'"):
        find_target(str(path))


def test_another_kind_of_toolchain_starts_afresh(tmp_path: Path) -> None:
    assert board(tmp_path, GCC).toolchain.model_dump(exclude_defaults=True) == {
        "kind": "gcc",
        "triple": "aarch64-linux-gnu",
        "cpu": "cortex-a53",
    }
    same_kind = board(tmp_path, '[toolchain]\ncpu = "cortex_a53"\n').toolchain
    assert (same_kind.triple, same_kind.cpu) == ("aarch64-linux-musl", "cortex_a53")


@pytest.mark.parametrize(
    ("toolchain", "message"),
    [
        (
            GCC.replace('"aarch64-linux-gnu"', '"aarch64-nowhere-linux"'),
            "target board: toolchain.kind: no program 'aarch64-nowhere-linux-gcc' on PATH; install it, name its "
            'directory in toolchain.path, or take kind = "zig", which needs no installation',
        ),
        (f'{GCC}path = "EMPTY"\n', "target board: toolchain.path: no program 'aarch64-linux-gnu-gcc' in EMPTY"),
        (f'{CLANG}path = "EMPTY"\n', "target board: toolchain.path: no program 'clang' in EMPTY"),
        (
            f'{NDK}path = "EMPTY"\n',
            "target board: toolchain.path: EMPTY holds no Android NDK (toolchains/llvm/prebuilt)",
        ),
        (NDK, "target board: toolchain.path: no Android NDK; name its directory here or in ANDROID_NDK_HOME"),
    ],
)
def test_a_missing_toolchain(toolchain: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANDROID_NDK_HOME", raising=False)
    monkeypatch.delenv("ANDROID_NDK_ROOT", raising=False)
    empty = str(tmp_path / "empty")
    with pytest.raises(UserError) as refusal:
        toolchain_for(board(tmp_path, toolchain.replace("EMPTY", empty)))
    assert str(refusal.value) == message.replace("EMPTY", empty)


def test_a_missing_sysroot(tmp_path: Path) -> None:
    for name in ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-ar"):
        program(tmp_path / "bin" / name)
    with pytest.raises(UserError, match=r"target board: toolchain\.sysroot: no such directory: /nowhere/at/all"):
        toolchain_for(board(tmp_path, f'{GCC}path = "{tmp_path / "bin"}"\nsysroot = "/nowhere/at/all"\n'))


def test_gcc_gets_what_the_target_file_says(tmp_path: Path) -> None:
    for name in ("my-gcc", "my-ar"):
        program(tmp_path / "bin" / name)
    extra = (
        f'prefix = "my-"\npath = "{tmp_path / "bin"}"\nsysroot = "{tmp_path}"\noptions = ["-mfix-cortex-a53-835769"]\n'
    )
    found = toolchain_for(board(tmp_path, GCC + extra))
    assert isinstance(found, DriverToolchain)
    assert (found.driver, found.archiver) == (tmp_path / "bin" / "my-gcc", tmp_path / "bin" / "my-ar")
    assert found.machine == ("-mcpu=cortex-a53", f"--sysroot={tmp_path}", "-mfix-cortex-a53-835769")


def test_a_compiler_that_refuses_is_named_with_its_words(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "my-gcc", "echo 'cc1: error: bad value for -mcpu' >&2; exit 1")
    program(tmp_path / "bin" / "my-ar")
    found = toolchain_for(board(tmp_path, f'{GCC}prefix = "my-"\npath = "{tmp_path / "bin"}"\n'))
    source = tmp_path / "main.c"
    source.write_text("int main(void) { return 0; }\n")
    with pytest.raises(StageFailure, match=r"compiling main\.c: my-gcc failed:\ncc1: error: bad value for -mcpu"):
        found.compile(source, tmp_path / "main.o", [])


def test_the_ndk_is_found_in_its_own_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "ndk" / "toolchains" / "llvm" / "prebuilt" / "linux-x86_64" / "bin"
    driver, archiver = program(programs / "clang"), program(programs / "llvm-ar")
    monkeypatch.setenv("ANDROID_NDK_HOME", str(tmp_path / "ndk"))
    found = toolchain_for(board(tmp_path, NDK, extends="android-arm64"))
    assert isinstance(found, DriverToolchain)
    assert (found.driver, found.archiver) == (driver, archiver)
    assert found.machine[0] == "--target=aarch64-linux-android24"


def checked(directory: Path, target: Target) -> Manifest:
    """Build a small LeNet-5 for ``target`` and have it check itself on the emulated CPU."""
    network = lenet5(directory / "lenet5.onnx", first=3, second=5, hidden=7)
    built = build(network, str(directory / "board.toml"), directory / "artifact")
    with open_transport(target) as emulated:
        done = emulated.run([emulated.push(directory / "artifact" / "lenet5-bench"), "--check-only"], timeout=60)
    assert done.code == 0, done
    return built.manifest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("toolchain", "compiler"), [(GCC, "aarch64-linux-gnu-gcc"), (CLANG, "clang")], ids=["gcc", "clang"]
)
def test_an_artifact_by_the_users_compiler(toolchain: str, compiler: str, tmp_path: Path) -> None:
    find_emulator("qemu-aarch64")
    for needed in (compiler, "aarch64-linux-gnu-gcc"):
        if shutil.which(needed) is None:
            pytest.skip(f"{needed} is not on PATH")
    manifest = checked(tmp_path, board(tmp_path, toolchain))
    assert compiler in manifest.versions
    assert "zig" not in manifest.versions
    assert manifest.triple == "aarch64-linux-gnu"


@pytest.mark.slow
def test_an_artifact_by_this_machines_gcc(tmp_path: Path) -> None:
    """Against glibc, whose headers hide what the C standard does not have; musl's, which zig brings, do not."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not on PATH")
    target = board(tmp_path, '[toolchain]\nkind = "gcc"\ntriple = "x86_64-linux-gnu"\nprefix = ""\n', extends="host")
    manifest = checked(tmp_path, target)
    assert "gcc" in manifest.versions and "zig" not in manifest.versions


@pytest.mark.slow
def test_an_artifact_by_an_ndk(tmp_path: Path) -> None:
    """The NDK's layout with another Clang in it, whose triple is put right: this checks every call, not Android."""
    find_emulator("qemu-aarch64")
    programs = tmp_path / "ndk" / "toolchains" / "llvm" / "prebuilt" / "linux-x86_64" / "bin"
    cache = cache_directory("zig")
    zig = f'env ZIG_GLOBAL_CACHE_DIR="{cache}" ZIG_LOCAL_CACHE_DIR="{cache}" "{sys.executable}" -m ziglang'
    program(
        programs / "clang",
        f'[ "$1" = --version ] && exec {zig} version\n'
        f'[ "$1" = --target=aarch64-linux-android24 ] || exit 9\nshift\nexec {zig} cc -target aarch64-linux-musl "$@"',
    )
    program(programs / "llvm-ar", f'exec {zig} ar "$@"')
    target = board(tmp_path, f'{NDK}path = "{tmp_path / "ndk"}"\n', extends="android-arm64")
    assert "clang" in checked(tmp_path, target).versions


def test_doctor_looks_for_the_compilers_that_target_files_ask_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin" / "my-gcc", "echo 'my-gcc 12.3'")
    program(tmp_path / "bin" / "my-ar")
    (tmp_path / "targets").mkdir()
    board(tmp_path / "targets", f'{GCC}prefix = "my-"\npath = "{tmp_path / "bin"}"\n')
    lost = f'extends = "rpi3"\n{GCC}path = "{tmp_path / "lost"}"\n'
    (tmp_path / "targets" / "lost.toml").write_text(lost)
    monkeypatch.chdir(tmp_path)
    rows = {row.name: row for row in examine().rows if row.name.startswith("toolchain of")}
    assert {name: row.state for name, row in rows.items()} == {
        "toolchain of board": "ok",
        "toolchain of lost": "absent",
    }
    assert rows["toolchain of board"].detail == "gcc: my-gcc 12.3"
    assert rows["toolchain of lost"].detail.startswith(
        "target lost: toolchain.path: no program 'aarch64-linux-gnu-gcc'"
    )


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("cpu", "cortex_a54", "error: unknown CPU: 'cortex_a54'"),
        ("triple", "aarch64-linux-mussl", "error: unable to parse target query 'aarch64-linux-mussl'"),
    ],
)
def test_a_triple_or_cpu_the_toolchain_does_not_know(key: str, value: str, reason: str, tmp_path: Path) -> None:
    target = board(tmp_path, f'[toolchain]\n{key} = "{value}"\n')
    with pytest.raises(UserError) as refusal:
        check_board(target)
    assert str(refusal.value).startswith("target board: toolchain: zig refuses triple 'aarch64-linux-mus")
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)
