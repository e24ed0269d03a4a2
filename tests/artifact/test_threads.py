"""Networks on several threads: the pool alone under sanitizers, then artifacts that use it."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import edgeprune.artifact
from edgeprune.artifact.linkage import THREAD_SYMBOLS
from edgeprune.target import Target, find_target
from tests.artifact.conftest import Built, build
from tests.emulator import emulator as find_emulator
from tests.lowering.networks import Graph, conv

RUNTIME = Path(edgeprune.artifact.__file__).parent / "runtime"
OK, ENULL, ETHREADS, ECORES = 0, 1, 4, 6
MOST = 3


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a network with a padded, a depthwise and a pointwise convolution large enough to be shared."""
    graph = Graph(seed=3)
    data = graph.node("Relu", conv(graph, graph.input(1, 3, 26, 22), 3, 24, pads=[1, 1, 1, 1]))
    data = graph.node("Relu", conv(graph, data, 24, 24, pads=[1, 1, 1, 1], group=24))
    data = conv(graph, data, 24, 40, 1)
    data = graph.node("Flatten", graph.node("GlobalAveragePool", data))
    return graph.save(tmp_path_factory.mktemp("threads") / "net.onnx", data)


@pytest.fixture(scope="module")
def alone(network: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(network, "host", tmp_path_factory.mktemp("alone") / "artifact", model="net")


@pytest.fixture(scope="module")
def threaded(network: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(network, "host", tmp_path_factory.mktemp("threaded") / "artifact", model="net", threads=MOST)


class Library:
    """The shared library through ctypes."""

    def __init__(self, built: Built) -> None:
        self.library = ctypes.CDLL(str(built.directory / "libnet.so"))
        self.library.net_run.argtypes = [ctypes.c_void_p] * 3
        self.arena_bytes = int(self.library.net_arena_bytes())

    def arena(self) -> NDArray[np.uint8]:
        memory = np.full(self.arena_bytes + 128, 0xAB, dtype=np.uint8)
        start = -memory.ctypes.data % 64
        return memory[start : start + self.arena_bytes + 64]

    def run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        arena, outputs = self.arena(), np.zeros(40, dtype=np.float32)
        assert self.library.net_run(arena.ctypes.data, inputs.ctypes.data, outputs.ctypes.data) == OK
        assert (arena[self.arena_bytes :] == 0xAB).all()
        return outputs


def test_one_thread_has_no_pool(alone: Built) -> None:
    assert alone.manifest.threads == 1
    assert not set(alone.manifest.system_symbols) & THREAD_SYMBOLS
    header = (alone.directory / "net.h").read_text()
    assert "thread alone" not in header and "set_threads" not in header
    for path in alone.directory.glob("*net*"):
        assert b"net_pool_run" not in path.read_bytes() and b"pthread_create" not in path.read_bytes(), path.name


def test_the_manifest_says_how_many_threads_and_what_they_ask_of_the_system(threaded: Built) -> None:
    assert threaded.manifest.threads == MOST
    assert set(threaded.manifest.system_symbols) >= THREAD_SYMBOLS
    assert f"#define NET_MAX_THREADS {MOST}\n" in (threaded.directory / "net.h").read_text()


def test_any_number_of_threads_gives_the_same_bits(alone: Built, threaded: Built) -> None:
    expected = [Library(alone).run(record) for record in threaded.inputs]
    library = Library(threaded)
    for threads in (1, 2, MOST, 1):
        assert library.library.net_set_threads(threads) == OK
        for record, wanted in zip(threaded.inputs, expected, strict=True):
            for _ in range(20):
                assert np.array_equal(library.run(record), wanted)
    assert library.library.net_shutdown() == OK


def test_callers_at_once_share_the_pool_or_go_alone(threaded: Built) -> None:
    library = Library(threaded)
    expected = [library.run(record) for record in threaded.inputs]
    assert library.library.net_set_threads(2) == OK

    def work(record: int) -> bool:
        return all(np.array_equal(library.run(threaded.inputs[record]), expected[record]) for _ in range(200))

    with ThreadPoolExecutor(4) as callers:
        assert all(callers.map(work, range(4)))
    assert library.library.net_shutdown() == OK


def test_bad_arguments_are_refused(threaded: Built) -> None:
    library = Library(threaded).library
    assert [library.net_set_threads(count) for count in (0, -1, MOST + 1)] == [ETHREADS] * 3
    assert library.net_set_threads(2) == OK
    cores = (ctypes.c_int * 2)(0, 0)
    assert library.net_set_affinity(None, 2) == ENULL
    assert [library.net_set_affinity(cores, 1), library.net_set_affinity((ctypes.c_int * 2)(0, 5000), 2)] == [
        ECORES
    ] * 2
    assert library.net_set_affinity(cores, 2) == OK
    assert library.net_set_affinity(None, 0) == OK
    assert library.net_shutdown() == OK


@pytest.mark.slow
@pytest.mark.parametrize("sanitizers", ["address,undefined,leak", "thread"])
def test_the_pool_under_sanitizers(tmp_path: Path, sanitizers: str) -> None:
    """The sanitizer of threads cannot start threads after a fork of a process that has some: there, no fork."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not on PATH; zig brings no address sanitizer")
    program = tmp_path / "harness"
    strict = ["-std=gnu99", "-O1", "-g", "-Wall", "-Wextra", "-Werror", f"-fsanitize={sanitizers}"]
    defined = ["-DEDGEPRUNE_MODEL=net", "-DEDGEPRUNE_MAX_THREADS=4", f"-I{RUNTIME}"]
    sources = [str(RUNTIME / "pool.c"), str(Path(__file__).with_name("pool_harness.c"))]
    subprocess.run([compiler, *strict, *defined, *sources, "-pthread", "-o", str(program)], check=True)
    arguments = ["no-fork"] if sanitizers == "thread" else []
    finished = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert (finished.returncode, finished.stderr) == (0, "")


def under_emulation(built: Built, target: Target, *arguments: str) -> str:
    """Run the executable on the emulated CPU, whose threads are real ones, and return what it prints."""
    assert target.emulator is not None
    qemu = find_emulator(target.emulator.program)
    command = qemu.command([str(built.directory / "net-bench"), *arguments], cpu=target.emulator.cpu)
    finished = subprocess.run(command, env=qemu.environment(), capture_output=True, text=True, check=False, timeout=120)
    assert finished.returncode == 0, finished.stderr + finished.stdout
    return finished.stdout


def assert_threads_agree(built: Built, target: Target) -> None:
    """Check the golden records on two threads, and that one, two and three threads give the same bits."""
    document = json.loads(under_emulation(built, target, "--threads", "2", "--check-only"))
    assert document["threads"] == 2 and document["check"]["passed"] is True
    built.inputs.astype("<f4").tofile(built.directory / "in.f32")
    answers = []
    for threads in range(1, MOST + 1):
        where = built.directory / f"out-{threads}.f32"
        under_emulation(
            built, target, "--threads", str(threads), "--input", f"{built.directory}/in.f32", "--output", str(where)
        )
        answers.append(np.fromfile(where, dtype="<f4"))
    assert np.abs(answers[0] - built.outputs.ravel()).max() <= 1e-4 * np.abs(built.outputs).max()
    assert all(np.array_equal(answers[0], other) for other in answers[1:])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["aarch64", "armv7", "android-arm64", "android-armv7"])
def test_threads_on_other_boards(network: Path, name: str, tmp_path: Path) -> None:
    built = build(network, name, tmp_path / "artifact", model="net", threads=MOST)
    assert built.manifest.threads == MOST
    assert find_target(name).threads == 1
    assert_threads_agree(built, find_target(name))


@pytest.mark.slow
def test_threads_by_a_cross_gcc(network: Path, tmp_path: Path) -> None:
    """Against glibc, statically: the pool must bring in all of the thread library that it needs."""
    if shutil.which("aarch64-linux-gnu-gcc") is None:
        pytest.skip("aarch64-linux-gnu-gcc is not on PATH")
    board = tmp_path / "board.toml"
    board.write_text(
        'extends = "rpi3"\nthreads = 3\n[toolchain]\nkind = "gcc"\ntriple = "aarch64-linux-gnu"\ncpu = "cortex-a53"\n'
    )
    built = build(network, str(board), tmp_path / "artifact", model="net", threads=MOST)
    assert "aarch64-linux-gnu-gcc" in built.manifest.versions
    assert_threads_agree(built, find_target(str(board)))
