"""What lies in an artifact, that it is reproducible, and that a failed build leaves nothing behind."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgeprune.artifact import Manifest, build_artifact
from edgeprune.artifact.elf import read_object
from edgeprune.artifact.linkage import SYSTEM_SYMBOLS, check_linkage
from edgeprune.errors import StageFailure, UserError
from edgeprune.lowering import Buffer, Role
from edgeprune.target import find_target
from tests.artifact.conftest import Built, build


def bench(path: Path) -> dict[str, object]:
    finished = subprocess.run([path, "--check-only"], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    check = json.loads(finished.stdout)["check"]
    assert isinstance(check, dict)
    return check


def test_the_files_and_their_hashes(host_artifact: Built) -> None:
    names = {"lenet5-bench", "lenet5.h", "liblenet5.a", "liblenet5.so"}
    assert set(host_artifact.manifest.files) == names
    assert {path.name for path in host_artifact.directory.iterdir()} == names | {"manifest.json"}
    for name, entry in host_artifact.manifest.files.items():
        content = (host_artifact.directory / name).read_bytes()
        assert (entry.bytes, entry.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_the_manifest_on_disk_is_the_one_returned(host_artifact: Built) -> None:
    assert Manifest.read(host_artifact.directory) == host_artifact.manifest
    document = json.loads((host_artifact.directory / "manifest.json").read_text())
    assert document["format"] == 2
    assert document["inputs"] == [{"name": "image", "shape": [1, 1, 28, 28], "dtype": "float32"}]


def test_sizes_are_what_the_network_needs(host_artifact: Built) -> None:
    manifest = host_artifact.manifest
    padded = [8 * 25, 8, 16 * 5 * 25, 16, 32 * 13 * 16, 31, 16 * 31, 10]
    assert manifest.weight_bytes == 4 * sum(padded)
    first_convolution, first_pool = 8 * 24 * 24 * 4, 8 * 12 * 12 * 4
    assert manifest.arena_bound_bytes == first_convolution + first_pool
    assert manifest.arena_bytes == manifest.arena_bound_bytes + (-first_convolution % 64) + (-first_pool % 64)
    assert manifest.code_bytes <= 24 * 1024
    assert manifest.files["lenet5-bench"].bytes <= manifest.weight_bytes + 64 * 1024


def test_the_executable_agrees_with_onnxruntime(host_artifact: Built) -> None:
    check = bench(host_artifact.directory / "lenet5-bench")
    assert (check["passed"], check["golden"]) == (True, 4)
    assert float(str(check["max_relative_error"])) <= 1e-5


def test_the_executable_knows_when_it_is_wrong(onnx_path: Path, host_artifact: Built, tmp_path: Path) -> None:
    wrong = host_artifact.outputs.copy()
    wrong[2, 3] += 0.01 * np.abs(wrong[2]).max()
    build_artifact(
        host_artifact.program,
        find_target("host"),
        tmp_path / "out",
        model="lenet5",
        variant="pruned",
        golden_inputs=host_artifact.inputs,
        golden_outputs=wrong,
    )
    finished = subprocess.run([tmp_path / "out" / "lenet5-bench", "--check-only"], capture_output=True, check=False)
    assert finished.returncode == 3
    assert json.loads(finished.stdout)["check"]["passed"] is False


def test_built_twice_it_is_the_same_to_the_byte(onnx_path: Path, host_artifact: Built, tmp_path: Path) -> None:
    again = build(onnx_path, "host", tmp_path / "elsewhere" / "again")
    assert again.manifest == host_artifact.manifest
    for path in host_artifact.directory.iterdir():
        assert (again.directory / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_debug_build_keeps_its_symbols(onnx_path: Path, host_artifact: Built, tmp_path: Path) -> None:
    debug = build(onnx_path, "host", tmp_path / "debug", debug=True, accuracy=0.75)
    assert bench(debug.directory / "lenet5-bench")["passed"] is True
    assert (debug.manifest.validation_accuracy, host_artifact.manifest.validation_accuracy) == (0.75, None)
    assert b"lenet5_k0" in (debug.directory / "lenet5-bench").read_bytes()
    assert b"lenet5_k0" not in (host_artifact.directory / "lenet5-bench").read_bytes()


def test_a_build_replaces_the_old_one_as_a_whole(onnx_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "artifact"
    out.mkdir()
    (out / "old.txt").write_text("from an earlier build")
    build(onnx_path, "host", out)
    assert not (out / "old.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


def test_a_failed_build_leaves_the_old_one_alone(
    host_artifact: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "artifact"
    out.mkdir()
    (out / "old.txt").write_text("from an earlier build")
    monkeypatch.setattr("edgeprune.artifact.linkage.SYSTEM_SYMBOLS", frozenset())
    monkeypatch.setattr("edgeprune.artifact.build.render_glue", lambda *_, **__: "int broken(void) { return x; }\n")
    with pytest.raises(StageFailure, match=r"compiling lenet5\.c: zig failed:\n(.|\n)*undeclared identifier 'x'"):
        build_artifact(
            host_artifact.program,
            find_target("host"),
            out,
            model="lenet5",
            variant="pruned",
            golden_inputs=host_artifact.inputs,
            golden_outputs=host_artifact.outputs,
        )
    assert [path.name for path in out.iterdir()] == ["old.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


@pytest.mark.parametrize("model", ["LeNet", "5net", "le-net", ""])
def test_a_name_that_is_no_identifier_is_refused(host_artifact: Built, tmp_path: Path, model: str) -> None:
    with pytest.raises(UserError, match="a C identifier in lower case is wanted"):
        build_artifact(
            host_artifact.program,
            find_target("host"),
            tmp_path / "out",
            model=model,
            variant="pruned",
            golden_inputs=host_artifact.inputs,
            golden_outputs=host_artifact.outputs,
        )
    assert list(tmp_path.iterdir()) == []


def test_golden_records_must_fit_the_network(host_artifact: Built, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"golden inputs: shape \(4, 783\) does not hold records of 784 elements"):
        build_artifact(
            host_artifact.program,
            find_target("host"),
            tmp_path / "out",
            model="lenet5",
            variant="pruned",
            golden_inputs=host_artifact.inputs[:, :-1],
            golden_outputs=host_artifact.outputs,
        )


def test_a_network_larger_than_the_board_is_refused(host_artifact: Built, tmp_path: Path) -> None:
    weights = np.zeros(300_000, dtype=np.float32)
    large = dataclasses.replace(
        host_artifact.program,
        buffers=(*host_artifact.program.buffers, Buffer(len(host_artifact.program.buffers), Role.CONSTANT, 8, 0, "")),
        constants=(*host_artifact.program.constants, weights),
    )
    small = find_target("host").model_copy(update={"memory_mib": 1})
    with pytest.raises(UserError, match=r"target host: the network needs 1 MiB for .* the board has 1 MiB"):
        build_artifact(
            large,
            small,
            tmp_path / "out",
            model="lenet5",
            variant="pruned",
            golden_inputs=host_artifact.inputs,
            golden_outputs=host_artifact.outputs,
        )
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_cannot_be_made_is_named(host_artifact: Built, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/out: cannot be written: "):
        build_artifact(
            host_artifact.program,
            find_target("host"),
            tmp_path / "file" / "out",
            model="lenet5",
            variant="pruned",
            golden_inputs=host_artifact.inputs,
            golden_outputs=host_artifact.outputs,
        )


def test_an_object_may_only_ask_for_documented_symbols(tmp_path: Path) -> None:
    from edgeprune.toolchain import ZigToolchain

    source = tmp_path / "greedy.c"
    source.write_text(
        "#include <stdlib.h>\n#include <string.h>\n#include <math.h>\n"
        "void *greedy(void *p, unsigned n) { return memcpy(malloc(n), p, n); }\n"
        "float fine(float x) { return expf(x); }\n"
    )
    tool = ZigToolchain.for_target(find_target("cortex-a7"))
    tool.compile(source, tmp_path / "greedy.o", ["-O2", "-fno-unwind-tables"])
    found = read_object(tmp_path / "greedy.o")
    assert {"greedy", "fine"} <= found.defined
    assert found.undefined - SYSTEM_SYMBOLS == {"malloc"}
    assert 0 < found.code_bytes < 200
    with pytest.raises(StageFailure, match=r"greedy\.o: needs malloc, which no board provides"):
        check_linkage({"greedy.o": found})


def test_two_objects_may_not_define_the_same_symbol(tmp_path: Path) -> None:
    from edgeprune.toolchain import ZigToolchain

    source = tmp_path / "one.c"
    source.write_text("int same(void) { return 1; }\n")
    tool = ZigToolchain.for_target(find_target("host"))
    tool.compile(source, tmp_path / "one.o", [])
    found = read_object(tmp_path / "one.o")
    with pytest.raises(StageFailure, match=r"two\.o: defines same a second time"):
        check_linkage({"one.o": found, "two.o": found})


def test_a_damaged_object_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.o"
    path.write_bytes(b"\x7fELF\x02\x01\x01" + b"\0" * 40)
    with pytest.raises(StageFailure, match=r"cut\.o: not a little-endian ELF file"):
        read_object(path)
    path.write_bytes(b"\x7fELF\x02\x01\x01" + b"\xff" * 80)
    with pytest.raises(StageFailure, match=r"cut\.o: damaged ELF file"):
        read_object(path)
