"""The same network for TVM's own runtime, loaded here and over RPC."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import rpc

from edgeprune.cli.main import run_command
from edgeprune.lowering import Scheduled, lower, schedule
from edgeprune.onnx_reference import made_records
from edgeprune.parity import ParityError
from edgeprune.target import find_target
from edgeprune.vm_export import VmManifest, export_vm, run_vm
from edgeprune.vm_export.export import Rows, split_record
from tests.lowering.networks import lenet5

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lenet5(tmp_path_factory.mktemp("onnx") / "lenet5.onnx", first=5, second=13, hidden=31)


@pytest.fixture(scope="module")
def golden(network: Path) -> tuple[Rows, Rows]:
    return made_records(network)


def scheduled_for(network: Path, target_name: str) -> Scheduled:
    target = find_target(target_name)
    return schedule(lower(network, target), target)


@pytest.fixture(scope="module")
def exported(network: Path, golden: tuple[Rows, Rows], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("vm")
    export_vm(scheduled_for(network, "host"), find_target("host"), out, model="lenet5", golden=golden)
    return out


def relative_error(module: tvm.runtime.Module, device: tvm.runtime.Device, golden: tuple[Rows, Rows]) -> float:
    worst = 0.0
    for inputs, expected in zip(*golden, strict=True):
        (found,) = run_vm(module, device, split_record(inputs, [(1, 1, 28, 28)]))
        worst = max(worst, float(np.abs(found.ravel() - expected).max() / np.abs(expected).max()))
    return worst


def test_the_library_agrees_with_onnxruntime(exported: Path, golden: tuple[Rows, Rows]) -> None:
    module = tvm.runtime.load_module(str(exported / "lenet5-relax-vm.so"))
    assert relative_error(module, tvm.cpu(), golden) <= 1e-5


def test_it_describes_itself(exported: Path) -> None:
    document = json.loads((exported / "relax-vm.json").read_text())
    assert {path.name for path in exported.iterdir()} == {"lenet5-relax-vm.so", "relax-vm.json"}
    assert document["format"] == 1
    assert (document["library"], document["entry"]) == ("lenet5-relax-vm.so", "main")
    assert document["inputs"] == [{"name": "image", "shape": [1, 1, 28, 28], "dtype": "float32"}]
    assert (document["checked"], document["tuned_kernels"]) == (True, 0)
    assert document["bytes"] == (exported / "lenet5-relax-vm.so").stat().st_size


def test_over_rpc(exported: Path, golden: tuple[Rows, Rows]) -> None:
    server = rpc.Server(host="127.0.0.1", port=9190, port_end=9290, silent=True)
    try:
        session = rpc.connect("127.0.0.1", server.port)
        session.upload(str(exported / "lenet5-relax-vm.so"))
        module = session.load_module("lenet5-relax-vm.so")
        assert relative_error(module, session.cpu(), golden) <= 1e-5
    finally:
        server.terminate()


def test_a_wrong_library_is_refused(network: Path, golden: tuple[Rows, Rows], tmp_path: Path) -> None:
    wrong = golden[1].copy()
    wrong[1, 2] += 0.01 * np.abs(wrong[1]).max()
    with pytest.raises(ParityError, match=r"onnxruntime \| relax-vm"):
        export_vm(
            scheduled_for(network, "host"), find_target("host"), tmp_path, model="lenet5", golden=(golden[0], wrong)
        )


@pytest.mark.parametrize(
    ("name", "machine"), [("rpi4", 183), ("cortex-a7", 40), ("android-arm64", 183), ("cortex-a55-fp16", 183)]
)
def test_cross_compiled(name: str, machine: int, network: Path, golden: tuple[Rows, Rows], tmp_path: Path) -> None:
    target = find_target(name)
    manifest = export_vm(scheduled_for(network, name), target, tmp_path, model="lenet5", golden=golden)
    assert isinstance(manifest, VmManifest)
    assert (manifest.checked, manifest.target, manifest.triple) == (False, name, target.toolchain.shared_triple)
    library = (tmp_path / "lenet5-relax-vm.so").read_bytes()
    kind, built_for = struct.unpack_from("<HH", library, 16)
    assert (library[:4], kind, built_for) == (b"\x7fELF", 3, machine)


def test_by_the_command_and_twice_the_same(network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for out in ("one", "two"):
        command = ["build", str(network), "-t", "rpi3", "--format", "relax-vm", "--out", str(tmp_path / out), "--json"]
        assert run_command(command, debug=False) == 0
        size = (tmp_path / out / "lenet5-relax-vm.so").stat().st_size
        assert json.loads(capsys.readouterr().out) == {
            "directory": str(tmp_path / out),
            "files": {"lenet5-relax-vm.so": size},
        }
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
